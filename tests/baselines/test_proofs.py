"""What is said about proofs is so: each experiment has one, and the named golden vectors are read."""

from pathlib import Path

import pytest

import baselines
from baselines import proofs

HERE = Path(__file__).parent
GOLDEN = {
    path.stem.removesuffix("_f32").removesuffix("_f64") for path in (HERE.parent / "golden").glob("*.npz")
}
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_golden_*.py"))


@pytest.mark.parametrize("name", baselines.names())
def test_every_experiment_says_how_it_is_tested(name):
    proof = proofs.of(name)
    assert proof is not None
    assert proof.rest.strip()
    assert bool(proof.golden) == bool(proof.covers.strip())
    assert set(proof.golden) <= GOLDEN
    assert proof.rest in proof.text()


def test_nothing_is_said_of_an_unknown_experiment():
    papers = {name for name in baselines.names() if baselines.variant(name) is None}
    assert set(proofs._proofs()) == papers
    assert proofs.of("tiny/digits") is None


@pytest.mark.parametrize(
    "file", sorted({file for name in baselines.names() for file in proofs.of(name).golden})
)
def test_golden_vectors_that_are_named_are_read(file):
    framework, _, case = file.partition("_")
    assert file in TESTS or (f"{framework}_{{case}}" in TESTS and f'"{case}"' in TESTS)
