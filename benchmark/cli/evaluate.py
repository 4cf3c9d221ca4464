"""`ganbench evaluate`: scores of a generator or of images, by a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import as_json, print_json, weights
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from benchmark.evaluation.generation import Source


@click.command()
@click.argument("path", metavar="RUN|CHECKPOINT|FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--protocol", "names", multiple=True, required=True, metavar="NAME", help="How to score; repeatable."
)
@weights
@click.option("--experiment", metavar="NAME", help="What a checkpoint outside a run directory is of.")
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
    r"""Score a run's last checkpoint, a checkpoint file, a TorchScript generator, or a folder of images.

    All protocols share one generation and one feature pass. A TorchScript file (.pt) is a program: it is
    executed with your rights, so it needs --trust-torchscript. Everything else is only read.

    \b
    ganbench evaluate results/runs/sngan/cifar10-cnn/0123456789ab-01234567 --protocol is-5k --protocol fid-5k
    ganbench evaluate samples/ --data cifar10 --protocol fid-50k --weights inception.pth
    """
    from benchmark import environment
    from benchmark.evaluation import protocols
    from benchmark.evaluation.evaluator import Evaluator
    from benchmark.evaluation.fidelity import NonFiniteScore
    from benchmark.evaluation.quantise import NonFiniteImages

    chosen = [protocols.get(name).resolved() for name in dict.fromkeys(names)]
    device = environment.resolve_device(options["device"])
    source, dataset = _source(path, device, options)
    evaluator = Evaluator(chosen, dataset, device, _frame(source, dataset))
    try:
        scores = evaluator.scores_of(source.batches(evaluator.n_generated))
    except (NonFiniteImages, NonFiniteScore) as error:
        raise UserError(f"nothing to score: {error}", where=str(path)) from error
    except ValueError as error:
        raise UserError(str(error), where=str(path)) from error
    results = [{"protocol": p.as_dict(), "scores": scores[p.name]} for p in chosen]
    about = {"images": source.described, "dataset": dataset, "device": device}
    if json_:
        print_json({**about, "results": results})
        return
    from benchmark.cli.text import print_table, print_text

    rows = [
        (
            p.name,
            metric,
            f"{value:.6g}",
            p.weights_digest[:12],
            "yes" if p.comparable_with_papers else "never",
        )
        for p in chosen
        for metric, value in scores[p.name].items()
    ]
    print_table(("protocol", "score", "value", "weights", "beside papers"), rows, right=(2,))
    for p in chosen:
        print_text(f"{p.name}: {p.note}")


def _source(path: Path, device: str, options: dict[str, Any]) -> tuple[Source, str]:
    """The images at PATH and the data set they are compared with."""
    import torch

    from benchmark import store
    from benchmark.evaluation import generation

    on = torch.device(device)
    if not path.exists():
        raise NothingToJudge("there is no such file or folder", where=str(path))
    if path.is_dir() and not (path / "spec.json").exists():
        return generation.of_folder(path), _named(options["dataset"], path)
    if path.suffix in (".pt", ".pth") and not path.is_dir():
        if not options["trust_torchscript"]:
            raise UserError(
                "a TorchScript file is a program and would be executed",
                where=str(path),
                do="Add --trust-torchscript if you trust it",
            )
        dataset = _named(options["dataset"], path)
        seed = options["seed"] or 0
        source = generation.of_torchscript(
            path, options["prior"], options["latent"], options["value_range"], seed, on
        )
        return source, dataset
    file = _last_checkpoint(path) if path.is_dir() else path
    return _of_checkpoint(file, store.read_spec(file.parent.parent), on, options)


def _of_checkpoint(
    file: Path, spec: dict[str, Any] | None, device: Any, options: dict[str, Any]
) -> tuple[Source, str]:
    import baselines
    from benchmark import data, experiments
    from benchmark.data.framing import frame
    from benchmark.evaluation import generation

    name = options["experiment"] or (spec["experiment"]["name"] if spec else "")
    if not name:
        raise UserError(
            "no spec.json says what it is a checkpoint of", where=str(file), do="Add --experiment NAME"
        )
    trained_on = str(experiments.describe(name, where="--experiment")["dataset"])
    experiment = baselines.get(name)
    seed = options["seed"] if options["seed"] is not None else spec["seed"] if spec else 0
    real = frame(data.load(trained_on, "train"), experiment.image_shape[1])
    return generation.of_checkpoint(file, experiment, real, seed, device), options["dataset"] or trained_on


def _last_checkpoint(run: Path) -> Path:
    from benchmark.training import checkpoint

    files = checkpoint.available(run / "checkpoints")
    if not files:
        raise NothingToJudge("the run has no checkpoint", where=str(run))
    return files[0]


def _frame(source: Source, dataset: str) -> int | None:
    """The size to frame real images to, where the generator's are larger than the data set's."""
    from benchmark import data

    height_and_width = data.info(dataset).shape[1:]
    size = source.image_size
    return size if size is not None and size > max(height_and_width) else None


def _named(dataset: str | None, path: Path) -> str:
    if dataset is None:
        raise UserError("what are the images to be compared with?", where=str(path), do="Add --data NAME")
    return dataset
