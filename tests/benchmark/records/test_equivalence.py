"""Equivalent sources: what counts as a proof, that proofs join, and that whatever compares sources asks."""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmark.engines import worker
from benchmark.errors import UserError
from benchmark.judging import equal_to, selection, verify
from benchmark.records import equivalence, identity, record, store
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord
from benchmark.suites import Suite, experiments, plan
from benchmark.training.numerics import FAITHFUL

NAME = "gan/digits"
FILE = "benchmark/training/trainer.py"
TEMPLATE = json.loads((Path(__file__).parents[3] / "results" / "reference" / "quick.json").read_text())[
    "records"
][0]
"""An accepted record, of which tests change what they are about."""
_WEIGHTS = ("generator_weights", "critic_weights", "losses")
SUITE = Suite("mine", "", (NAME,), (0, 1), 20, 10, ("digits-2k",))


def older(sources, said="older"):
    """Sources of which one file was another."""
    return {**sources, FILE: identity.digest(said)}


def proof(before, after, **changes):
    proven = equivalence.Proof(
        experiment=NAME,
        before=equivalence.digest_of(before),
        after=equivalence.digest_of(after),
        changed=(FILE,),
        rev="0123456789abcdef",
        date="2026-01-31",
        environment={"torch": "2"},
        plan="1" * 64,
        portable="2" * 64,
        float32="3" * 64,
        float64="4" * 64,
    )
    return dataclasses.replace(proven, **changes)


@pytest.fixture
def here():
    return identity.sources(experiments.describe(NAME), FAITHFUL)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """An empty place for proofs, which everything reads."""
    path = tmp_path / "reference" / "equivalent.json"
    monkeypatch.setattr(equivalence, "path", lambda: path)
    return path


def test_a_proof_holds_both_ways_and_for_its_experiment_only(file, here):
    assert not equivalence.same(older(here), here, NAME)
    equivalence.add([proof(older(here), here)])
    assert equivalence.same(older(here), here, NAME)
    assert equivalence.same(here, older(here), NAME)
    assert not equivalence.same(older(here), here, "wgan/digits")
    assert not equivalence.same(older(here, "another"), here, NAME)
    said = equivalence.said(equivalence.chain(older(here), here, NAME))
    assert said == "made by equivalent sources, proven by probe of 2026-01-31 against 0123456789ab"


def test_proofs_join(file, here):
    chain = [older(here, str(i)) for i in range(4)]
    equivalence.add([proof(chain[0], chain[1]), proof(chain[3], chain[2])])
    equivalence.add([proof(chain[2], chain[1]), proof(chain[3], chain[1], experiment="wgan/digits")])
    assert len(equivalence.chain(chain[0], chain[3], NAME)) == 3
    assert len({equivalence.code(sources, NAME) for sources in chain}) == 1
    assert equivalence.code(here, NAME) not in {equivalence.code(sources, NAME) for sources in chain}


@pytest.mark.parametrize("key", ["experiment", "before", "after", "rev", "float64", "portable", "changed"])
def test_an_edited_proof_does_not_count(file, here, key):
    equivalence.add([proof(older(here), here)])
    content = json.loads(file.read_text())
    content["proofs"][0][key] = ["baselines.gan"] if key == "changed" else here[FILE]
    file.write_text(json.dumps(content))
    assert equivalence.proofs(file.rename(file.with_name("other.json"))) == ()


@pytest.mark.parametrize(
    "key", ["portable", "float32", "float64", "environment", "rev", "date", "plan", "changed"]
)
def test_without_evidence_there_is_no_proof(file, here, key):
    empty = {"environment": {}, "changed": ()}.get(key, "")
    equivalence.add([proof(older(here), here, **{key: empty})])
    assert not equivalence.same(older(here), here, NAME)


def test_of_a_source_that_no_probe_executes_nothing_is_proven(file, here):
    equivalence.add([proof(older(here), here, changed=(FILE, equivalence.UNSEEN[0]))])
    assert not equivalence.same(older(here), here, NAME)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 1, "proofs": [1, null, {}]}',
        '{"schema_version": 1, "proofs": 1}',
        '{"proofs": 1}',
    ],
)
def test_a_damaged_file_proves_nothing(file, text):
    file.parent.mkdir()
    file.write_text(text)
    assert equivalence.proofs() == ()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda text: text[: len(text) // 2], "is no JSON"),
        (lambda _: "[]", "has schema_version None; this ganbench reads 1"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 2'), "has schema_version 2"),
        (lambda _: '{"schema_version": 1, "proofs": 1}', "has no list of proofs"),
    ],
    ids=["cut off", "no object", "of another version", "no list"],
)
def test_a_file_that_cannot_be_read_is_not_written_over(file, here, damage, why):
    equivalence.add([proof(older(here), here)])
    broken = damage(file.read_text())
    assert broken != file.read_text()
    file.write_text(broken)
    assert equivalence.proofs() == ()
    with pytest.raises(UserError, match=why) as caught:
        equivalence.add([proof(older(here, "another"), here)])
    assert caught.value.where == str(file)
    assert "git restore" in caught.value.do
    assert file.read_text() == broken
    with pytest.raises(UserError, match=why):  # and told before anything is probed
        equal_to.compare([NAME], "HEAD", 1, pytest.fail, pytest.fail)


# --- Everything that compares sources -------------------------------------------------------------------


