"""The lists of versions say what pyproject.toml says: its lower bounds, and one choice within all bounds."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def pinned(name):
    """Version by canonical name, from a file of `name==version` lines."""
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    pins = [Requirement(line) for line in lines]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(lines)
    return {name: Version(version) for name, version in versions.items()}


@pytest.fixture(scope="module")
def required():
    with (ROOT / "pyproject.toml").open("rb") as file:
        requirements = map(Requirement, tomllib.load(file)["project"]["dependencies"])
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in requirements}


def test_the_lowest_versions_are_the_lower_bounds(required):
    lower = {
        name: Version(bound.version)
        for name, bounds in required.items()
        for bound in bounds
        if bound.operator == ">="
    }
    assert pinned("constraints-lowest.txt") == lower


def test_the_versions_behind_the_numbers_are_allowed(required):
    versions = pinned("constraints.txt")
    assert required.keys() <= versions.keys()
    assert [name for name, bounds in required.items() if versions[name] not in bounds] == []
