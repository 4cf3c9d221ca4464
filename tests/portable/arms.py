"""Train a few G-iterations in the profile `portable`, and compare: `python tests/portable/arms.py`.

An *arm* is a machine, a build of torch or a setting; what comes out must be equal on all. `golden.json` holds
it. Needs torch, NumPy, Pillow, safetensors and msgspec only, so that it runs where ganbench itself is not
installed, like with a distribution's own torch. Exit code 1: something differs.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path

import torch

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import checkpoint, trainer
from benchmark.training.draws import SeededDraws
from benchmark.training.portable import Portable, adopt_players, selftest

GOLDEN = Path(__file__).with_name("golden.json")


def trained(experiment, seed, gen_iters, device=None, first=0, faithful=False):
    """SHA-256 over all losses and all tensors of networks and optimisers; G-iterations begin at `first`."""
    images = pictures(experiment).to(device or "cpu")
    labels = None
    if experiment.classes:
        labels = (torch.arange(len(images)) % experiment.classes).to(images.device)
    players = trainer.build(experiment, seed, images)
    if os.environ.get("PORTABLE_ARM") == "contiguous":
        for network in (players.generator, players.critic):
            network.to(memory_format=torch.contiguous_format)
    if not faithful:
        adopt_players(players, experiment.name)
    draws = SeededDraws(experiment, seed, images, labels)
    rows = []
    for k in range(first, first + gen_iters):
        with contextlib.nullcontext() if faithful else Portable(experiment.name):
            losses = experiment.iterate(experiment.settings, players, k, draws.at(k))
        rows.append([losses[name].item().hex() for name in sorted(losses)])
    tensors = checkpoint.digest(checkpoint.tensors_of(players))
    return hashlib.sha256(f"{tensors}{json.dumps(rows)}".encode()).hexdigest()


def pictures(experiment):
    """Training images: the digits, or for other data sets noise made of integers, uint8 [64, C, H, W]."""
    if experiment.dataset == "digits":
        return frame(data.load("digits", "train"), experiment.image_shape[1])
    shape = (0 if experiment.points else 64, *experiment.image_shape)
    values = torch.arange(shape[0] * shape[1] * shape[2] * shape[3])
    return ((values * 7919 + values // 251) % 256).to(torch.uint8).reshape(shape)


def with_batch(experiment, batch):
    """The experiment with smaller minibatches of real and generated images; None leaves them."""
    if batch is None:
        return experiment
    names = [name for name in ("batch", "generator_batch") if hasattr(experiment.settings, name)]
    settings = dataclasses.replace(experiment.settings, **dict.fromkeys(names, batch))
    return dataclasses.replace(experiment, settings=settings)


def planned():
    """What `golden.json` holds: (experiment, minibatch or None for its own)."""
    names = baselines.names()
    digits = [(name, None) for name in names if name.endswith("/digits")]
    return digits + [(name, 4) for name in names if baselines.get(name).headline and "cifar10" in name]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiments", nargs="*", help="default: all of golden.json")
    parser.add_argument("--gen-iters", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minibatch", type=int, help="of real and of generated images, for all experiments")
    parser.add_argument("--first", type=int, default=0, help="the G-iteration to begin with")
    parser.add_argument("--faithful", action="store_true", help="the other profile: nothing is compared")
    parser.add_argument("--write", action="store_true", help="put what is found into golden.json")
    saved = os.environ.get("PORTABLE_SAVED")
    parser.add_argument("--save", type=Path, default=saved, help="append to this file, for arms_table.py")
    parser.add_argument("--arm", default="as it is", help="this arm's name there")
    args = parser.parse_args()
    if os.environ.get("PORTABLE_ARM") == "no-onednn":
        torch.backends.mkldnn.enabled = False
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    selftest.check()
    golden = {} if args.faithful else json.loads(GOLDEN.read_text(encoding="utf-8"))
    found, differs = {}, False
    batches = dict(planned())
    for name in args.experiments or batches:
        experiment = with_batch(baselines.get(name), args.minibatch or batches.get(name, 4))
        label = f"{name} minibatch {args.minibatch}" if args.minibatch else name
        for seed in args.seeds:
            start = f" from {args.first}" if args.first else ""
            key = f"{label} seed {seed}, {args.gen_iters} G-iterations{start}"
            found[key] = trained(experiment, seed, args.gen_iters, None, args.first, args.faithful)
            differs |= golden.get(key, found[key]) != found[key]
            word = "equal" if golden.get(key) == found[key] else "DIFFERENT" if key in golden else "new"
            print(f"{key}: {found[key]} {word}", flush=True)
            if args.save:
                row = (args.arm, torch.__version__, label, seed, args.gen_iters, found[key])
                with args.save.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    if args.write:
        GOLDEN.write_text(json.dumps(golden | found, indent=1) + "\n", encoding="utf-8")
    return int(differs and not args.write)


if __name__ == "__main__":
    sys.exit(main())
