"""Train a few G-iterations in the profile `portable` and print digests: `python tests/portable/arms.py`.

Needs torch, NumPy, Pillow and safetensors only, so that it runs where ganbench itself is not installed, like
with a distribution's own torch. An *arm* is a machine, a build or a setting; digests must be equal on all.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path

GOLDEN = Path(__file__).with_name("golden.json")


def trained(name, seed, gen_iters, batch=None):
    """SHA-256 over all losses and all tensors of networks and optimisers after so many G-iterations."""
    import torch

    import baselines
    from benchmark import data
    from benchmark.data.framing import frame
    from benchmark.training import checkpoint, trainer
    from benchmark.training.draws import SeededDraws
    from benchmark.training.portable import Portable, optimisers

    experiment = baselines.get(name)
    if batch:
        experiment = dataclasses.replace(
            experiment, settings=dataclasses.replace(experiment.settings, batch=batch)
        )
    images = pictures(experiment, data, frame, torch)
    labels = torch.arange(len(images)) % experiment.classes if experiment.classes else None
    players = trainer.build(experiment, seed, images)
    for optimiser in (players.generator_optimiser, players.critic_optimiser):
        optimisers.adopt(optimiser, name)
    draws = SeededDraws(experiment, seed, images, labels)
    if os.environ.get("PORTABLE_ARM_LAYOUT") == "contiguous":
        for network in (players.generator, players.critic):
            network.to(memory_format=torch.contiguous_format)
    rows = []
    for k in range(gen_iters):
        with Portable(name):
            losses = experiment.iterate(experiment.settings, players, k, draws.at(k))
        rows.append([losses[key].item().hex() for key in sorted(losses)])
    tensors = checkpoint.digest(checkpoint.tensors_of(players))
    return hashlib.sha256(f"{tensors}{json.dumps(rows)}".encode()).hexdigest()


def pictures(experiment, data, frame, torch):
    """Training images: the digits, or for other data sets coloured noise made of integers, [64, C, H, W]."""
    if experiment.dataset == "digits":
        return frame(data.load("digits", "train"), experiment.image_shape[1])
    n = 0 if experiment.points else 64
    shape = (n, *experiment.image_shape)
    values = torch.arange(n * shape[1] * shape[2] * shape[3])
    return ((values * 7919 + values // 251) % 256).to(torch.uint8).reshape(shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiments", nargs="*", help="default: the five on digits")
    parser.add_argument("--gen-iters", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--batch", type=int, help="another minibatch than the experiment's")
    parser.add_argument(
        "--check", action="store_true", help="compare with golden.json; exit 1 if one differs"
    )
    parser.add_argument("--write", action="store_true", help="write golden.json")
    args = parser.parse_args()
    import torch

    import baselines
    from benchmark.training.portable import selftest

    if os.environ.get("PORTABLE_ARM_ONEDNN") == "off":
        torch.backends.mkldnn.enabled = False
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    selftest.check()
    names = args.experiments or [name for name in baselines.names() if name.endswith("/digits")]
    found = {}
    for name in names:
        for seed in args.seeds:
            key = f"{name} seed {seed}, {args.gen_iters} G-iterations" + (
                f", batch {args.batch}" if args.batch else ""
            )
            found[key] = trained(name, seed, args.gen_iters, args.batch)
            print(json.dumps({key: found[key]}), flush=True)
    if args.write:
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if args.check:
        golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
        wrong = [key for key, digest in found.items() if golden[key] != digest]
        print(f"{len(found) - len(wrong)} equal, {len(wrong)} different: {', '.join(wrong)}", file=sys.stderr)
        return bool(wrong)
    return 0


if __name__ == "__main__":
    sys.exit(main())
