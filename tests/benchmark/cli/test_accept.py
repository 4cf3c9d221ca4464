"""`ganbench accept`: what becomes the reference, what is shown, and what is refused."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.judging import accepted
from benchmark.records import provenance
from benchmark.records.record import sealed

REFERENCE = Path("results/reference/small.json")
CLEAN = {"sha": "c0ffee", "dirty": False, "diff_sha256": None}


@pytest.fixture
def s(synthetic, monkeypatch):
    monkeypatch.setattr(provenance, "git", lambda: CLEAN)
    return synthetic


@pytest.fixture
def accept(ganbench, s):
    def call(*arguments, yes=True):
        return ganbench("accept", "small.toml", *["--yes"] * yes, *arguments)

    return call


def test_what_was_accepted_is_unchanged_afterwards(s, accept, ganbench):
    s.put_all()
    code, out, err = accept()
    assert (code, err) == (0, "")
    assert "6 records accepted: results/reference/small.json" in out
    code, out, _ = ganbench("check", "small.toml", "--json")
    assert code == 0
    assert {d["outcome"] for d in json.loads(out)["gate"]["decisions"]} == {"unchanged"}
    assert "nothing to do" in accept()[1]


def test_the_changes_are_shown_per_cell_and_metric(s, accept):
    s.put_all()
    accept()
    for seed in range(3):
        s.put(
            s.make_record(
                "gan/digits",
                seed,
                s.FIDS["gan/digits"][seed] + 1,
                env="a" * 64,
                finished="2026-12-01T00:00:00Z",
            )
        )
    for directory in Path("results/runs/wgan/digits").iterdir():
        directory.rename(directory.with_name(f"{directory.name}.old1"))
    out = accept()[1]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "gan/digits digits-2k fid 41 ± 1 (n = 3) 42 ± 1 (n = 3) other bits" in lines
    assert "wgan/digits digits-2k fid 20 ± 0.4 (n = 3) – removed" in lines
    assert [r["experiment"] for r in accepted.read(REFERENCE)] == ["gan/digits"] * 3


def test_a_new_cell_and_fewer_seeds_are_said(s, accept):
    s.put_all(seeds=range(5))
    out = accept("--seeds", "0-4", "--experiment", "gan/*")[1]
    assert "new" in out
    assert len(accepted.read(REFERENCE)) == 5
    out = accept()[1]
    assert "fewer seeds" in out
    assert len(accepted.read(REFERENCE)) == 6
    out = accept("--seeds", "3-4", "--add")[1]
    assert "more seeds" in out
    assert "same bits" not in out


def test_other_experiments_stay_with_a_pattern(s, accept):
    s.put_all()
    accept()
    before = accepted.read(REFERENCE)
    for seed in range(3):
        s.put(s.make_record("gan/digits", seed, 50.0 + seed, finished="2026-12-01T00:00:00Z", env="a" * 64))
    accept("--experiment", "gan/*")
    after = accepted.read(REFERENCE)
    assert [r for r in after if r["experiment"] == "wgan/digits"] == before[3:]
    assert [r["env_id"] for r in after[:3]] == ["a" * 64] * 3


def test_seeds_are_added_to_what_is_accepted_though_its_runs_are_gone(s, accept, ganbench):
    s.put_all()
    accept()
    before = accepted.read(REFERENCE)
    shutil.rmtree("results/runs")
    s.put_all(seeds=(3, 4))
    code, out, err = accept("--seeds", "3-4", "--add")
    assert (code, err) == (0, "")
    assert "10 records accepted" in out
    after = accepted.read(REFERENCE)
    assert [r for r in after if r["seed"] < 3] == before
    assert "gan/digits digits-2k fid 41 ± 1 (n = 3) 41 ± 0.79 (n = 5)" in " ".join(out.split())
    code, out, _ = ganbench("check", "small.toml", "--seeds", "3-4", "--json")
    assert code == 0
    assert {d["outcome"] for d in json.loads(out)["gate"]["decisions"]} == {"unchanged"}


def test_the_same_seed_is_replaced_and_one_experiment_added(s, accept):
    s.put_all()
    accept("--experiment", "gan/*")
    s.put(s.make_record("gan/digits", 1, 44.0, finished="2026-12-01T00:00:00Z"))
    assert accept("--add")[0] == 0
    after = accepted.read(REFERENCE)
    assert [(r["experiment"], r["seed"]) for r in after] == [
        (experiment, seed) for experiment in ("gan/digits", "wgan/digits") for seed in range(3)
    ]
    assert after[1]["final"]["scores"]["digits-2k"]["fid"] == 44.0


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"env": "a" * 64}, "another environment"),
        ({"numerics": {"precision": "bf16"}}, "other settings, data, budget or protocols"),
    ],
)
def test_seeds_that_are_no_sample_of_one_thing_are_not_put_together(s, accept, changes, differs):
    s.put_all()
    accept()
    before = REFERENCE.read_bytes()
    s.put(s.make_record("gan/digits", 3, 40.5, **changes))
    code, _, err = accept("--seeds", "3", "--add")
    assert (code, REFERENCE.read_bytes()) == (2, before)
    assert f"gan/digits: {differs} for seed 0, which is accepted, than for seed 3" in err


def test_seeds_of_other_code_are_not_put_together():
    one, other = (
        {"experiment": "gan/digits", "seed": seed, "cell_id": "c", "env_id": "e"} for seed in (0, 1)
    )
    for record, digest in ((one, "a"), (other, "b")):
        record["spec"] = {"experiment": {"name": "gan/digits"}, "sources": {"baselines/gan.py": digest}}
    with pytest.raises(UserError, match="other code for seed 0"):
        accepted.extended([one], [other])


def test_copies_of_a_run_under_other_seeds_are_refused(s, accept):
    s.put_all()
    accept()
    before = REFERENCE.read_bytes()
    content = s.make_record("gan/digits", 3, 40.0)
    content["digests"]["generator_weights"] = accepted.read(REFERENCE)[0]["digests"]["generator_weights"]
    s.put(sealed({k: v for k, v in content.items() if k != "record_sha256"}))
    for arguments in (("--seeds", "3", "--add"), ("--seeds", "0-3")):
        code, _, err = accept(*arguments)
        assert (code, REFERENCE.read_bytes()) == (2, before)
        assert "gan/digits seed 3: has the generator weights of seed 0: an ignored seed, or a copy" in err


def test_of_two_environments_the_one_with_most_seeds_is_accepted(s, accept):
    s.put_all()
    s.put_all(seeds=range(2), plus=50.0, env="a" * 64, finished="2026-12-01T00:00:00Z")
    assert "seeds 0, 1 were run in several environments; eeeeeeee counts first" in accept()[2]
    assert {r["env_id"] for r in accepted.read(REFERENCE)} == {"e" * 64}


def test_there_must_be_something_to_add_to(s, accept):
    s.put_all()
    code, _, err = accept("--add")
    assert (code, REFERENCE.exists()) == (2, False)
    assert "small.json: is not there, so nothing can be added. Leave out --add" in err


def test_diverged_seeds_are_accepted_and_shown_and_missing_ones_told(s, accept, ganbench):
    s.put_all(seeds=range(2))
    s.put(s.make_record("gan/digits", 2, None))
    code, out, err = accept()
    assert code == 0
    assert "40.5 ± 0.71 (n = 2), 1 diverged" in out
    assert "wgan/digits: no record of seed 2" in err
    assert ganbench("check", "small.toml")[0] == 0


def test_nobody_is_asked_where_nobody_is(s, accept, monkeypatch):
    s.put_all()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, _, err = accept(yes=False)
    assert (code, REFERENCE.exists()) == (2, False)
    assert "nobody is there to be asked. Say --yes" in err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
def test_a_person_is_asked(answer, code, s, accept, monkeypatch):
    s.put_all()
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    found, _, _ = accept(yes=False)
    assert (found, REFERENCE.exists()) == (code, answer == "y")


def test_a_dirty_tree_is_refused(s, accept, monkeypatch):
    s.put_all()
    monkeypatch.setattr(provenance, "git", lambda: {**CLEAN, "dirty": True})
    code, _, err = accept()
    assert (code, REFERENCE.exists()) == (2, False)
    assert "have changes that no commit has" in err
    assert accept("--allow-dirty")[0] == 0


def test_records_of_a_dirty_tree_are_refused(s, accept):
    s.put_all(seeds=range(2))
    s.put(s.make_record("gan/digits", 2, 41.0, git={**CLEAN, "dirty": True}))
    code, _, err = accept()
    assert (code, REFERENCE.exists()) == (2, False)
    assert "gan/digits seed 2 was made by code that no commit has" in err
    assert accept("--allow-dirty")[0] == 0


def test_records_of_other_code_and_none_are_nothing_to_accept(s, accept):
    code, _, err = accept()
    assert (code, "no current record of the suite 'small'" in err) == (4, True)
    s.put_all(sources={"baselines/gan.py": "0" * 64})
    code, _, err = accept()
    assert (code, "(6 of other code)" in err) == (4, True)


def test_one_run_with_two_results_is_refused(s, accept):
    s.put_all()
    s.put_all(out=Path("shard"), plus=0.1)
    code, _, err = accept("--from", "results/runs", "--from", "shard", "--allow-dirty")
    assert (code, REFERENCE.exists()) == (2, False)
    assert "two records of one run in one environment differ" in err


def test_another_place_for_the_file(s, accept, ganbench):
    s.put_all(out=Path("shard"))
    arguments = ("--from", "shard", "--reference", "other/place.json")
    assert accept(*arguments)[0] == 0
    assert ganbench("check", "small.toml", *arguments)[0] == 0
    assert not REFERENCE.exists()
