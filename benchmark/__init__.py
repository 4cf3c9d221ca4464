"""How the baselines are run and judged. Knows no paper by name."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`__version__`, read when asked for: `importlib.metadata` is half of what a command's start costs."""
    if name != "__version__":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ganbench")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
