"""`ganbench evaluate`: scores of a generator or of images, by a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import as_json, data_dir, print_json, weights
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from benchmark.evaluation.generation import Source
    from benchmark.evaluation.protocol import Protocol


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--protocol", "names", multiple=True, required=True, metavar="NAME", help="How to score; repeatable."
)
@weights
@data_dir
@click.option("--experiment", metavar="NAME", help="What a checkpoint, or bare weights, are of.")
@click.option("--data", "dataset", metavar="NAME", help="What to compare with; the run's unless given.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the latents; the run's, else 0.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--trust-torchscript", is_flag=True, help="Execute the code in a TorchScript FILE.")
@click.option("--latent", default=128, show_default=True, type=click.IntRange(min=1), help="For TorchScript.")
@click.option(
    "--prior",
    default="normal",
    show_default=True,
    type=click.Choice(["normal", "uniform"]),
    help="Of the latents, for TorchScript: N(0, 1) or U(-1, 1).",
)
@click.option(
    "--range",
    "value_range",
    nargs=2,
    default=(-1.0, 1.0),
    show_default=True,
    help="Outputs that are black and white, for TorchScript.",
)
@as_json
def evaluate(path: Path, names: tuple[str, ...], json_: bool, **options: Any) -> None:
    r"""Score a run's last checkpoint, a checkpoint file, somebody's generator, or a folder of images.

    All protocols share one generation pass and one feature pass. Parzen windows (parzen-…) take the images
    before they are quantised; SVMs (svm-…) take the features of a checkpoint's critic. A TorchScript file
    (.pt) is a program: it is executed with your rights, so it needs --trust-torchscript. Everything else is
    only read.

    \b
    ganbench evaluate results/runs/sngan/cifar10-cnn/0123456789ab-01234567 --protocol is-5k --protocol fid-5k
    ganbench evaluate samples/ --data cifar10 --protocol fid-50k --weights inception.pth
    """
    from benchmark.evaluation import protocols
    from benchmark.evaluation.protocol import CRITIC
    from benchmark.records import environment

    chosen = [protocols.get(name).resolved() for name in dict.fromkeys(names)]
    device = environment.resolve_device(options["device"])
    of_critics = [p for p in chosen if p.extractor == CRITIC]
    of_images = [p for p in chosen if p.extractor != CRITIC]
    if not path.exists():
        raise NothingToJudge("there is no such file or folder", where=str(path))
    about: dict[str, Any] = {"device": device}
    scores: dict[str, dict[str, float]] = {}
    dataset = _dataset(path, options) if of_images else ""
    _check(of_images, dataset, of_critics, path, options)
    if of_images:
        source = _source(path, device, options)
        about |= {"images": source.described, "dataset": dataset}
        scores |= _scores_of_images(of_images, source, dataset, device, path)
    if of_critics:
        about["critic"], found = _scores_of_critic(of_critics, path, device, options)
        scores |= found
    results = [{"protocol": p.as_dict(), "scores": scores[p.name]} for p in chosen]
    _warn_of_edges(results)
    if json_:
        print_json({**about, "results": results})
    else:
        _print(chosen, scores)


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


def _warn_of_edges(results: list[dict[str, Any]]) -> None:
    from benchmark.cli.text import note
    from benchmark.evaluation.protocol import at_edge, sigmas

    for result in results:
        protocol = result["protocol"]
        for sigma in filter(lambda x: at_edge(protocol, x), sigmas(result["scores"])):
            first, last, _ = protocol["sigma_grid"]
            note(
                f"ganbench: {protocol['name']}: σ = {sigma:g} is at the edge of its grid, {first:g} to "
                f"{last:g}; a better one may lie outside"
            )


def _scores_of_images(
    chosen: list[Protocol], source: Source, dataset: str, device: str, path: Path
) -> dict[str, dict[str, float]]:
    from benchmark.evaluation.evaluator import Evaluator
    from benchmark.evaluation.fidelity import NonFiniteScore
    from benchmark.training.quantise import NonFiniteImages

    evaluator = Evaluator(chosen, dataset, device, _frame(source, dataset))
    try:
        return evaluator.scores_of(source.batches(evaluator.n_generated))
    except (NonFiniteImages, NonFiniteScore) as error:
        raise UserError(f"nothing to score: {error}", where=str(path)) from error
    except ValueError as error:
        raise UserError(str(error), where=str(path)) from error


def _scores_of_critic(
    chosen: list[Protocol], path: Path, device: str, options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    import torch

    import baselines
    from benchmark.data.meter import Meter
    from benchmark.evaluation import critic_scores, generation

    experiment = baselines.get(_experiment_name(path, options))
    critic, described = generation.network(_checkpoint(path), experiment, "critic", torch.device(device))
    meters: list[Meter] = []

    def told(what: str) -> Meter:
        meters.append(Meter(what, "images" if what.startswith("features") else "done", 1))
        return meters[-1]

    try:
        return described, {p.name: critic_scores.scores(critic, experiment, p, told) for p in chosen}
    finally:
        for meter in meters:
            meter.end()


def _dataset(path: Path, options: dict[str, Any]) -> str:
    """The data set that the images at PATH are compared with."""
    if _is_checkpoint(path):
        import baselines

        spec, name = _spec(path), _experiment_name(path, options)
        trained_on = (spec or {}).get("dataset", {}).get("name") or baselines.described(name)["dataset"]
        return str(options["dataset"] or trained_on)
    if not path.is_dir() and not options["trust_torchscript"]:
        raise UserError(
            "a TorchScript file is a program and would be executed",
            where=str(path),
            do="Add --trust-torchscript if you trust it",
        )
    if options["dataset"] is None:
        raise UserError("what are the images to be compared with?", where=str(path), do="Add --data NAME")
    return str(options["dataset"])


def _check(
    of_images: list[Protocol], dataset: str, of_critics: list[Protocol], path: Path, options: dict[str, Any]
) -> None:
    """Refuse what cannot be scored, before torch is imported for it."""
    from benchmark import data
    from benchmark.evaluation import fit
    from benchmark.evaluation.protocol import WINDOW

    if of_images:
        fit.check_known(data.info(dataset))
    for protocol in of_images:
        if protocol.extractor == WINDOW:
            protocol.check_data(data.info(dataset), data.info(dataset).shape)
        else:
            fit.check(protocol, data.info(dataset), fit.CHANNELS[protocol.extractor])
    if of_critics and not _is_checkpoint(path):
        names = ", ".join(p.name for p in of_critics)
        raise UserError(f"there is no critic for {names}", where=str(path), do="Name a run or a checkpoint")
    if of_critics:
        _experiment_name(path, options)


def _source(path: Path, device: str, options: dict[str, Any]) -> Source:
    """The images at PATH."""
    import torch

    import baselines
    from benchmark.evaluation import generation

    on = torch.device(device)
    if _is_checkpoint(path):
        spec, experiment = _spec(path), baselines.get(_experiment_name(path, options))
        seed = options["seed"] if options["seed"] is not None else spec["seed"] if spec else 0
        return generation.of_checkpoint(_checkpoint(path), experiment, seed, on)
    if path.is_dir():
        return generation.of_folder(path)
    seed = options["seed"] or 0
    return generation.of_torchscript(
        path, options["prior"], options["latent"], options["value_range"], seed, on
    )


def _is_checkpoint(path: Path) -> bool:
    """A run directory, or any file that is no TorchScript."""
    return (path / "spec.json").exists() if path.is_dir() else path.suffix not in (".pt", ".pth")


def _spec(path: Path) -> dict[str, Any] | None:
    """The spec of a run, or of the run that a checkpoint file lies in, if it does."""
    from benchmark.records import store

    return store.read_spec(path if path.is_dir() else path.parent.parent)


def _checkpoint(path: Path) -> Path:
    """The last checkpoint file of a run, or the file itself."""
    from benchmark.training import checkpoint

    if not path.is_dir():
        return path
    files = checkpoint.available(path / "checkpoints")
    if not files:
        raise NothingToJudge("the run has no checkpoint", where=str(path))
    return files[0]


def _experiment_name(path: Path, options: dict[str, Any]) -> str:
    """What a checkpoint is of; raises `UserError` where nothing says it, and for an unknown name."""
    from benchmark.suites import experiments

    spec = _spec(path)
    name = options["experiment"] or (spec["experiment"]["name"] if spec else "")
    if not name:
        raise UserError(
            "no spec.json says what it is a checkpoint of", where=str(path), do="Add --experiment NAME"
        )
    experiments.describe(name, where="--experiment")
    return str(name)


def _frame(source: Source, dataset: str) -> int | None:
    """The size to frame real images to, where the generator's are larger than the data set's."""
    from benchmark import data

    height_and_width = data.info(dataset).shape[1:]
    size = source.image_size
    return size if size is not None and size > max(height_and_width) else None
