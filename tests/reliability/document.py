"""Puts a measured table into docs/reliability.md, between two comments that name it."""

import re
from pathlib import Path

PATH = Path(__file__).parents[2] / "docs" / "reliability.md"


def table(headers, rows):
    """A Markdown table."""
    cells = [
        [str(cell).replace("|", "\\|") for cell in row] for row in (headers, ["---"] * len(headers), *rows)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def replace(name, text, path=PATH):
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    before, count = re.subn(
        rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)",
        lambda found: found[1] + text.strip() + found[2],
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{path}: no place for '{name}'")
    path.write_text(before, encoding="utf-8")
