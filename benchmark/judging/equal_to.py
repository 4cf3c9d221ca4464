"""Whether this code computes what another commit's does: both probes, in this environment, bit for bit.

The other commit is checked out beside this one for the time it takes, and probed by its own prober with the
plans of this one.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.engines.probing import pool
from benchmark.errors import UserError
from benchmark.judging import probes
from benchmark.records import environment, equivalence, identity
from benchmark.suites import experiments
from benchmark.training.numerics import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Result = Mapping[str, Any]
    ByProfile = Mapping[str, Mapping[str, str]]

_ROOT = Path(__file__).parents[2]
SCORES = probes.SCORES
"""The probe of the metrics, which are part of every experiment's sources."""

Outcome = Literal["same sources", "equal", "different", "unseen", "failed", "new"]
WORDS: Mapping[Outcome, str] = {
    "same sources": "the sources are the same; nothing to prove",
    "equal": "equal bit for bit: equivalent",
    "different": "computes something else",
    "unseen": "not provable by a probe",
    "failed": "the probe failed",
    "new": "that commit does not have it",
}


@dataclass(frozen=True)
class Comparison:
    """What became of one experiment; `proofs` where it was proven, by profile of numerics that changed."""

    experiment: str
    outcome: Outcome
    reason: str
    proofs: tuple[equivalence.Proof, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        proofs = [proof.as_dict() for proof in self.proofs]
        return {**vars(self), "words": WORDS[self.outcome], "proofs": proofs}


def compare(
    names: Sequence[str], rev: str, jobs: int, told: Callable[[Result], None], planned: Callable[[int], None]
) -> list[Comparison]:
    """Compare every experiment with the commit `rev`; nothing is written.

    Args:
        names: experiments.
        rev: a commit of the repository that this code is checked out from.
        jobs: processes.
        told: called with each result.
        planned: called with the number of results to come.

    Raises:
        UserError: this is no git checkout, there is no such commit, or it has no probe; or the file of
            proofs cannot be read, which is better told before the probes than after.

    """
    equivalence.refuse_unreadable()
    sha = _commit(rev)
    with _worktree(sha) as checkout:
        try:
            before = pool.sources(checkout, names)
        except RuntimeError as error:
            raise UserError(f"its code cannot be run ({error})", where=f"--equal-to {rev}") from None
        now = {name: _sources(name) for name in names}
        found = {name: c for name in names if (c := _without_probe(name, before.get(name), now[name]))}
        left = [name for name in names if name not in found]
        if left and not (checkout / pool.WORKER).is_file():
            do = "Compare with a commit that has one, or make the runs again"
            raise UserError("that commit has no probe", where=f"--equal-to {rev}", do=do)
        if left:
            planned(2 * (len(left) + 1))
            ours = pool.compute(dict.fromkeys([*left, SCORES]), jobs, told)
            plans = {name: result.get("plan") for name, result in ours.items()}
            theirs = pool.compute(plans, jobs, told, checkout)
            found |= {name: _compared(name, sha, before[name], ours, theirs) for name in left}
    return [found[name] for name in names]


def _sources(name: str) -> ByProfile:
    described = experiments.describe(name)
    return {profile: identity.sources(described, policy) for profile, policy in POLICIES.items()}


def _without_probe(name: str, before: ByProfile | None, now: ByProfile) -> Comparison | None:
    """What can be said at once."""
    if foreign := {n for sources in now.values() for n in sources if identity.is_plugins(n)}:
        return Comparison(name, "unseen", f"{min(foreign)} is a plugin's, which no commit here has")
    if before is None:
        return Comparison(name, "new", "")
    if before == now:
        return Comparison(name, "same sources", "")
    changed = {n for profile in now for n in _changed(before.get(profile, {}), now[profile])}
    if unseen := sorted(changed & set(equivalence.UNSEEN)):
        return Comparison(name, "unseen", f"{unseen[0]} changed, which no probe executes")
    return None


def _changed(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {**a, **b} if a.get(name) != b.get(name))


def _compared(
    name: str, sha: str, before: ByProfile, ours: Mapping[str, Result], theirs: Mapping[str, Result]
) -> Comparison:
    for side, whose in ((ours, "here"), (theirs, "there")):
        for probe in (name, SCORES):
            if "error" in side[probe]:
                return Comparison(name, "failed", f"{whose}: {side[probe]['error']}")
    a, b = theirs[name], ours[name]
    if a["sources"] != before:
        return Comparison(name, "failed", "the probe there ran other sources")
    for key in ("plan", "settings", "initial_weights", "resumes"):
        if a.get(key) != b.get(key):
            return Comparison(name, "different", f"its {key.replace('_', ' ')} differ")
    for probe in (name, SCORES):
        bits = [side[probe]["bits"] for side in (theirs, ours)]
        if differ := [numerics for numerics in bits[1] if bits[0].get(numerics) != bits[1][numerics]]:
            what = "the scores" if probe == SCORES else f"the probe in {differ[0]}"
            return Comparison(name, "different", f"{what} has other bits")
    refused = [side.get("portable", {}).get("refused", "") for side in (a, b)]
    if refused[0] != refused[1]:
        return Comparison(name, "different", "the portable half differs")
    proofs = tuple(
        equivalence.Proof(
            experiment=name,
            before=equivalence.digest_of(before[profile]),
            after=equivalence.digest_of(now),
            changed=tuple(_changed(before[profile], now)),
            rev=sha,
            date=datetime.now(UTC).date().isoformat(),
            environment=environment.describe("cpu"),
            plan=identity.digest(b["plan"]),
            portable=b["bits"].get("portable") or f"refused: {refused[1]}",
            float32=b["bits"]["float32"],
            float64=b["bits"]["float64"],
        )
        for profile, now in b["sources"].items()
        if profile in before and before[profile] != now and not (profile == "portable" and refused[1])
    )
    changed = sorted({n for proof in proofs for n in proof.changed})
    return Comparison(name, "equal", f"changed: {', '.join(changed)}", proofs)


def _commit(rev: str) -> str:
    top = _git("rev-parse", "--show-toplevel")
    if top.returncode or Path(top.stdout.strip()).resolve() != _ROOT.resolve():
        do = "Use it in the git checkout that ganbench is developed in"
        raise UserError("this ganbench is no git checkout", where="--equal-to", do=do)
    found = _git("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}")
    if found.returncode:
        raise UserError(
            "there is no such commit", where=f"--equal-to {rev}", do="git fetch it, or name another"
        )
    return found.stdout.strip()


@contextmanager
def _worktree(sha: str) -> Iterator[Path]:
    """The commit's files in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="ganbench-equal-") as folder:
        tree = Path(folder).resolve() / "tree"
        done = _git("worktree", "add", "--detach", "--force", str(tree), sha)
        if done.returncode:
            raise UserError("cannot be checked out", where=f"--equal-to {sha}", do=done.stderr.strip())
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise UserError("git is not installed", where="--equal-to", do="Install it") from None
