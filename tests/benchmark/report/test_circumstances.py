from pathlib import Path

import pytest

from benchmark.report import LoadedRecord
from benchmark.report.circumstances import overhead, shown_path


@pytest.mark.parametrize(
    ("directory", "shown"),
    [
        ("/home/alice/results/runs/gan/mnist/0123-ef", "runs/gan/mnist/0123-ef"),
        ("/home/alice/gan/mnist/0123-ef", "gan/mnist/0123-ef"),
        ("/home/alice/0123-ef", "0123-ef"),
        ("/0123-ef", "0123-ef"),
    ],
)
def test_paths_name_no_user(directory, shown):
    assert shown_path(LoadedRecord({"experiment": "gan/mnist"}, Path(directory))) == shown


def test_overhead_is_what_neither_trained_evaluated_nor_started():
    times = {
        "wall_s": [100.0, 120.0],
        "train_s": [80.0, 80.0],
        "evaluate_s": [10.0, 10.0],
        "startup_s": [5.0, 3.0],
    }
    assert overhead(times) == (220 - 160 - 20 - 8) / 160
    assert overhead({**times, "train_s": [0.0, 0.0]}) is None
