"""How seeds are written: ``0-4``, ``0,2,7-9``, or a list of integers."""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import Any

from benchmark.errors import UserError, shown

MAX_SEED = 2**64 - 1
_MOST = 100_000


def parse_seeds(value: Any, where: str) -> tuple[int, ...]:
    """Seeds in the order given, each once.

    Raises:
        UserError: not of one of the forms above, a seed outside 0 … 2⁶⁴−1, a reversed range, a seed that
            comes twice, or more than 100 000 seeds.

    """
    if isinstance(value, str):
        ranges = (_part(part.strip(), value, where) for part in value.split(","))
        seeds = list(islice(chain.from_iterable(ranges), _MOST + 1))
    elif isinstance(value, list) and all(isinstance(s, int) and not isinstance(s, bool) for s in value):
        seeds = value
    else:
        raise _bad(f"{shown(value)} is neither text nor a list of integers", where)
    if not seeds:
        raise _bad("no seeds", where)
    if len(seeds) > _MOST:
        raise _bad(f"more than {_MOST} seeds", where)
    if any(not 0 <= seed <= MAX_SEED for seed in seeds):
        raise _bad("seeds lie between 0 and 2^64 - 1", where)
    if len(set(seeds)) != len(seeds):
        raise _bad(f"a seed comes twice in {shown(value)}", where)
    return tuple(seeds)


def _part(part: str, whole: str, where: str) -> range:
    found = re.fullmatch(r"([0-9]{1,20})(?:[-–]([0-9]{1,20}))?", part)
    if not found:
        raise _bad(f"cannot read the seeds {shown(whole)}", where)
    first = int(found[1])
    last = int(found[2]) if found[2] else first
    if last < first:
        raise _bad(f"the range '{part}' runs backwards", where)
    if last - first >= _MOST:
        raise _bad(f"the range '{part}' has more than {_MOST} seeds", where)
    return range(first, last + 1)


def _bad(what: str, where: str) -> UserError:
    return UserError(what, where=where, do="Write seeds like 0-4 or 0,2,7-9")
