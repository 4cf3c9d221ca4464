"""`ganbench probe` as a command: what can be named, files, exit codes. Nothing is computed here."""

import json
from pathlib import Path

import pytest

import baselines
from benchmark import suites
from benchmark.engines.probing import pool
from benchmark.judging import probe_file
from benchmark.records import shipped

FILE = Path("o", "reference", "probes.json")


@pytest.fixture
def computed(monkeypatch):
    """In place of processes: a result for every experiment, which a test may change; and what was asked.

    No accepted probes come with ganbench.
    """
    changes, asked = {}, []

    def compute(plans, jobs, told):
        asked.append(list(plans))
        results = {
            name: {"experiment": name, "settings": "s", "cpu_s": 1.0, **changes.get(name, {})}
            for name in plans
        }
        for result in results.values():
            told(result)
        return results

    monkeypatch.setattr(pool, "compute", compute)
    monkeypatch.setattr(shipped, "folder", lambda: Path("none"))
    return changes, asked


def outcomes(out):
    return {f["experiment"]: f["outcome"] for f in json.loads(out)["findings"]}


def test_accepted_then_unchanged_then_changed(ganbench, computed):
    changes, _ = computed
    assert ganbench("probe", "gan/digits", "--out", "o")[0] == 4
    code, out, err = ganbench("probe", "gan/digits", "--accept", "--out", "o")
    assert (code, "2 probes accepted" in out) == (0, True)
    assert "[2/2]" in err
    code, out, _ = ganbench("probe", "gan/digits", "wgan/digits", "--json", "--out", "o")
    assert code == 0
    assert outcomes(out) == {"gan/digits": "unchanged", "wgan/digits": "new", "scores": "unchanged"}
    changes["gan/digits"] = {"settings": "other"}
    code, out, _ = ganbench("probe", "gan/digits", "--out", "o")
    assert code == 1
    assert "our code changed: its settings changed" in out


SWEEP = """\
title = "A sweep"
experiments = ["gan/digits"]
seeds = [0]
gen_iters = 2
evaluate_every = 2
protocols = []

[[variants]]
experiment = "gan/digits"
name = "fast"
settings.learning_rate = 1e-3
"""
VARIANT = "gan/digits+fast"


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    yield str(tmp_path / "sweep.toml")
    baselines._registered.clear()


def test_variants_of_a_suite_are_among_its_probes_and_only_there(ganbench, computed, sweep):
    _, asked = computed
    assert ganbench("probe", sweep, "--accept", "--out", "o")[0] == 0
    assert asked == [["gan/digits", VARIANT, "scores"]]
    baselines._registered.clear()
    code, out, _ = ganbench("probe", "--json", "--out", "o")
    assert code == 0
    assert VARIANT not in outcomes(out)
    assert ganbench("probe", "--accept", "--out", "o")[0] == 0
    code, out, _ = ganbench("probe", sweep, "--json", "--out", "o")
    assert outcomes(out) == {"gan/digits": "unchanged", VARIANT: "unchanged", "scores": "unchanged"}


@pytest.mark.slow
def test_a_process_computes_a_variant(sweep):
    suites.load(sweep)
    found = pool.compute(dict.fromkeys([VARIANT, "gan/digits"]), 1)
    assert not [result["error"] for result in found.values() if "error" in result]
    assert len({result["settings"] for result in found.values()}) == 2
    assert found[VARIANT]["bits"] != found["gan/digits"]["bits"]
    sources = pool.sources(Path(__file__).parents[3], [VARIANT, "gan/digits"])
    assert sources[VARIANT] == sources["gan/digits"]


def test_without_accepted_probes_of_its_own_a_folder_has_those_that_come_with_ganbench(ganbench):
    assert shipped.find(probe_file.path_of(Path("o"))) == shipped.folder() / probe_file.NAME


def test_ones_own_accepted_probes_leave_those_that_come_with_ganbench(ganbench, computed, monkeypatch):
    changes, _ = computed
    ganbench("probe", "wgan/digits", "gan/digits", "--accept", "--out", "ours")
    monkeypatch.setattr(shipped, "folder", lambda: Path("ours/reference"))
    changes["wgan/digits"] = {"settings": "mine"}
    ganbench("probe", "wgan/digits", "--accept", "--out", "o")
    changes["gan/digits"] = {"settings": "other"}
    code, out, _ = ganbench("probe", "gan/digits", "wgan/digits", "--json", "--out", "o")
    assert (code, outcomes(out)) == (
        1,
        {"gan/digits": "ours", "wgan/digits": "unchanged", "scores": "unchanged"},
    )


def test_accepting_some_keeps_the_others(ganbench, computed):
    changes, _ = computed
    ganbench("probe", "*/digits", "--accept", "--out", "o")
    changes["gan/digits"] = {"settings": "other"}
    ganbench("probe", "gan/digits", "--accept", "--out", "o")
    blocks, environments = probe_file.read(FILE)
    assert blocks["gan/digits"]["settings"] == "other"
    assert blocks["wgan/digits"]["settings"] == "s"
    assert len(environments) == 1


def test_what_was_accepted_and_is_gone_is_missing_where_all_were_probed(ganbench, computed):
    ganbench("probe", "--accept", "--out", "o")
    blocks, environments = probe_file.read(FILE)
    one = probe_file.block({"experiment": "gone/away"}, next(iter(environments.values())))
    probe_file.write(FILE, {**blocks, "gone/away": one}, environments)
    assert ganbench("probe", "gan/digits", "--out", "o")[0] == 0
    code, out, _ = ganbench("probe", "--json", "--out", "o")
    assert (code, outcomes(out)["gone/away"]) == (1, "missing")


def test_a_failed_probe_is_not_accepted(ganbench, computed):
    changes, _ = computed
    changes["gan/digits"] = {"error": "out of memory"}
    code, _, err = ganbench("probe", "gan/digits", "--accept", "--out", "o")
    assert code == 2
    assert "gan/digits: out of memory. Nothing was accepted" in err
    assert not FILE.exists()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((), baselines.names()),
        (("quick",), [n for n in baselines.names() if n.endswith("/digits")]),
        (("wgan/*its", "gan/digits"), ["gan/digits", "wgan/digits"]),
    ],
)
def test_suites_patterns_and_names(ganbench, computed, named, expected):
    ganbench("probe", *named, "--out", "o")
    assert computed[1] == [[*expected, "scores"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["qiuck"], "'qiuck' is neither a suite nor an experiment. Did you mean 'quick'?"),
        (["gan/digit"], "no experiment matches 'gan/digit'. Did you mean 'gan/digits'?"),
        (["--reference", "none.json"], "--reference none.json: there is no such file"),
        (["--accept", "--equal-to", "HEAD"], "exclude each other"),
        (["--equal-to", "HEAD", "--reference", "x"], "does not go with --equal-to"),
        (["--equal-to", "no-such-commit"], "there is no such commit"),
    ],
)
def test_usage_errors_are_one_line(ganbench, computed, arguments, said):
    code, _, err = ganbench("probe", *arguments)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_a_file_that_is_none_is_refused(ganbench, computed):
    FILE.parent.mkdir(parents=True)
    FILE.write_text("[]")
    code, _, err = ganbench("probe", "gan/digits", "--out", "o")
    assert code == 2
    assert "is no file of accepted probes" in err
