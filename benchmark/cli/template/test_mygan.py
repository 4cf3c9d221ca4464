"""Whether mygan keeps to what every experiment must; the same as `ganbench check-baseline mygan/digits`."""

import ganbench
import mygan
import pytest


@pytest.mark.parametrize("experiment", mygan.EXPERIMENTS, ids=lambda e: e.name)
def test_contract(experiment):
    assert [finding for finding in ganbench.examine(experiment) if not finding.ok] == []
