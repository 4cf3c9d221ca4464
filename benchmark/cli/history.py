"""`ganbench report --history`: what references accepted over time, on the terminal and as pages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from benchmark.cli.streams import echo, print_json
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark.judging.history import Story

    Found = tuple[Sequence[Story], Sequence[str]]


def read(references: Sequence[Path]) -> Found:
    """Stories and remarks; raises as `judging.history.read` does."""
    from benchmark.judging import history

    return history.read(references)


def write(found: Found, folder: Path, as_json: bool) -> None:
    """history.html and history.md in the folder, and the table on the terminal; or all as JSON.

    Raises:
        UserError: a file cannot be written.

    """
    stories, notes = found
    if as_json:
        print_json({"stories": [_plain(story) for story in stories], "notes": notes})
        return
    from benchmark.cli.text import note, print_table
    from benchmark.report import html, markdown
    from benchmark.report.history import history

    drawn = history(stories, notes)
    t = drawn.table
    print_table([column.header for column in t.columns], [row.cells for row in t.rows], title=t.caption)
    for text in notes:
        note(text)
    title = "GAN benchmark: what was accepted"
    files = {
        "history.html": html.page("history.html.j2", title=title, h=drawn),
        "history.md": f"# {title}\n\n{markdown.table(t)}\n",
    }
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UserError(f"cannot be written ({error.strerror})", where=str(path)) from error
        echo(path)


def _plain(story: Story) -> dict[str, Any]:
    """JSON types: `values` by protocol and metric."""
    entries = []
    for entry in story.entries:
        scores: dict[str, dict[str, Any]] = {}
        for (protocol, metric), values in entry.values.items():
            scores.setdefault(protocol, {})[metric] = values
        entries.append({**dataclasses.asdict(dataclasses.replace(entry, values={})), "values": scores})
    return {"suite": story.suite, "experiment": story.experiment, "entries": entries}
