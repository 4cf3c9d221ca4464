"""Where a number came from: code revision, versions, machine. No host or user names."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmark import escape
from benchmark.records import places


def launch(argv: list[str]) -> dict[str, Any]:
    """What only the command that starts the runs knows: arguments, git, CI. Passed on to every run.

    The home directory is written as ``~``, since it often holds the user's name.
    """
    home = places.home()
    arguments = [argument.replace(home, "~") if home else argument for argument in argv[1:]]
    return {
        "argv": [escape.visible(text) for text in (Path(argv[0]).name, *arguments)],
        "git": git(Path(__file__).parent),
        "ci": _ci(),
    }


def git(folder: Path) -> dict[str, Any] | None:
    """Commit, dirty flag and SHA-256 of the uncommitted changes; None outside a checkout of ganbench.

    Only the two packages count: a change of a text file or a test changes no number. Untracked files there
    make the tree dirty as well.
    """
    scope = ["--", "benchmark", "baselines"]
    root = _git(folder, "rev-parse", "--show-toplevel")
    if root is None or Path(root.strip()).resolve() != folder.parent.resolve():
        return None
    sha = _git(folder.parent, "rev-parse", "HEAD")
    status = _git(folder.parent, "status", "--porcelain", *scope)
    diff = _git(folder.parent, "diff", "HEAD", *scope)
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
