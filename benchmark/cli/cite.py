"""`ganbench cite`: BibTeX of the papers behind a suite, and of ganbench."""

from __future__ import annotations

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json
from benchmark.cli.streams import echo, print_json

_OWN = """@software{{ganbench,
  author  = {{{{The ganbench authors}}}},
  title   = {{ganbench: a reproducibility benchmark for generative adversarial networks}},
  version = {{{version}}},
  year    = {{2026}}
}}
"""


@click.command()
@click.argument("suite", required=False, shell_complete=complete.suites)
@as_json
def cite(suite: str | None, json_: bool) -> None:
    """Print BibTeX for the papers of SUITE's experiments, or of all, and for ganbench."""
    import baselines
    from benchmark import __version__, suites
    from benchmark.suites import experiments

    names = suites.load(suite).experiments if suite else baselines.names()
    papers = {(paper := baselines.described(name)["paper"])["key"]: paper for name in names}
    bibtex = f"{experiments.bibtex(papers.values())}\n{_OWN.format(version=__version__)}"
    if json_:
        print_json({"keys": [*papers, "ganbench"], "bibtex": bibtex})
        return
    echo(bibtex.rstrip("\n"))
