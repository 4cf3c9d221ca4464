"""Where a number came from: code revision, versions, machine. No host or user names."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import escape
from benchmark.records import places

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

ROOT = Path(__file__).parents[2]
"""The folder of the packages; of a checkout, its root."""


def launch(argv: list[str]) -> dict[str, Any]:
    """What only the command that starts the runs knows: arguments, git, CI. Passed on to every run.

    The home directory is written as ``~``, since it often holds the user's name, and the path of a folder of
    images is left out: its content has a digest in the spec.
    """
    home = places.home()
    arguments = [argument.replace(home, "~") if home else argument for argument in argv[1:]]
    arguments = [re.sub(r"(^|=)folder:.+", r"\1folder:…", text, flags=re.DOTALL) for text in arguments]
    return {
        "argv": [escape.visible(text) for text in (Path(argv[0]).name, *arguments)],
        "git": git(),
        "ci": _ci(),
    }


def git(root: Path = ROOT) -> dict[str, Any] | None:
    """Commit, dirty flag and SHA-256 of the uncommitted changes; None where `root` is no checkout's.

    Only the two packages count: a change of a text file or a test changes no number. Untracked files there
    make the tree dirty as well.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()).resolve() != root.resolve():
        return None
    return _revision(root, ["benchmark", "baselines"])


def git_of(files: Collection[Path]) -> dict[str, Any] | None:
    """The same of a plugin's files; None where there are none, or git does not know one of them."""
    paths = sorted(str(file.resolve()) for file in files)
    folder = Path(paths[0]).parent if paths else None
    # Those of a virtualenv lie in the checkout around it, whose commit says nothing of them.
    if folder is None or _git(folder, "ls-files", "--error-unmatch", "--", *paths) is None:
        return None
    return _revision(folder, paths)


def _revision(root: Path, scope: Sequence[str]) -> dict[str, Any] | None:
    sha = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--", *scope)
    diff = _git(root, "diff", "HEAD", "--", *scope)
    if sha is None or status is None or diff is None:
        return None
    dirty = bool(status.strip())
    content = hashlib.sha256((status + diff).encode()).hexdigest() if dirty else None
    return {"sha": sha.strip(), "dirty": dirty, "diff_sha256": content}


def machine() -> dict[str, Any]:
    """Versions and hardware that need no torch."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "os": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "gpu_driver": _gpu_driver(),
        "packages": packages(),
    }


def packages() -> dict[str, str]:
    """Every installed distribution and its version: what ``pip freeze`` lists."""
    return dict(sorted((d.name.lower().replace("_", "-"), d.version) for d in distributions() if d.name))


def _gpu_driver() -> str | None:
    try:
        first_line = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return None
    return first_line.removeprefix("NVRM version:").strip()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _ci() -> dict[str, str] | None:
    if "GITHUB_RUN_ID" in os.environ:
        names = ("GITHUB_REPOSITORY", "GITHUB_WORKFLOW", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_SHA")
        return {name.lower(): os.environ[name] for name in names if name in os.environ}
    return {"ci": "true"} if os.environ.get("CI") else None
