"""Where a claim stands, what its ± is over, and what papers say that is no number."""

import re
from collections.abc import Sequence

from baselines import claims
from baselines.claims import Claim
from benchmark.judging.comparability import METRICS
from benchmark.records.quantities import metric_with_unit
from benchmark.report.table import Row, Table, words

_KINDS = {
    "prints_none": "prints none",
    "observation": "seen",
    "conflict": "numbers disagree",
    "misquotation": "misquoted",
}
_OVER = {"none": "", "eval_repeats": "evaluations", "test_examples": "test images", "unknown": "not known"}


def spread_over(claim: Claim) -> str:
    """What the ± of a claim is over, briefly: `10 splits`, `seeds`."""
    if claim.spread is None:
        return _OVER["none"]
    what = _OVER.get(claim.spread_kind, claim.spread_kind)
    return f"{claim.spread_n} {what}" if claim.spread_n is not None else what


def printed(claim: Claim, *, unit: bool = False) -> str:
    """Value and ± with the digits of the paper; what is unconfirmed says so."""
    number = f"{claim.printed} {claim.unit}".rstrip() if unit else claim.printed
    return number if claim.grade != "low" else f"{number} (unconfirmed)"


def metric_of(claim: Claim) -> str:
    """The metric of a claim with arrow and unit, by our name of it."""
    return metric_with_unit(METRICS.get(claim.metric, claim.metric))


def source(claim: Claim) -> str:
    """Paper, table, row, and who measured it if others did."""
    row = f", row “{claim.row}”" if claim.row else ""
    by = "" if claim.stated_by in ("", claim.paper) else f", as measured by {_citation(claim.stated_by)}"
    return f"Source: {_citation(claim.paper)}, {claim.table}{row}{by}."


def _citation(key: str) -> str:
    return claims.papers().get(key, key)


def short(key: str) -> str:
    """`miyato2018sngan` → `Miyato 2018`."""
    found = re.match(r"([a-z]+)(\d{4})", key)
    return f"{found[1].capitalize()} {found[2]}" if found else key


def statement_table(said: Sequence[Claim]) -> Table:
    """One row per statement."""
    rows = tuple(
        Row.of(
            _KINDS[c.kind],
            f"{c.statement} {c.judged_by}".rstrip(),
            ", ".join(x for x in (short(c.paper), c.table) if x),
        )
        for c in said
    )
    return Table("What is no number to compare with.", words("What", "Statement", "Paper"), rows)
