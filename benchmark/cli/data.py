"""`ganbench data`: list, fetch and check data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import as_json, data_dir, offline
from benchmark.cli.streams import print_json
from benchmark.errors import NothingToJudge


@click.group("data")
def data() -> None:
    r"""List, fetch and check data sets.

    NAME is one that `ganbench data list` shows, or folder:PATH for a folder of images of one size, or
    folder:PATH@64 for one of any sizes, cut and resized to 64×64.

    \b
    ganbench data fetch mnist
    ganbench data fetch tfd --from ~/Downloads
    ganbench data check mnist
    """


@data.command("list")
@data_dir
@as_json
def list_(json_: bool) -> None:
    """List the data sets: what they are, whether they are ready, where."""
    from benchmark import data as data_sets

    listed = [_entry(name) for name in data_sets.names()]
    if json_:
        print_json(listed)
        return
    from benchmark.cli.text import print_table

    rows = [
        [
            entry["dataset"],
            entry["title"],
            "x".join(map(str, entry["shape"])),
            f"{entry['train']:,}".replace(",", " "),
            f"{entry['held-out']:,}".replace(",", " ") if entry["held-out"] else "",
            "yes" if entry["ready"] else "no",
            entry["path"] or ("drawn" if data_sets.is_drawn(entry["dataset"]) else "embedded"),
            entry["licence"],
        ]
        for entry in listed
    ]
    headers = ["dataset", "title", "shape", "train", "held-out", "ready", "path", "licence"]
    print_table(headers, rows, right=(3, 4))


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--mirror", metavar="URL", multiple=True, help="Try URL/FILE before the known mirrors; repeatable."
)
@click.option(
    "--from",
    "local",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder that has the files already.",
)
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@data_dir
@offline
@as_json
def fetch(
    names: tuple[str, ...], mirror: tuple[str, ...], local: Path | None, skip_broken: bool, json_: bool
) -> None:
    """Download what NAME needs, verify it and convert it, once.

    Sets that nobody may download say what to put where.
    """
    from benchmark.cli.text import note, print_text
    from benchmark.data.fetch import fetch as make_ready

    fetched = []
    for name in names:
        make_ready(name, mirror=mirror, local=local, skip_broken=skip_broken, note=note)
        fetched.append(_entry(name))
        if not json_:
            print_text(f"{name}: ready, {fetched[-1]['path'] or 'embedded'}")
    if json_:
        print_json(fetched)


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@data_dir
@as_json
def check(names: tuple[str, ...], json_: bool) -> int:
    """Hash every image of NAME again; exit code 4 when one is missing or damaged."""
    from benchmark import data as data_sets
    from benchmark.cli.text import note, print_text
    from benchmark.data.meter import Meter

    checked = []
    for name in names:
        meter = Meter(f"checking {name}")
        try:
            digest, problem = data_sets.check(name, meter), ""
        except NothingToJudge as error:
            digest, problem = "", str(error)
        finally:
            meter.end()
        checked.append({**_entry(name), "ok": not problem, "digest": digest, "message": problem})
        if problem:
            note(f"ganbench: {problem}")
        elif not json_:
            print_text(f"{name}: ok, SHA-256 {digest}")
    if json_:
        print_json(checked)
    return 0 if all(entry["ok"] for entry in checked) else NothingToJudge.exit_code


def _entry(name: str) -> dict[str, Any]:
    from benchmark import data as data_sets
    from benchmark.data import registry

    known = data_sets.info(name)
    return {
        "dataset": name,
        "title": known.title,
        "shape": list(known.shape),
        "train": known.n_train,
        "held-out": known.n_held_out,
        "ready": data_sets.is_ready(name),
        "path": str(data_sets.folder(name)) if registry.definition(name).reader else None,
        "digest": known.digest,
        "licence": known.licence,
        "source": known.source,
    }
