"""How the baselines are run and judged. Knows no paper by name."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ganbench")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
