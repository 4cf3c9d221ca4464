"""`ganbench evaluate`: scores of a generator or of images, by a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import complete, given
from benchmark.cli.given import Asked
from benchmark.cli.options import OneOf, as_json, data_dir, weights
from benchmark.cli.streams import print_json

if TYPE_CHECKING:
    from benchmark.evaluation.protocol import Protocol


@click.command()
@click.argument("path", metavar="RUN|FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    "names",
    multiple=True,
    metavar="NAME",
    help="How to score; repeatable. A run's own protocols unless given.",
    shell_complete=complete.protocol_names,
)
@weights
@data_dir
@click.option(
    "--experiment",
    metavar="NAME",
    help="What a checkpoint, or bare weights, are of.",
    shell_complete=complete.experiments,
)
@click.option("--data", "dataset", metavar="NAME", help="What to compare with; the run's unless given.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Of the latents; the run's, else 0.")
@click.option("--device", default="auto", show_default=True, type=OneOf(["auto", "cpu", "cuda"]))
@click.option("--key", metavar="NAME", help="Which of several state dictionaries, or arrays, in a FILE.")
@click.option(
    "--range",
    "value_range",
    nargs=2,
    type=float,
    default=None,
    help="Values that are black and white: of an array of floating-point values, of TorchScript (-1 1).",
)
@click.option(
    "--reference",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare with mu and sigma in an .npz file, as pytorch-fid writes them; FID alone.",
)
@click.option(
    "--save-statistics",
    "save",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write mu and sigma of PATH's features to an .npz file; FID alone.",
)
@click.option("--trust-torchscript", is_flag=True, help="Execute the code in a TorchScript FILE.")
@click.option(
    "--latent", default=128, show_default=True, type=click.IntRange(1, 1 << 16), help="For TorchScript."
)
@click.option(
    "--prior",
    default="normal",
    show_default=True,
    type=OneOf(["normal", "uniform"]),
    help="Of the latents, for TorchScript: N(0, 1) or U(-1, 1).",
)
@as_json
def evaluate(path: Path, names: tuple[str, ...], json_: bool, **options: Any) -> None:
    r"""Score a run's last checkpoint, somebody's weights, an array or a folder of images.

    FILE is a checkpoint; weights alone (.safetensors, .pt, .pth, .ckpt) of an experiment's generator; an
    array of images (.npz, .npy); statistics (.npz with mu and sigma); or a TorchScript program, which needs
    --trust-torchscript, as it is executed with your rights. Everything else is only read. All protocols share
    one generation pass and one feature pass. Parzen windows (parzen-…) take the images before they are
    quantised; SVMs (svm-…) take the features of a checkpoint's critic. docs/metrics.md says more.

    \b
    ganbench evaluate results/runs/sngan/cifar10-cnn/0123456789ab-01234567
    ganbench evaluate results/runs/sngan/cifar10-cnn/0123456789ab-01234567 --protocol is-5k --protocol fid-5k
    ganbench evaluate samples/ --data cifar10 --protocol fid-50k --weights inception.pth
    ganbench evaluate netG.pth --experiment dcgan/cifar10 --protocol fid-5k
    """
    from benchmark.cli.text import note
    from benchmark.evaluation import kinds, protocols
    from benchmark.evaluation.protocol import CRITIC
    from benchmark.records import environment

    asked_device = options.pop("device")
    asked = Asked(**options)
    chosen = [protocols.get(name).resolved() for name in dict.fromkeys(names or given.own_protocols(path))]
    of_critics = [p for p in chosen if p.extractor == CRITIC]
    of_images = [p for p in chosen if p.extractor != CRITIC]
    kinds.kind(path)  # says what cannot be scored
    dataset = given.dataset_of(path, asked) if of_images else ""
    given.check(of_images, dataset, of_critics, path, asked)
    device = environment.resolve_device(asked_device)
    about: dict[str, Any] = {"device": device}
    scores: dict[str, dict[str, float]] = {}
    used = {p.name: p for p in chosen}
    notes: list[str] = []

    from benchmark.training import numerics

    with numerics.applied():
        if of_images:
            images, by_name, scores = given.scored(of_images, path, dataset, device, asked, notes.append)
            used |= by_name
            about |= {"images": images, "dataset": dataset or getattr(asked.reference, "name", "")}
        if of_critics:
            about["critic"], found = _scores_of_critic(of_critics, path, device, asked)
            scores |= found
            if not of_images and (at := about["critic"].get("diverged_at")) is not None:
                notes.append(f"{path}: the run diverged at G-iteration {at}, so this is no result of it")
    results = [{"protocol": p.as_dict(), "scores": scores[p.name]} for p in used.values()]
    notes += _edges(results)
    for line in notes:
        note(f"ganbench: {line}")
    if json_:
        print_json({**about, "notes": notes, "results": results})
    else:
        _print(list(used.values()), scores)


def _print(chosen: list[Protocol], scores: dict[str, dict[str, float]]) -> None:
    from benchmark.cli.text import print_table, print_text

    rows = [
        (
            p.name,
            metric,
            f"{value:.6g}",
            (p.weights_digest or "")[:12],
            "yes" if p.comparable_with_papers else "never",
        )
        for p in chosen
        for metric, value in scores[p.name].items()
    ]
    print_table(("protocol", "score", "value", "weights", "beside papers"), rows, right=(2,))
    for p in chosen:
        print_text(f"{p.name}: {p.note}")


def _edges(results: list[dict[str, Any]]) -> list[str]:
    """Lines about σ that may not be the best."""
    from benchmark.evaluation.protocol import at_edge, sigmas

    lines = []
    for result in results:
        protocol = result["protocol"]
        for sigma in filter(lambda x: at_edge(protocol, x), sigmas(result["scores"])):
            first, last, _ = protocol["sigma_grid"]
            lines.append(
                f"{protocol['name']}: σ = {sigma:g} is at the edge of its grid, {first:g} to {last:g}; a "
                "better one may lie outside"
            )
    return lines


def _scores_of_critic(
    chosen: list[Protocol], path: Path, device: str, asked: Asked
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    import torch

    import baselines
    from benchmark.data.meter import Meter
    from benchmark.evaluation import critic_scores, generation

    experiment = baselines.get(given.experiment_name(path, asked))
    critic, described = generation.network(
        given.checkpoint_file(path), experiment, "critic", torch.device(device), asked.key
    )
    meters: list[Meter] = []

    def told(what: str) -> Meter:
        meters.append(Meter(what, "images" if what.startswith("features") else "done", 1))
        return meters[-1]

    try:
        return described, {p.name: critic_scores.scores(critic, experiment, p, told) for p in chosen}
    finally:
        for meter in meters:
            meter.end()
