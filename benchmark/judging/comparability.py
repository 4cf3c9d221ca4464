"""Whether runs may be compared with a printed number at all, and if not, every reason in words.

That takes the same experiment, official data, the paper's budget (where it prints none, the suite's, which is
a caveat), the same protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmark.evaluation.protocol import CRITIC, NEAREST, WINDOW, at_edge, sigmas
from benchmark.records import identity
from benchmark.records.cells import score
from benchmark.records.quantities import count, named_seeds
from benchmark.training.policies import MIXED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from baselines.claims import Claim
    from benchmark.data import DatasetInfo

    Record = Mapping[str, Any]

METRICS = {"inception_score": "is"}
"""Metrics of claims that records call by another name."""
_EXTRACTORS = {
    "inception-2015": "Inception",
    WINDOW: "none",
    NEAREST: "none: 1-nearest-neighbour",
    CRITIC: "critic",
}
"""Extractors of ours, and how the same one's description begins in claims."""
_SPLITS = {"test": "held-out"}
"""What claims call a split that protocols call otherwise."""


@dataclass(frozen=True)
class Side:
    """The runs of one experiment, what forbids to compare them with the claim, and their results."""

    name: str
    records: Sequence[Record]
    protocol: Mapping[str, Any]
    reasons: tuple[str, ...]
    caveats: tuple[str, ...]
    values: tuple[float, ...]
    lost: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Of the results there are."""
        return fmean(self.values)


def side(claim: Claim, records: Sequence[Record], official: Mapping[str, DatasetInfo], name: str) -> Side:
    """The runs of the experiment `name` as one side of a comparison with the claim.

    Raises:
        ValueError: records of several cells, or two of one seed.

    """
    if len({record["cell_id"] for record in records}) > 1:
        raise ValueError(f"{name}: records of several cells")
    if len({record["seed"] for record in records}) < len(records):
        raise ValueError(f"{name}: two records of one seed")
    if not name or not records:
        about = f" ({claim.network})" if claim.network else ""
        none = () if name else (f"the claim is about no experiment of ours{about}",)
        return Side(name, (), {}, none, (), (), ())
    first = records[0]
    protocol, differs, unstated = _closest_protocol(claim, first, official)
    reasons = _other_run(claim, first, official, name)
    unstated = (*_not_the_papers_budget(first, name), *unstated)
    metric = METRICS.get(claim.metric, claim.metric)
    scores = {r["seed"]: score(r["final"], protocol.get("name", ""), metric) for r in records}
    lost = [r["seed"] for r in records if r["final"] is None or (protocol and scores[r["seed"]] is None)]
    caveats = [f"{name}: no result of {named_seeds(lost)}, not part of the mean"] if lost else []
    if len({record["env_id"] for record in records}) > 1:
        caveats.append(f"{name}: the seeds were run in different environments")
    caveats += _sigmas_at_the_edge(records, protocol, name)
    values = tuple(x for _, x in sorted(scores.items()) if x is not None)
    return Side(
        name, records, protocol, (*reasons, *differs), (*caveats, *unstated), values, tuple(sorted(lost))
    )


def _sigmas_at_the_edge(records: Sequence[Record], protocol: Mapping[str, Any], name: str) -> Iterator[str]:
    """A Parzen window's σ that is the first or last candidate: the score is lower than it need be."""
    if "sigma_grid" not in protocol:
        return
    edge = [
        record["seed"]
        for record in records
        if record["final"]
        and any(at_edge(protocol, x) for x in sigmas(record["final"]["scores"].get(protocol["name"], {})))
    ]
    if edge:
        yield f"{name}: σ is at the edge of its grid for {named_seeds(edge)}; the best one may lie outside"


def _other_run(claim: Claim, record: Record, official: Mapping[str, DatasetInfo], name: str) -> Iterator[str]:
    """Another experiment, other data, another budget or precision."""
    if record["experiment"] != name:
        yield f"these are runs of {record['experiment']}, the claim is about {name}"
    yield from _other_data(claim, record, official)
    theirs, ours = record["spec"]["experiment"]["budget"]["gen_iters"], record["gen_iters"]
    if theirs is not None and ours != theirs:
        short = "the budget was not reached: " if ours < theirs else ""
        yield f"{short}{count(ours)} G-iterations, the paper {count(theirs)}"
    # Of mixed precision no paper here knows; `portable` computes what float32 is meant to.
    if identity.profile(record["spec"].get("numerics") or {}) == MIXED:
        yield f"trained in {MIXED} numerics, not in float32"


