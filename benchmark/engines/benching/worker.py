"""Measures one thing: ``python -m benchmark.engines.benching.worker REQUEST`` prints the result as JSON.

REQUEST is the JSON of `{"experiment": NAME}` or `{"extractor": [NAME, DIGEST of its weights]}`, with `device`
and `seconds`. The process is fresh and prepared like that of a run (`numerics.child_environment`), so that
its start is a run's start. Images are drawn: neither data nor weights of a generator matter to speed.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from typing import Any

from benchmark.engines import parent

_FIRST = 100
"""G-iteration to begin with: WGAN has another number of critic steps in the first 25 and in every 500th."""
_IMAGES = 500
"""To train on, and to generate at a time, at least: whole minibatches, so that each is like the others."""


def main(argv: list[str]) -> int:
    """Answer the one request."""
    if parent.is_gone(parent.follow()):
        return 1
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a third party's module prints is no result
    request = json.loads(argv[0])
    measure = experiment if "experiment" in request else extractor
    print(json.dumps(measure(request), allow_nan=False), file=out, flush=True)
    return 0


def experiment(request: dict[str, Any]) -> dict[str, Any]:
    """Start-up, G-iterations and generated images of an experiment at its own batch and width."""
    import torch

    import baselines
    from benchmark.engines.benching.measure import Roof, measured
    from benchmark.engines.probing.drawn import pictures
    from benchmark.evaluation import evaluator  # noqa: F401 - a run imports it
    from benchmark.training import numerics, sampling, trainer
    from benchmark.training.draws import SeededDraws

    numerics.apply()
    if variant := request.get("variant"):
        baselines.vary(**variant)
    chosen, device = baselines.get(request["experiment"]), torch.device(request["device"])
    settings = chosen.settings
    n_images = 0 if chosen.points else whole(settings.batch)
    images = pictures(n_images, chosen.image_shape).to(device)
    labels = (torch.arange(len(images)) % chosen.classes).to(device) if chosen.classes else None
    players = trainer.build(chosen, 0, images, device)
    draws = SeededDraws(chosen, 0, images, labels, device)
    start_s = time.process_time()

    def critic_steps(k: int) -> int:
        return chosen.critic_updates(settings, k + 1) - chosen.critic_updates(settings, k)

    usual = critic_steps(_FIRST)
    ks = (k for k in itertools.count(_FIRST) if critic_steps(k) == usual)
    roof, seconds = Roof(device), request["seconds"]
    n_made = whole(settings.sampling_batch) if settings.sampling_statistics == "batch" else _IMAGES

    def iterate() -> None:
        k = next(ks)
        chosen.iterate(settings, players, k, draws.at(k))

    def generate() -> None:
        for _ in sampling.image_batches(chosen, players.scored, 0, n_made):
            pass

    return {
        "start_cpu_s": round(start_s, 2),
        "gen_iters": measured(iterate, roof, seconds),
        "generated_images": measured(generate, roof, seconds / 2, n_made),
    }


def whole(batch: int) -> int:
    """The fewest images, `_IMAGES` or more, that are minibatches of `batch` without a rest."""
    return -(-_IMAGES // batch) * batch


def extractor(request: dict[str, Any]) -> dict[str, Any]:
    """Images through the feature network of protocols, in the protocols' batches."""
    import torch

    from benchmark.engines.benching.measure import Roof, measured
    from benchmark.engines.probing.drawn import pictures
    from benchmark.evaluation import extractors
    from benchmark.training import numerics

    numerics.apply()
    (name, digest), device = request["extractor"], torch.device(request["device"])
    net, known = extractors.load(name, digest, device), extractors.get(name)
    images = pictures(known.batch_size, (known.channels[-1], 32, 32))

    def features() -> None:
        extractors.extract(net, images, device, known.batch_size)

    return {"scored_images": measured(features, Roof(device), request["seconds"] / 2, len(images))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
