"""What the verbs that only look say, to a person and to a machine, and what they leave untouched."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import baselines
from benchmark import data, suites
from benchmark.cli import cli, options
from benchmark.data import registry
from benchmark.errors import UserError
from benchmark.records import identity
from benchmark.records import record as records
from benchmark.suites import plan

ALL = tuple(cli.list_commands(None))
KINDS = ("baselines", "experiments", "claims", "suites", "datasets", "protocols")
MIXED = """\
title = "One is ready"
experiments = ["gan/digits", "gan/tfd"]
seeds = [0]
gen_iters = 40
evaluate_every = 10
protocols = []
"""
FEW = """\
title = "Few images"
experiments = ["sngan/cifar10-cnn"]
seeds = [0]
gen_iters = 40
evaluate_every = 10
protocols = []
"""


@pytest.mark.parametrize("verb", ["", *ALL])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_printed_for_every_verb(verb, flag, ganbench):
    code, out, err = ganbench(*[verb] * bool(verb), flag)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: ganbench {verb}".rstrip())
    if verb:
        options = {
            option for p in cli.get_command(None, verb).params for option in p.opts if option.startswith("--")
        }
        assert all(option in out for option in options)
    else:
        assert all(f"  {name} " in out for name in ALL)


def test_there_are_verbs():
    assert {"run", "check", "report", "verify"} <= set(ALL)


def test_no_verb_prints_the_help_as_an_error(ganbench):
    code, out, err = ganbench()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: ganbench ")


def test_the_version_is_the_packages(ganbench):
    from importlib.metadata import version

    assert ganbench("--version") == (0, f"ganbench, version {version('ganbench')}\n", "")


@pytest.mark.parametrize("kind", KINDS)
def test_lists_are_equal_for_people_and_machines(kind, ganbench):
    code, out, err = ganbench("list", kind, "--json")
    assert (code, err) == (0, "")
    entries = json.loads(out)
    code, text, err = ganbench("list", kind)
    assert (code, err) == (0, "")
    for entry in entries:
        assert next(iter(entry.values())) in text


def test_everything_is_listed_without_a_kind(ganbench):
    listed = json.loads(ganbench("list", "--json")[1])
    assert tuple(listed) == KINDS
    assert [entry["experiment"] for entry in listed["experiments"]] == list(baselines.names())
    assert [entry["suite"] for entry in listed["suites"]] == list(suites.names())
    text = ganbench("list")[1]
    assert all(kind in text for kind in KINDS)


def test_a_plan_names_every_run(ganbench):
    arguments = ("plan", "--experiment", "*gan/digits", "--seeds", "5,3", "--budget", 60, "--device", "cpu")
    code, out, err = ganbench(*arguments, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    suite = suites.load("quick").revised(patterns=("*gan/digits",), seeds="5,3", budget=60)
    runs = plan.plan(suite, Path("results"), "cpu")
    assert [(r["experiment"], r["seed"], r["run_id"], r["directory"]) for r in content["runs"]] == [
        (r.experiment, r.seed, r.run_id, str(r.directory)) for r in runs
    ]
    assert {r["state"] for r in content["runs"]} == {"not run"}
    assert {r["gen_iters"] for r in content["runs"]} == {60}
    assert content["expected_hours"] is None
    code, text, err = ganbench(*arguments)
    assert (code, err) == (0, "")
    assert all(run.directory.name in text for run in runs)
    assert f"{len(runs)} runs on cpu: 0 finished, {len(runs)} to do, time unknown" in text


def test_status_counts_the_states(ganbench):
    suite = suites.load("quick").revised(patterns=("gan/*",), seeds="0-2")
    done, failed, _ = plan.plan(suite, Path("results"), "cpu")
    for run in (done, failed):
        run.directory.mkdir(parents=True)
        (run.directory / "spec.json").write_text(json.dumps(run.spec))
    accepted = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
    content = {
        **json.loads(accepted.read_text(encoding="utf-8"))["records"][0],
        "experiment": done.experiment,
        "baseline": "gan",
        "gen_iters": done.gen_iters,
        "cell_id": identity.cell_id(done.spec),
        "run_id": done.run_id,
        "env_id": done.env_id,
        "seed": done.seed,
        "spec": done.spec,
    }
    (done.directory / "record.json").write_text(json.dumps(records.sealed(content)))
    (failed.directory / "events.jsonl").write_text('{"event": "failed", "reason": "[bold]no memory"}\n')
    arguments = ("status", "--experiment", "gan/*", "--seeds", "0-2", "--device", "cpu")
    code, out, err = ganbench(*arguments, "--json")
    assert (code, err) == (0, "")
    assert [(run["seed"], run["state"], run["reason"]) for run in json.loads(out)] == [
        (0, "done", ""),
        (1, "failed", "[bold]no memory"),
        (2, "not run", ""),
    ]
    text = ganbench(*arguments)[1]
    assert "failed: [bold]no memory" in text
    assert "3 runs: 1 done, 1 failed, 1 not run." in text


@pytest.mark.parametrize("name", ["gan/digits", "wgan_gp/digits"])
def test_an_experiment_is_shown_with_everything_known_of_it(name, ganbench):
    experiment = baselines.described(name)
    code, out, err = ganbench("show", name, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    for part in ("generator", "critic"):
        layers = content["networks"][part]
        assert sum(layer["parameters"] for layer in layers) == experiment["parameters"][part]
    assert content["bibtex"].startswith("@")
    text = " ".join(ganbench("show", name)[1].split())
    assert experiment["title"] in text
    assert experiment["paper"]["citation"] in text
    assert experiment["paper"]["key"] in text
    for setting, entry in experiment["settings"].items():
        assert setting in text
        assert entry["confidence"] in text


@pytest.mark.parametrize("name", baselines.names())
def test_every_experiment_can_be_shown(name, ganbench):
    code, out, _ = ganbench("show", name, "--json")
    assert code == 0
    assert json.loads(out)["name"] == name


@pytest.mark.parametrize(
    ("name", "key"),
    [("quick", "seeds"), ("digits", "licence"), ("digits-2k", "metrics")],
)
def test_suites_data_and_protocols_are_shown_too(name, key, ganbench):
    code, out, err = ganbench("show", name, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert content["name"] == name
    assert key in content
    code, text, _ = ganbench("show", name)
    assert code == 0
    assert all(field in text for field in content)


def test_the_environment_is_the_one_that_runs_are_named_by(ganbench):
    code, out, err = ganbench("env", "--device", "cpu", "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    (run, *_) = json.loads(ganbench("plan", "--device", "cpu", "--json")[1])["runs"]
    assert content["env_id"] == run["env_id"]
    text = ganbench("env", "--device", "cpu")[1]
    assert content["env_id"] in text
    assert content["packages"]["torch"] in text


def test_looking_writes_nothing(ganbench):
    for arguments in (["plan"], ["status"], ["list"], ["show", "quick"], ["env"]):
        assert ganbench(*arguments)[0] == 0
        assert list(Path.cwd().iterdir()) == []


ABSENT = """
import sys
from benchmark.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = {"torch", "torchvision", "matplotlib", "pandas", "scipy"} & set(sys.modules)
    if heavy:
        print("imported:", heavy, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["list"],
        ["plan", "--device", "cpu"],
        ["status", "--device", "cpu"],
        ["env", "--device", "cpu"],
        ["show", "quick"],
        ["check"],
        ["check", "--against", "paper"],
        ["accept"],
        ["compare", ".", "."],
        ["rnu"],
    ],
    ids=" ".join,
)
def test_answers_that_need_no_torch_do_not_import_it(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ABSENT, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert "imported:" not in done.stderr
    assert "Traceback" not in done.stderr
    nothing_there = dict.fromkeys(("check", "accept", "compare"), 4)
    assert done.returncode == {"rnu": 2, **nothing_there}.get(arguments[0], 0)


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"'{sys.executable}' -m benchmark list | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stderr == ""


def test_examples_in_the_help_keep_their_lines(ganbench):
    verbs = [[], *([verb] for verb in ALL)]
    for verb in verbs:
        code, text, _ = ganbench(*verb, "--help")
        assert code == 0
        assert "\\b" not in text, verb
    assert "  ganbench plan quick " in ganbench("--help")[1]
    assert "\n  ganbench run quick --experiment 'wgan*' --seeds 0 " in ganbench("run", "--help")[1]


def test_another_data_set_is_part_of_the_commands_that_make_a_result_again(ganbench):
    assert "--dataset digits" in options.commands("quick", (), None, None, "digits", None, Path("results"))
    arguments = ("--experiment", "gan/*", "--seeds", "0", "--device", "cpu", "--json")
    ids = [
        json.loads(ganbench("plan", "quick", *arguments, *rest)[1])["runs"][0]["run_id"]
        for rest in ((), ("--dataset", "digits"))
    ]
    assert ids[0] == ids[1]  # it is the experiment's own


def test_a_folder_of_images_is_called_by_its_content(ganbench, tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    for split, grey in (("train", 10), ("test", 20)):
        for i in range(16):
            path = tmp_path / "pictures of me" / split / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (28, 28), grey + i).save(path)
    name = f"folder:{tmp_path / 'pictures of me'}"
    arguments = ("plan", "--experiment", "wgan_gp/*", "--seeds", "0", "--device", "cpu", "--dataset", name)
    code, _, err = ganbench(*arguments)
    assert code == 2
    assert f"Run 'ganbench data fetch {name}'" in err
    assert ganbench("data", "fetch", name)[0] == 0
    suite = suites.load("quick").revised(patterns=("wgan_gp/*",), seeds="0", dataset=name)
    with pytest.raises(UserError, match=r"needs 1000 real images, .*\(held-out\) has 16"):
        plan.plan(suite, tmp_path, "cpu")
    (run,) = plan.plan(replace(suite, protocols=()), tmp_path, "cpu")
    digest = run.spec["dataset"]["digest"]
    assert run.spec["dataset"]["name"] == f"folder#{digest[:16]}"
    assert "pictures of me" not in json.dumps(run.spec)
    assert data.load(run.spec["dataset"]["name"], "train")[:, 0, 0, 0].tolist() == [*range(10, 26)]


def test_a_job_is_sized_before_its_data_are_there(ganbench, tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    code, out, _ = ganbench("plan", "cifar10", "--seeds", "0-1", "--device", "cpu", "--json")
    content = json.loads(out)
    assert code == 0
    assert len(content["runs"]) == 2 * len(suites.load("cifar10").experiments)
    assert {run["run_id"] for run in content["runs"]} == {None}
    assert {run["reason"] for run in content["runs"]} == {"needs cifar10, Inception weights"}
    images, weights = content["to_fetch"]
    assert (images["name"], weights["name"]) == ("cifar10", "Inception weights")
    assert images["files"] == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]
    assert images["download_bytes"] == registry.definition("cifar10").files[0].n_bytes
    assert images["content_bytes"] == 60_000 * 3 * 32 * 32
    assert weights["download_bytes"] is None, "nobody wrote its size down"
    assert images["free_bytes"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.5)
    assert not (tmp_path / "data").exists()
    shown = " ".join(ganbench("plan", "cifar10", "--device", "cpu")[1].split())
    assert "cifar10 170 MB 184 MB" in shown
    assert "30 runs on cpu: 0 finished, 30 to do, time unknown" in shown


def test_what_is_ready_is_planned_beside_what_is_not(ganbench, tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    Path("mixed.toml").write_text(MIXED)
    runs = json.loads(ganbench("plan", "mixed.toml", "--device", "cpu", "--json")[1])["runs"]
    assert [(run["experiment"], run["state"]) for run in runs] == [
        ("gan/digits", "not run"),
        ("gan/tfd", "not planned"),
    ]
    assert runs[0]["run_id"]
    assert "by hand: its creator" in ganbench("plan", "mixed.toml", "--device", "cpu")[1]


def test_a_data_set_smaller_than_a_minibatch_is_refused_before_any_run(ganbench, tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    for i in range(20):
        path = tmp_path / "few" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (i, 0, 0)).save(path)
    Path("few.toml").write_text(FEW)
    assert ganbench("data", "fetch", f"folder:{tmp_path / 'few'}")[0] == 0
    few = ("few.toml", "--dataset", f"folder:{tmp_path / 'few'}", "--device", "cpu")
    for verb in ("plan", "run"):
        code, _, err = ganbench(verb, *few)
        assert code == 2
        assert "experiment 'sngan/cifar10-cnn': a minibatch has 64 images" in err
        assert "has 20 to train on" in err
    assert not Path("results").exists()


def test_a_paper_without_an_arxiv_number_has_no_empty_one(ganbench, monkeypatch):
    described = baselines.described("gan/digits")
    elsewhere = {**described, "paper": {**described["paper"], "arxiv": ""}}
    monkeypatch.setattr(baselines, "described", lambda _: elsewhere)
    code, out, _ = ganbench("show", "gan/digits")
    assert code == 0
    assert "arXiv:" not in out.split("\n\n", 1)[0]


def test_a_report_of_folders_is_called_by_the_suites_of_its_records(ganbench, synthetic):
    synthetic.put_all(out=Path("res1"))
    synthetic.put_all(out=Path("res2"), env="f" * 64, suite="other")
    assert ganbench("report", "res1", "res2", "--to", "both", "--format", "md")[0] == 0
    text = Path("both/report.md").read_text()
    assert text.startswith("# GAN benchmark: suite other + small\n")
    assert "res2" not in text.split("\n## ", 1)[0]


def test_the_readme_counts_the_embedded_digits_as_they_are():
    digits = data.info("digits")
    n_train, n_all = (
        f"{n:,}".replace(",", " ") for n in (digits.n_train, digits.n_train + digits.n_held_out)
    )
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    assert f"{n_train} of the {n_all} handwritten digits" in readme
