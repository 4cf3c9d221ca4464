"""`losses.safetensors`: what was written comes back, and what was altered is not believed."""

import math

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from benchmark.records import loss_file

COLUMNS = {
    "critic": np.array([0.1, -2.5, 1e-40], np.float32),
    "generator": np.array([1, 2, np.nan], np.float32),
}


def recorded(columns, gen_iters=3, diverged_at=None):
    """What a record says of these columns."""
    return {
        "digests": {"losses": loss_file.digest(columns)},
        "gen_iters": gen_iters,
        "diverged_at": diverged_at,
    }


RECORD = recorded(COLUMNS)


def equal(a, b):
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_every_bit_comes_back(tmp_path):
    loss_file.write(tmp_path, COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["losses.safetensors"]
    assert equal(loss_file.read(tmp_path, RECORD), COLUMNS)
    assert equal(load_file(tmp_path / "losses.safetensors"), COLUMNS)


def test_a_run_without_a_g_iteration_has_a_file_without_columns(tmp_path):
    loss_file.write(tmp_path, {})
    assert loss_file.read(tmp_path, recorded({}, 0)) == {}
    assert loss_file.read(tmp_path, recorded({}, 3, 0)) == {}
    with pytest.raises(loss_file.UnusableLosses, match="has no losses, and the record 3 G-iterations"):
        loss_file.read(tmp_path, recorded({}))


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


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (np.array(1, np.float32), "float32 []"),
        (np.ones((3, 1), np.float32), "float32 [3, 1]"),
        (np.ones((3, 0), np.float32), "float32 [3, 0]"),
        (np.ones(2, np.float32), "float32 [2]"),
        (np.ones(0, np.float32), "float32 [0]"),
        *((np.ones(3, kind), f"{kind} [3]") for kind in ("bool", "complex64", "int64", "float64", "float16")),
    ],
)
def test_columns_that_no_run_could_have_written_are_refused_whatever_the_digest(column, found, tmp_path):
    columns = {**COLUMNS, "critic": column}
    try:
        save_file(columns, tmp_path / "losses.safetensors")
    except SafetensorError as error:
        pytest.skip(f"this safetensors cannot write it: {error}")
    with pytest.raises(loss_file.UnusableLosses) as refused:
        loss_file.read(tmp_path, recorded(columns))
    assert str(refused.value) == f"losses.safetensors has 'critic' as {found}, not as float32 [3]"


def test_of_a_diverged_run_as_many_as_it_had(tmp_path):
    loss_file.write(tmp_path, COLUMNS)
    assert equal(loss_file.read(tmp_path, recorded(COLUMNS, 100, 3)), COLUMNS)
    with pytest.raises(loss_file.UnusableLosses, match=r"not as float32 \[100\]"):
        loss_file.read(tmp_path, recorded(COLUMNS, 100))
    with pytest.raises(loss_file.UnusableLosses, match=r"not as float32 \[2\]"):
        loss_file.read(tmp_path, recorded(COLUMNS, 100, 2))


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
