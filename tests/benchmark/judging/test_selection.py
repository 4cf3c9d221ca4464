"""Which records are current."""

from benchmark.judging import selection
from benchmark.records.loaded import LoadedRecord


def test_a_second_stage_of_another_first_stage_is_stale(tmp_path):
    """Its scores say nothing of the first stage of now, whichever ended last."""

    def loaded(experiment, cell, **first):
        spec = {"starts_from": {"experiment": "gan/first", "run_id": "1", **first}} if first else {}
        content = {"experiment": experiment, "cell_id": cell, "spec": spec}
        return LoadedRecord(content, tmp_path)

    first = loaded("gan/first", "now")
    current, older, unnamed = (
        loaded("gan/second", str(i), **{"run_id": "1", **of})
        for i, of in enumerate(({"cell_id": "now"}, {"cell_id": "then"}, {}))
    )
    assert selection._of_current_first_stages([first, current, older, unnamed]) == [first, current]
    assert selection._of_current_first_stages([current, older]) == [current, older]  # no first stage is here