def made_by(run, sources):
    """The finished record of a planned run, had other sources made it; and where it lies."""
    spec = {**run.spec, "sources": sources}
    content = {
        **TEMPLATE,
        "run_id": identity.run_id(spec),
        "cell_id": identity.cell_id(spec),
        "env_id": run.env_id,
        "experiment": NAME,
        "baseline": "gan",
        "seed": run.seed,
        "gen_iters": run.gen_iters,
        "final": {**TEMPLATE["final"], "gen_iters": run.gen_iters},
        "curve": [{**TEMPLATE["curve"][-1], "gen_iters": at} for at in spec["evaluate_at"]],
        "digests": {**TEMPLATE["digests"], **dict.fromkeys(_WEIGHTS, identity.digest(run.seed))},
        "spec": spec,
    }
    out = run.directory.parents[3]
    directory = store.run_directory(out, NAME, content["run_id"], run.env_id)
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps(spec))
    (directory / "record.json").write_text(json.dumps(record.sealed(content)))
    return directory


def test_plan_takes_the_runs_and_says_so(file, here, tmp_path):
    directory = made_by(plan.plan(SUITE, tmp_path / "out", "cpu")[0], older(here))
    assert plan.plan(SUITE, tmp_path / "out", "cpu")[0].state.name == "stale"
    equivalence.add([proof(older(here), here)])
    run, other = plan.plan(SUITE, tmp_path / "out", "cpu")
    assert (run.directory, run.state.name) == (directory, "done")
    assert run.spec["sources"] == older(here)
    assert run.state.text().startswith("done: made by equivalent sources, proven by probe of 2026-01-31")
    assert (other.state.name, other.equivalent) == ("not run", "")


def test_plan_does_not_take_what_was_made_in_another_environment_or_has_hardly_begun(file, here, tmp_path):
    run = plan.plan(SUITE, tmp_path / "out", "cpu")[0]
    equivalence.add([proof(older(here), here)])
    directory = made_by(run, older(here))
    elsewhere = directory.with_name(f"{directory.name.split('-')[0]}-{'0' * 8}")
    directory.rename(elsewhere)
    assert plan.plan(SUITE, tmp_path / "out", "cpu")[0].state.name == "stale"
    (elsewhere / "record.json").unlink()
    elsewhere.rename(directory)
    assert plan.plan(SUITE, tmp_path / "out", "cpu")[0].directory == run.directory


def test_check_takes_them_and_says_so(file, here, tmp_path):
    runs = plan.plan(SUITE, tmp_path / "out", "cpu")
    made_by(runs[0], older(here))
    made_by(runs[1], here)
    assert selection.select(SUITE, [tmp_path / "out"], (0, 1)).stale == 1
    equivalence.add([proof(older(here), here)])
    found = selection.select(SUITE, [tmp_path / "out"], (0, 1))
    assert [run.record["seed"] for run in found.runs] == [0, 1]
    assert found.stale == 0
    assert any(note.startswith(f"{NAME}: 1 run made by equivalent sources") for note in found.notes)


def test_a_seed_that_equivalent_sources_made_twice_counts_once_as_it_was_made_last(file, here, tmp_path):
    """Here they differ, which the probe did not see: then the runs of now are judged."""
    runs = plan.plan(SUITE, tmp_path / "out", "cpu")
    made = []
    for sources, day in ((here, 2), (older(here), 1)):
        for run in runs:
            made.append(directory := made_by(run, sources))
            content = store.read_record(directory)
            content["provenance"] = {**content["provenance"], "finished_utc": f"2027-07-0{day}T00:00:00Z"}
            (directory / "record.json").write_text(json.dumps(record.sealed(content)))
    equivalence.add([proof(older(here), here)])
    found = selection.select(SUITE, [tmp_path / "out"], (0, 1), newest=True)
    assert [run.directory for run in found.runs] == made[:2]
    loaded = [LoadedRecord(store.read_record(directory), directory) for directory in made]
    (cell,) = group(loaded).cells
    assert [run.directory for run in cell.runs] == made[:2]


def test_verify_and_the_worker_take_the_sources(file, here):
    spec = {"experiment": experiments.describe(NAME), "numerics": FAITHFUL, "sources": older(here)}
    spec["protocols"] = []
    assert not verify._code_check(spec).ok
    with pytest.raises(UserError, match="the code changed"):
        worker._check_code(spec)
    equivalence.add([proof(older(here), here)])
    assert verify._code_check(spec).ok
    assert "proven by probe of 2026-01-31" in verify._code_check(spec).message
    worker._check_code(spec)


@pytest.mark.parametrize(
    ("git", "where"),
    [
        (None, "that of the plugin's own repository, which the record does not name,"),
        ({"sha": "a" * 40, "dirty": False}, "aaaaaaaaaaaa of the plugin's own repository"),
        (
            {"sha": "a" * 40, "dirty": True},
            "aaaaaaaaaaaa of the plugin's own repository, without changes that were not committed,",
        ),
    ],
)
def test_verify_names_the_commit_of_a_plugin_that_has_changed(git, where, file, here):
    spec = {"experiment": experiments.describe(NAME), "numerics": FAITHFUL, "protocols": []}
    spec["sources"] = {**here, "mine.gan": "0" * 64}
    assert verify._code_check(spec, git).message == (
        f"changed since the run: mine.gan. Check out {where} to compute it again"
    )


def test_reports_average_them_and_say_so(file, here, tmp_path):
    runs = plan.plan(SUITE, tmp_path / "out", "cpu")
    made = (made_by(runs[0], older(here)), made_by(runs[1], here))
    directories = [LoadedRecord(store.read_record(directory), directory) for directory in made]
    assert len(group(directories).cells) == 2
    equivalence.add([proof(older(here), here)])
    grouping = group(directories)
    assert len(grouping.cells) == 1
    assert "proven by probe of 2026-01-31" in grouping.notes[0]
