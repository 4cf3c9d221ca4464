"""The stress tool itself, for a few deaths; `tox -e reliability` lets many more happen."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_runs_that_die_end_with_the_bits_of_runs_left_alone():
    command = [sys.executable, Path(__file__).with_name("stress.py"), "--kills", "10", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "10 of the runs ended with the bits of one left alone" in done.stdout
