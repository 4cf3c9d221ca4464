"""`losses.safetensors`: what was written comes back, and what was altered is not believed."""

import math

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from benchmark.records import loss_file

COLUMNS = {
    "critic": np.array([0.1, -2.5, 1e-40], np.float32),
    "generator": np.array([1, 2, np.nan], np.float32),
}
RECORD = {"digests": {"losses": loss_file.digest(COLUMNS)}}


def equal(a, b):
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_every_bit_comes_back(tmp_path):
    loss_file.write(tmp_path, COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["losses.safetensors"]
    assert equal(loss_file.read(tmp_path, RECORD), COLUMNS)
    assert equal(load_file(tmp_path / "losses.safetensors"), COLUMNS)


def test_a_run_without_a_g_iteration_has_a_file_without_columns(tmp_path):
    loss_file.write(tmp_path, {})
    assert loss_file.read(tmp_path, {"digests": {"losses": loss_file.digest({})}}) == {}


def renamed(columns):
    return {"critics": columns["critic"], "generator": columns["generator"]}


def nudged(columns):
    return {**columns, "critic": np.nextafter(columns["critic"], np.float32(9))}


def shorter(columns):
    return {name: column[:2] for name, column in columns.items()}


def retyped(columns):
    return {name: column.view(np.int32) for name, column in columns.items()}


@pytest.mark.parametrize("change", [renamed, nudged, shorter, retyped, lambda columns: {}])
def test_other_columns_are_refused(change, tmp_path):
    save_file(change(COLUMNS), tmp_path / "losses.safetensors")
    with pytest.raises(loss_file.UnusableLosses, match="does not have the recorded SHA-256"):
        loss_file.read(tmp_path, RECORD)


def test_a_file_that_was_only_written_anew_is_the_same(tmp_path):
    save_file(COLUMNS, tmp_path / "losses.safetensors", metadata={"by": "hand"})
    assert equal(loss_file.read(tmp_path, RECORD), COLUMNS)


def test_a_missing_or_damaged_file_says_so(tmp_path):
    with pytest.raises(loss_file.UnusableLosses, match="is missing"):
        loss_file.read(tmp_path, RECORD)
    loss_file.write(tmp_path, COLUMNS)
    path = tmp_path / "losses.safetensors"
    for kept in (0, 7, 30, -1):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(loss_file.UnusableLosses, match="cannot be read"):
            loss_file.read(tmp_path, RECORD)
    path.unlink()
    path.mkdir()
    with pytest.raises(loss_file.UnusableLosses, match="cannot be read"):
        loss_file.read(tmp_path, RECORD)


def test_the_first_difference_is_the_earliest_in_any_column():
    then = {"a": np.zeros(5, np.float32), "b": np.ones(5, np.float32)}
    now = {name: column.copy() for name, column in then.items()}
    assert loss_file.first_difference(then, now) is None
    now["a"][3] = -0.0  # equal as a number, another as bits
    assert loss_file.first_difference(then, now) == (4, "a", 0.0, 0.0)
    now["b"][2] = 7
    assert loss_file.first_difference(then, now) == (3, "b", 1.0, 7.0)


def test_a_missing_row_or_column_is_a_difference_and_equal_nans_are_not():
    nan = {"a": np.array([1, np.nan], np.float32)}
    assert loss_file.first_difference(nan, {"a": nan["a"].copy()}) is None
    k, name, was, now = loss_file.first_difference({"a": nan["a"][:1]}, nan)
    assert (k, name, math.isnan(was), math.isnan(now)) == (2, "a", True, True)
    k, name, was, now = loss_file.first_difference(nan, {})
    assert (k, name, was, math.isnan(now)) == (1, "a", 1.0, True)
