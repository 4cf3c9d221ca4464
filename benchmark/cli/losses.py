"""`ganbench losses`: whether a run's loss tells how good its samples are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import options
from benchmark.cli.options import as_json, check_new_file
from benchmark.cli.streams import echo, print_json
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmark.evaluation.loss_curves import Line

_SCORES = ("fid", "is", "kid", "parzen_ll")
_WIDTH = 101
"""`loss_curves.FILTER_WIDTH`, which would be imported with NumPy for every command."""


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--filter",
    "width",
    default=_WIDTH,
    show_default=True,
    type=click.IntRange(min=1, max=10_001),
    metavar="N",
    help="G-iterations under the median filter; odd, 1 for none.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw losses above scores: a .svg or .png. Or write every G-iteration to a .csv.",
)
@options.force
@as_json
def losses(runs: tuple[Path, ...], width: int, out: Path | None, force: bool, json_: bool) -> None:
    r"""Show the critic's loss at every G-iteration of finished runs, and its rank correlation with scores.

    WGAN (2017) claims that minus its critic's loss, the Wasserstein estimate, falls as samples get better
    (Figure 3): Spearman's correlation with FID near +1. And that the lower bound of the Jensen-Shannon
    divergence, which a cross-entropy loss gives, does not (Figure 4). Losses are compared at the evaluation
    points, under the paper's median filter. RUN is a run's folder or one that holds several.

    \b
    ganbench losses results/runs/wgan/digits
    ganbench losses results/runs/wgan results/runs/gan --out figure.svg
    """
    if width % 2 == 0:
        raise UserError(f"the width must be odd, not {width}", where="--filter", do=f"Try {width + 1}")
    check_new_file(out, (".svg", ".png", ".csv"), force)
    read = [*{found["said"]["run"]: found for path in runs for found in _read(path, width)}.values()]
    if out is not None:
        try:
            _write(read, out)
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", where=f"--out {out}") from error
    if json_:
        print_json([found["said"] for found in read])
        return
    _print([found["said"] for found in read])
    if out is not None:
        echo(out)


def _read(path: Path, width: int) -> Iterator[dict[str, Any]]:
    """The finished runs at a path: what is printed, and the lines."""
    from baselines.critic_losses import critic_loss
    from benchmark.cli.text import note
    from benchmark.evaluation import loss_curves
    from benchmark.records import loss_file, store

    found, damages = store.records_below(path)
    for damage in damages:
        note(damage)
    records = [(run.directory, run.record) for run in found]
    if not records:
        raise NothingToJudge(
            "no finished run", where=str(path), do="Give a run's folder with its record.json"
        )
    for folder, record in sorted(records, key=lambda pair: (pair[1]["experiment"], pair[1]["seed"])):
        kind = critic_loss(record["spec"]["experiment"])
        try:
            columns = loss_file.read(folder, record)
            if not columns:
                raise NothingToJudge("the run has no G-iteration, so no loss", where=str(folder))
            every = loss_curves.line(columns, kind)
        except loss_file.UnusableLosses as error:
            do = "Remove its record.json and run the suite again: the last checkpoint has what makes both"
            raise UserError(str(error), where=str(folder), do=do) from error
        except KeyError:
            raise UserError("has no loss called 'critic'", where=str(folder)) from None
        if not len(every.values):
            raise NothingToJudge("no G-iteration with a finite loss", where=str(folder))
        filtered = loss_curves.filtered(every, width)
        scores = dict(_scores(record))
        said = {
            "run": str(folder),
            "experiment": record["experiment"],
            "seed": record["seed"],
            "status": record["status"],
            "curve": loss_curves.quantity(kind),
            "critic_loss": kind.kind if kind else None,
            "filter_gen_iters": width,
            "gen_iters": len(columns["critic"]),
            "start": float(filtered.values[0]),
            "end": float(filtered.values[-1]),
            "rank_correlations": {
                title: dict(zip(("rho", "n"), loss_curves.agreement(filtered, line), strict=True))
                for title, line in scores.items()
            },
        }
        yield {"said": said, "every": every, "filtered": filtered, "scores": scores, "columns": columns}


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[str, Line]]:
    from benchmark.evaluation import loss_curves

    for protocol in record["spec"]["protocols"]:
        for metric in protocol["metrics"]:
            if metric in _SCORES:
                title = f"{metric.upper().replace('_', ' ')} ({protocol['name']})"
                yield title, loss_curves.score(record["curve"], protocol["name"], metric)


def _print(said: list[dict[str, Any]]) -> None:
    from benchmark.cli.text import print_table, print_text

    rows = [
        (
            f"{one['experiment']} seed {one['seed']}",
            one["curve"],
            f"{one['start']:.4g}",
            f"{one['end']:.4g}",
            title,
            "not defined" if agreed["rho"] is None else f"{agreed['rho']:+.2f}",
            str(agreed["n"]),
        )
        for one in said
        for title, agreed in (one["rank_correlations"] or {"none": {"rho": None, "n": 0}}).items()
    ]
    headers = ("run", "curve", "at the start", "at the end", "score", "rank correlation", "evaluations")
    print_table(headers, rows, right=(2, 3, 5, 6))
    for one in said:
        if one["status"] != "done":
            print_text(
                f"{one['experiment']} seed {one['seed']} diverged after {one['gen_iters']} G-iterations."
            )
    if any(one["curve"] == "critic loss" for one in said):
        print_text("A hinge or unknown loss estimates neither distance: it is shown as it is.")


def _write(read: list[dict[str, Any]], out: Path) -> None:
    if out.suffix.lower() == ".csv":
        import pandas as pd

        from benchmark.report.tidy import cell

        frames = [
            # The file's order of columns is chance.
            pd.DataFrame({cell(name): c for name, c in sorted(found["columns"].items())}).assign(
                experiment=cell(found["said"]["experiment"]),
                seed=found["said"]["seed"],
                gen_iters=range(1, found["said"]["gen_iters"] + 1),
            )
            for found in read
        ]
        pd.concat(frames).set_index(["experiment", "seed", "gen_iters"]).to_csv(out)
        return
    from benchmark.pictures.losses import Drawn, draw

    draw(
        [
            Drawn(
                found["said"]["experiment"],
                found["said"]["curve"],
                found["every"],
                found["filtered"],
                found["scores"],
            )
            for found in read
        ],
        out,
    )
