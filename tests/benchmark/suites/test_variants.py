"""Sweeps: experiments with other settings, named by a suite."""

import json
import subprocess
import sys

import pytest

import baselines
from baselines import kept
from benchmark import suites
from benchmark.errors import UserError
from benchmark.records import bounded, identity
from benchmark.suites import plan
from benchmark.suites.spec import spec_without_seed

SUITE = """\
title = "A sweep"
experiments = ["gan/digits", "*/digits"]
seeds = [0]
gen_iters = 2
evaluate_every = 2
protocols = []
"""
SLOW = """
[[variants]]
experiment = "gan/digits"
name = "lr-1e-3"
settings.learning_rate = 1e-3
settings.batch = 8
"""


@pytest.fixture(autouse=True)
def _registry(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    baselines._registered.clear()


@pytest.fixture
def load(tmp_path):
    def loaded(variants=""):
        path = tmp_path / "sweep.toml"
        path.write_text(SUITE + variants, encoding="utf-8")
        return suites.load(str(path))

    return loaded


def test_a_variant_is_a_named_experiment_with_other_settings(load):
    suite = load(SLOW)
    assert suite.experiments[-1] == "gan/digits+lr-1e-3"
    assert load(SLOW).experiments == suite.experiments
    varied, base = baselines.get("gan/digits+lr-1e-3"), baselines.get("gan/digits")
    changed = {k for k, v in varied.settings.values().items() if v != getattr(base.settings, k)}
    assert changed == {"learning_rate", "batch"}
    setting = baselines.described("gan/digits+lr-1e-3")["settings"]["learning_rate"]
    assert setting == {
        "value": 1e-3,
        "source": "variant 'lr-1e-3' of the suite 'sweep'",
        "confidence": "suite",
    }
    assert load().experiments == suite.experiments[:-1]


def test_it_belongs_to_the_identity(load):
    suite = load(SLOW)
    specs = {n: spec_without_seed(suite, n, "cpu") for n in ("gan/digits", "gan/digits+lr-1e-3")}
    one, other = map(identity.cell_id, specs.values())
    assert one != other
    assert [run.experiment for run in plan.plan(suite, suites._FOLDER / "nowhere", "cpu")][-1] in specs
    twice = load(SLOW.replace("1e-3\n", "2e-3\n"))
    assert identity.cell_id(spec_without_seed(twice, "gan/digits+lr-1e-3", "cpu")) != other


def test_another_process_revives_it_from_its_description(load):
    load(SLOW)
    description = baselines.described("gan/digits+lr-1e-3")
    baselines._registered.clear()
    with pytest.raises(baselines.UnknownExperiment):
        baselines.get("gan/digits+lr-1e-3")
    baselines.revive(description)
    assert baselines.described("gan/digits+lr-1e-3") == description
    assert baselines.get("gan/digits+lr-1e-3").settings.batch == 8


@pytest.mark.parametrize(
    ("old", "new", "says", "do"),
    [
        (
            "settings.learning_rate",
            "settings.learning_rat",
            "'gan/digits' has no setting",
            "'learning_rate'?",
        ),
        ('"gan/digits"\nname', '"gan/digit"\nname', "unknown experiment 'gan/digit'", "'gan/digits'?"),
        ('name = "lr-1e-3"', 'name = "a/b"', "'a/b' can be no variant's name", "letters"),
        ('name = "lr-1e-3"', 'nam = "x"', "unknown key 'nam'", "'name'?"),
        ('name = "lr-1e-3"\n', "", "the key 'name' is missing", ""),
        (
            "settings.learning_rate = 1e-3\nsettings.batch = 8",
            "settings = 5",
            "must be a table",
            "settings.NAME",
        ),
        ("[[variants]]", "[variants]", "must be tables", "[[variants]]"),
        ("batch = 8", "batch = 0", "must be at least 1, not 0", ""),
        ("batch = 8", "batch = -4", "must be at least 1, not -4", ""),
        ("= 1e-3", '= "fast"', "must be a number, not 'fast'", ""),
        ("batch = 8", 'batch = "8"', "must be a number, not '8'", ""),
        ("batch = 8", "batch = true", "must be a number, not True", ""),
        ("batch = 8", "batch.size = 8", "must be a number, not {'size': 8}", ""),
        ("= 1e-3\nsettings.batch = 8", "= 0.1", "has the settings of 'gan/digits'", "leave it out"),
        ("= 1e-3", "= inf", "must be a finite number, not inf", ""),
        ("= 1e-3", "= [[{ a = nan }]]", "must be a finite number, not nan", ""),
        ("batch = 8", "batch = 1979-05-27", "a date or time is no setting: '1979-05-27'", "a number"),
        (
            "batch = 8",
            "batch = [8, { a = 07:32:00 }]",
            "a date or time is no setting: '07:32:00'",
            "a number",
        ),
        ("batch = 8", "batch = 1979-05-27T07:32:00Z", "a date or time is no setting", "a number"),
        ("= 1e-3", f"= {2**65}", f"a whole number is at most 2^64, not {2**65}", "like 1e20"),
        ("= 1e-3", f"= [-1{'0' * 400}]", "a whole number is at most 2^64, not -10000", "like 1e20"),
        ("= 1e-3", f"= {'[' * 20}{']' * 20}", "is nested deeper than 12 levels", ""),
    ],
)
def test_what_is_no_variant_is_told(load, old, new, says, do):
    assert old in SLOW
    with pytest.raises(UserError) as told:
        load(SLOW.replace(old, new))
    assert says in told.value.what
    assert do in told.value.do
    assert "variants" in told.value.where


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("batch = 8", "batch = 50.0", "'sweep': batch must be a whole number, not 50.0"),
        (
            "batch = 8",
            'batch = 8\nsettings.prior = "gauss"',
            "prior must be one of 'normal', 'uniform', 'uniform-sqrt3', not 'gauss'",
        ),
        ('"gan/digits"\nname', '"dcgan/digits"\nsettings.beta1 = -1.0\nname', "cannot be built"),
    ],
)
def test_what_cannot_be_made_is_told_before_anything_is_planned(load, old, new, says):
    assert old in SLOW
    suite = load(SLOW.replace(old, new))
    with pytest.raises(UserError) as told:
        plan.plan(suite, suites._FOLDER / "nowhere", "cpu")
    assert says in told.value.what
    assert "\n" not in str(told.value)


