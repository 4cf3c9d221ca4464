"""Types of the values in what is read back from disk: patterns, ranges, greatest lengths."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MOST_METRICS = 100
"""Of a protocol, and protocols of a run: no suite has nearly as many."""
MOST_POINTS = 100_000
"""Evaluations in a curve; a run of 10⁶ G-iterations, scored every 10, has as many."""

# Patterns end in \Z: a `$` would let a line break after it pass.
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Mib = Annotated[float, Meta(ge=0, le=1e12)]
PerSecond = Annotated[float, Meta(ge=0, le=1e12)]
Value = Annotated[float, Meta(ge=-1e100, le=1e100)] | None
"""A number that was not finite is null. Squares of these can be summed without overflow; a loss is float32,
at most 3.4e38, and no score comes near."""
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
"""What may become part of a path."""
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}/[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
Text = Annotated[str, Meta(max_length=100_000)]
Utc = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z\Z")]
"""Texts of one zone and form: the later is the greater."""
Sample = Annotated[str, Meta(pattern=r"^samples/[0-9]{1,15}\.png\Z")]
Scores = dict[str, dict[str, Value]]
Row = Annotated[dict[str, Value], Meta(max_length=100)]
"""Losses by name; each is drawn."""
