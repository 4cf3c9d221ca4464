"""BibTeX of a report's tables: which records, made by which code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark import __version__, escape
from benchmark.records import identity
from benchmark.records.cells import Cell
from benchmark.records.quantities import plural

TITLE = "ganbench: a reproducibility benchmark for generative adversarial networks"
AUTHOR = "The ganbench authors"
YEAR = 2026


@dataclass(frozen=True)
class Origin:
    """What identifies the numbers of a report.

    Attributes:
        suite: its name.
        n: how many records.
        digest: SHA-256 over their sorted `record_sha256`: equal means the same records.
        revisions: the commits that made them, those with uncommitted changes marked.

    """

    suite: str
    n: int
    digest: str
    revisions: tuple[str, ...]

    def text(self) -> str:
        """In one line, as the footnote of a table."""
        code = f", code {', '.join(r[:12] for r in self.revisions)}" if self.revisions else ""
        return (
            f"Suite {self.suite}, {plural(self.n, 'record')} (SHA-256 {self.digest[:12]}), "
            f"ganbench {__version__}{code}."
        )

    def bibtex(self) -> str:
        """`@misc` for ganbench and these numbers."""
        revisions = " and ".join(escape.bibtex(_in_groups(text)) for text in self.revisions)
        code = f", code revision {revisions}" if revisions else ""
        records = f"{plural(self.n, 'record')} with SHA-256 {_in_groups(self.digest)}"
        note = f"Version {__version__}{code}; {records}"
        fields = {
            "author": f"{{{AUTHOR}}}",
            "title": f"{{{TITLE}. Suite {escape.bibtex(self.suite)}}}",
            "year": str(YEAR),
            "note": note,
        }
        lines = ",\n".join(f"  {key:<6} = {{{value}}}" for key, value in fields.items())
        return f"@misc{{ganbench-{self.digest[:12]},\n{lines}\n}}"


def _in_groups(text: str) -> str:
    """Digests in groups of eight, between which a line can end."""
    return re.sub(r"[0-9a-f]{8}(?=[0-9a-f])", r"\g<0> ", text)


def origin(suite: str, cells: Sequence[Cell]) -> Origin:
    """Of the records in these cells."""
    records = [r for cell in cells for r in cell.records]
    digests = sorted(str(r.get("record_sha256") or [r["run_id"], r["env_id"]]) for r in records)
    revisions = sorted({text for r in records if (text := revision(r))})
    return Origin(suite, len(records), identity.digest(digests), tuple(revisions))


def revision(record: dict[str, Any], digits: int | None = None) -> str:
    """The commit that made a record, in so many digits; empty where it is not known."""
    git = record["provenance"].get("git") or {}
    sha = git.get("sha", "")[:digits]
    return f"{sha} with uncommitted changes" if sha and git.get("dirty") else sha