def test_a_suite_is_loaded_without_torch(load, tmp_path):
    load(SLOW)
    code = (
        "import sys; from benchmark import suites; "
        f"print(suites.load({str(tmp_path / 'sweep.toml')!r}).experiments[-1], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "gan/digits+lr-1e-3 False\n"


def test_it_is_planned_without_torch_once_it_was_made(load, tmp_path):
    suite = load(SLOW)
    made = baselines.described(suite.experiments[-1])
    code = (
        "import json, sys, baselines; from benchmark import suites; "
        f"suite = suites.load({str(tmp_path / 'sweep.toml')!r}); "
        "print(json.dumps([baselines.described(suite.experiments[-1]), 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [made, False]


def test_what_was_kept_and_altered_is_not_believed(load, tmp_path):
    name = load(SLOW).experiments[-1]
    made = baselines.described(name)
    (path,) = (tmp_path / "cache").rglob("variants/*.json")
    altered = json.loads(json.dumps(made))
    altered["settings"]["batch"]["value"] = 9
    kept.write(path, {"description": altered})
    load(SLOW)
    assert baselines.described(name) == altered
    with pytest.raises(baselines.BrokenVariant, match="was altered"):
        baselines.get(name)
    load(SLOW)
    assert baselines.described(name) == made
    path.write_text("{")
    load(SLOW)
    assert baselines.described(name) == made


def test_the_largest_whole_number_comes_back_from_a_spec(load):
    suite = load(SLOW.replace("= 1e-3", f"= {2**64}"))
    spec = spec_without_seed(suite, suite.experiments[-1], "cpu")
    again = bounded.parse(json.dumps(spec).encode())
    assert again["experiment"]["settings"]["learning_rate"]["value"] == 2**64


def test_two_of_a_name_are_refused(load):
    with pytest.raises(UserError, match="two variants"):
        load(SLOW + SLOW)
    with pytest.raises(UserError, match="two variants"):  # their files would have one name on some disks
        load(SLOW + SLOW.replace("lr-1e-3", "LR-1E-3"))


def test_two_that_would_train_the_same_are_refused(load):
    with pytest.raises(UserError, match=r"'gan/digits\+again' has the settings of 'gan/digits\+lr-1e-3'"):
        load(SLOW + SLOW.replace('"lr-1e-3"', '"again"').replace("batch = 8", "batch = 8.0"))
