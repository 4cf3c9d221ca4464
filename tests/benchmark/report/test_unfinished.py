"""Runs stopped before their budget: a curve that says so, beside finished runs of that computation alone."""

import json

import pytest

from benchmark.records.quantities import NARROW_SPACE
from benchmark.report.committed import unfinished

PROTOCOL = {"name": "p", "metrics": ["fid", "is"]}
LIKE = {"dataset": {"digest": "d"}, "numerics": {}, "device": "cpu", "sources": {"a.py": "1"}, "seed": 3}
SPEC = {
    **LIKE,
    "suite": "long",
    "experiment": {"name": "gan/digits", "settings": {"batch": {"value": 8}}},
    "gen_iters": 4000,
    "protocols": [PROTOCOL],
}


def point(k, fid):
    return {"gen_iters": k, "scores": {"p": {"fid": fid, "is": 1.0}}}


@pytest.fixture
def begun(tmp_path):
    """The folder of one run, stopped after 2 000 of 4 000 G-iterations; its last line was cut off."""
    run = tmp_path / "long" / "gan" / "digits" / "seed3"
    run.mkdir(parents=True)
    (run / "spec.json").write_text(json.dumps(SPEC))
    events = [
        {"event": "evaluated", "utc": "t", **point(k, fid)}
        for k, fid in ((0, 9.0), (1000, 7.5), (2000, 7.25))
    ]
    lines = [json.dumps(e) for e in ({"event": "started", "utc": "t"}, *events, {"event": "evaluated"})]
    (run / "events.jsonl").write_text("\n".join(lines)[:-4])
    return tmp_path


def finished(**spec):
    return {
        "suite": "short",
        "spec": {**SPEC, "gen_iters": 1000, **spec},
        "curve": [point(0, 9.0), point(1000, 7.5)],
    }


def test_it_says_how_far_it_came_and_of_how_many(begun):
    [table] = unfinished.tables(begun, [])
    assert "not finished: scored until 2 000 of 4 000 G-iterations" in table.caption.replace(
        NARROW_SPACE, " "
    )
    assert [tuple(cell.replace(NARROW_SPACE, " ") for cell in row.cells) for row in table.rows] == [
        ("0", "9.00"),
        ("1 000", "7.50"),
        ("2 000", "7.25"),
    ]


def test_a_finished_run_of_the_same_computation_stands_beside_it(begun):
    [table] = unfinished.tables(begun, [finished()])
    assert "finished runs of the same computation" in table.caption
    assert table.columns[-1].header == "as finished in suite short"
    assert [row.cells[1:] for row in table.rows] == [("9.00", "9.00"), ("7.50", "7.50"), ("7.25", "–")]


@pytest.mark.parametrize(
    "other",
    [
        *({part: "other"} for part in LIKE),
        {"experiment": {"name": "gan/digits", "settings": {"batch": {"value": 9}}}},
        {"experiment": {"name": "gan/other", "settings": {"batch": {"value": 8}}}},
    ],
)
def test_no_other_run_does(begun, other):
    [table] = unfinished.tables(begun, [finished(**other)])
    assert len(table.columns) == 2
    assert "the same computation" not in table.caption


def test_the_section_has_the_command_and_is_not_there_for_nothing(begun, tmp_path_factory):
    said = "".join(unfinished.section(begun, []))
    assert "`ganbench run long`" in said
    assert "What they scored until then is no result" in said
    assert not [*unfinished.section(tmp_path_factory.mktemp("none"), [])]