def _other_data(claim: Claim, record: Record, official: Mapping[str, DatasetInfo]) -> Iterator[str]:
    """Name and content: one name may stand for images that were compressed, resized or left out."""
    ours = record["spec"]["dataset"]
    if ours["name"] != claim.dataset:
        yield f"the data are {ours['name']}, the paper's {claim.dataset or 'unstated'}"
        return
    known = official[ours["name"]].digest if ours["name"] in official else ""
    if not known and not ours.get("official"):
        yield f"our {ours['name']} was not made from files with the digests that its authors publish"
    elif known and ours["digest"] != known:
        yield f"not the official {ours['name']}: SHA-256 {ours['digest'][:12]}… for {known[:12]}…"


def _not_the_papers_budget(record: Record, name: str) -> Iterator[str]:
    """The length is the suite's where the paper prints none, or one that was found elsewhere than in it."""
    budget, ours = record["spec"]["experiment"]["budget"], f"{count(record['gen_iters'])} G-iterations"
    if budget["gen_iters"] is None:
        yield f"{name}: the paper prints no budget; {ours} are the suite's, and others may end otherwise"
    elif not budget["source"].startswith("paper "):
        sure = "" if budget["confidence"] == "high" else f" ({budget['confidence']} confidence)"
        yield f"{name}: the length, {ours}, is from: {budget['source']}{sure}"


def _closest_protocol(
    claim: Claim, record: Record, official: Mapping[str, DatasetInfo]
) -> tuple[Mapping[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Our protocol that differs least from the claim's, how it differs, and what the paper leaves open."""
    metric = METRICS.get(claim.metric, claim.metric)
    info = official.get(record["spec"]["dataset"]["name"])
    found = [
        (protocol, tuple(_other_protocol(claim, protocol, info)), tuple(_left_open(claim, protocol)))
        for protocol in record["spec"]["protocols"]
        if metric in protocol["metrics"]
    ]
    if not found:
        return {}, (f"the runs were not scored by {claim.metric}",), ()
    return min(found, key=lambda one: len(one[1]))


def _other_protocol(claim: Claim, ours: Mapping[str, Any], info: DatasetInfo | None) -> Iterator[str]:
    """Every field that moves the score, and every such field that the paper does not state."""
    theirs = claim.protocol
    if not ours["comparable_with_papers"]:
        yield f"protocol {ours['name']} is comparable with no paper"
    if theirs.extractor == "unstated":
        yield "the paper does not say what the score was computed with"
    elif not theirs.extractor.startswith(_EXTRACTORS.get(ours["extractor"], "\0")):
        yield f"scored with {ours['extractor']}, the paper with: {theirs.extractor}"
    elif ours.get("weights_digest") == "":
        yield f"which weights {ours['extractor']} had is not recorded"
    per_score = ours["n_generated"] // (ours.get("is_sets") or 1)
    yield from _other_count("generated images", per_score, theirs.n_generated)
    reference = theirs.n_reference
    if reference == "all":
        in_split = {"train": "n_train", "held-out": "n_held_out"}.get(str(_split(claim)), "")
        reference = getattr(info, in_split, "unstated")
    if ours["n_reference"] or reference != "unstated":
        yield from _other_count("reference images", ours["n_reference"], reference)
    if _split(claim) not in ("unstated", ours["reference_split"]):
        yield f"reference images of {ours['reference_split']}, the paper's of {theirs.reference_split}"
    if "is" in ours["metrics"] and theirs.splits != "unstated":
        yield from _other_count("splits", ours["isc_splits"], 1 if theirs.splits == "none" else theirs.splits)


def _other_count(what: str, ours: int, theirs: Any) -> Iterator[str]:
    if theirs == "unstated":
        yield f"the paper does not print the number of {what}"
    elif ours != (0 if theirs == "none" else theirs):
        said = theirs if isinstance(theirs, str) else count(theirs)
        yield f"{count(ours)} {what}, the paper {said}"


def _left_open(claim: Claim, ours: Mapping[str, Any]) -> Iterator[str]:
    """What the paper does not print, and is taken to be as here."""
    if ours["n_reference"] and _split(claim) == "unstated":
        yield f"the paper does not say of which split its real images are; ours are {ours['reference_split']}"
    if "is" in ours["metrics"] and claim.protocol.splits == "unstated":
        yield f"the paper does not print the number of splits; ours is {ours['isc_splits']}"


def fields(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a protocol: not the words about it."""
    return {key: value for key, value in protocol.items() if key not in ("title", "note")}


def _split(claim: Claim) -> str:
    return _SPLITS.get(claim.protocol.reference_split, claim.protocol.reference_split)
