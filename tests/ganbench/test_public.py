"""The public name: everything it promises is there, light, and gives what the command gives."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import baselines
import ganbench
from baselines import catalogue, spec
from benchmark.cli.evaluate import evaluate
from benchmark.records import store
from benchmark.training import trainer

ROOT = Path(__file__).parents[2]
REFERENCE = json.loads(ROOT.joinpath("results", "reference", "quick.json").read_text(encoding="utf-8"))
SCORING = {"protocol": "digits-2k", "data": "digits"}


@pytest.fixture
def results(tmp_path):
    """A results folder with the accepted records of `quick`."""
    for number, record in enumerate(REFERENCE["records"]):
        directory = tmp_path / "results" / "runs" / record["experiment"] / str(number)
        directory.mkdir(parents=True)
        (directory / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return tmp_path / "results"


def test_all_names_are_there_and_no_others():
    assert set(dir(ganbench)) == {*ganbench.__all__, "__version__"}
    for name in ganbench.__all__:
        assert getattr(ganbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trainer'"):
        _ = ganbench.trainer
    assert ganbench.Settings is spec.Settings


def test_results_need_no_torch(results):
    code = (
        "import sys, ganbench as g; assert 'numpy' not in sys.modules; g.experiments('gan/*'); "
        f"g.describe('gan/digits'); g.load_results({str(results)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


def test_it_is_the_command_too():
    command = [sys.executable, "-m", "ganbench", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"ganbench, version {ganbench.__version__}\n"


def test_what_the_page_says_runs(results, monkeypatch):
    monkeypatch.chdir(results.parent)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown, checked, value = {}, 0, None
    for line in filter(None, block.splitlines()):
        statement, _, comment = line.partition("  # ")
        if statement.startswith(("experiment.", "final.", "ganbench.")):
            value = eval(statement, shown)
            if statement.startswith("experiment."):
                assert repr(value) == comment
                checked += 1
        else:
            exec(statement, shown)
    assert checked == 2
    assert len(shown["final"]) == len(REFERENCE["records"])
    assert value > 0


# --- Experiments ----------------------------------------------------------------------------------------


def test_experiments_by_name_and_by_pattern():
    assert ganbench.experiments() == baselines.names()
    assert ganbench.experiments("sngan/d*", "gan/digits") == ("gan/digits", "sngan/digits")
    with pytest.raises(ganbench.UserError, match="Did you mean 'gan/digits'"):
        ganbench.experiments("gan/digit")
    with pytest.raises(ganbench.UserError, match="Did you mean 'gan/digits'"):
        ganbench.get("gan/digit")


def test_an_experiment_is_that_of_the_registry_and_shows_itself():
    experiment, known = ganbench.get("wgan_gp/digits"), ganbench.describe("wgan_gp/digits")
    assert vars(experiment) == vars(baselines.get("wgan_gp/digits"))
    shown = experiment._repr_html_()
    assert known["bibtex"].startswith("@")
    for text in (
        known["title"],
        known["settings"]["penalty"]["source"],
        "in_features=128, out_features=1024",
    ):
        assert text in shown


def test_what_is_shown_is_escaped():
    named = replace(ganbench.get("gan/digits"), name="mine/digits", title="<script>1</script>")
    ganbench.register(named)
    try:
        shown = ganbench.get("mine/digits")._repr_html_()
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown
    finally:
        baselines._registered.clear()


def test_who_writes_a_baseline_with_it_depends_on_the_vocabulary(tmp_path):
    for statement in ("import ganbench", "from ganbench import Experiment, cited"):
        file = tmp_path / "own.py"
        file.write_text(statement)
        vocabulary = catalogue.sources("baselines.steps")
        assert set(catalogue.sources("own", {"own": file})) == {"own", *vocabulary}


# --- Results --------------------------------------------------------------------------------------------


def test_a_row_per_run_point_protocol_and_metric(results):
    frame = ganbench.load_results(results)
    expected = [
        (r["run_id"], p["gen_iters"], protocol, metric, value)
        for r in REFERENCE["records"]
        for p in r["curve"]
        for protocol, scores in p["scores"].items()
        for metric, value in scores.items()
    ]
    columns = ["run_id", "gen_iters", "protocol", "metric", "value"]
    assert sorted(frame[columns].itertuples(index=False, name=None)) == sorted(expected)
    assert set(frame["suite"]) == {"quick"}
    assert {"cell_id", "env_id", "seed", "dataset", "budget_gen_iters"} <= set(frame.columns)
    assert frame.attrs["folders"] == [str(results)]
    for key, directory in frame.attrs["records"].items():
        record = store.read_record(Path(directory))
        assert key == f"{record['run_id']} {record['env_id']}"


def test_a_run_that_lies_in_two_folders_counts_once(results):
    one = next(results.joinpath("runs", "gan", "digits").iterdir())
    assert len(ganbench.load_results(results, one)) == len(ganbench.load_results(results))
    assert set(ganbench.load_results(one)["experiment"]) == {"gan/digits"}


def test_no_results_are_told(tmp_path):
    with pytest.raises(ganbench.UserError, match=r"nowhere: there is no such folder"):
        ganbench.load_results(tmp_path / "nowhere")
    with pytest.raises(ganbench.UserError, match=r"no record"):
        ganbench.load_results(tmp_path)


# --- Scores ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2000, 1, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def scored(pictures):
    return ganbench.evaluate(pictures, **SCORING)


def test_an_array_a_tensor_and_a_folder_of_the_same_images_score_the_same(pictures, scored, tmp_path):
    for number, picture in enumerate(pictures):
        Image.fromarray(picture[0]).save(tmp_path / f"{number:04d}.png")
    as_floats = torch.from_numpy(pictures).float() / 255
    assert set(scored.scores["digits-2k"]) == {"is", "fid"}
    assert ganbench.evaluate(tmp_path, **SCORING).scores == scored.scores
    assert ganbench.evaluate(as_floats, value_range=(0.0, 1.0), **SCORING).scores == scored.scores


def test_a_module_is_scored_in_evaluation_mode_and_left_as_it_was():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(8, 784), nn.BatchNorm1d(784), nn.Dropout(), nn.Unflatten(1, (1, 28, 28)))
    layers[1].eval()
    modes = [m.training for m in layers.modules()]
    state = {key: value.clone() for key, value in layers.state_dict().items()}
    by_module = ganbench.evaluate(layers, latent=8, seed=3, **SCORING)
    assert [m.training for m in layers.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in layers.state_dict().items())
    layers.eval()
    by_function = ganbench.evaluate(lambda z: layers(z), latent=8, seed=3, **SCORING)
    assert by_module.scores == by_function.scores
    assert by_module.images == {"prior": "normal", "latent": 8, "seed": 3}
    assert ganbench.evaluate(layers, latent=8, seed=4, **SCORING).scores != by_module.scores


def trained(evaluated):
    """What a small training ends with: weights, gradients and the next random number."""
    torch.manual_seed(1)
    generator = nn.Sequential(
        nn.Linear(8, 784), nn.BatchNorm1d(784), nn.Dropout(), nn.Unflatten(1, (1, 28, 28))
    )
    optimiser = torch.optim.Adam(generator.parameters())
    for _ in range(2):
        optimiser.zero_grad()
        generator(torch.randn(4, 8)).square().mean().backward()
        if evaluated:
            assert ganbench.evaluate(generator, latent=8, **SCORING)["fid"] > 0
        optimiser.step()
    gradients = [p.grad for p in generator.parameters()]
    assert all(p.requires_grad for p in generator.parameters())
    assert torch.is_grad_enabled()
    return [*generator.state_dict().values(), *gradients, torch.randn(3)]


def test_a_training_loop_is_the_same_with_and_without_scores():
    without, with_scores = trained(evaluated=False), trained(evaluated=True)
    assert all(map(torch.equal, without, with_scores))


@pytest.mark.parametrize("name", ["gan/digits", "sngan/digits"])
def test_a_module_scores_as_the_command_scores_its_weights(name, tmp_path):
    experiment, file = ganbench.get(name), tmp_path / "generator.pth"
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)
    generator = trainer.build(experiment, 0, black).generator
    torch.save(generator.state_dict(), file)
    settings = experiment.settings
    by_module = ganbench.evaluate(
        generator,
        latent=settings.latent,
        prior=settings.prior,
        value_range=experiment.image_range,
        seed=5,
        **SCORING,
    )
    arguments = ["--experiment", name, "--seed", "5", "--protocol", "digits-2k", "--device", "cpu", "--json"]
    done = CliRunner().invoke(evaluate, [str(file), *arguments], standalone_mode=False)
    assert json.loads(done.stdout)["results"][0]["scores"] == by_module.scores["digits-2k"]


def test_a_result_is_read_by_metric_and_shows_itself(scored):
    assert scored["fid"] == scored.scores["digits-2k"]["fid"]
    with pytest.raises(KeyError, match="0 protocols have 'kid'"):
        scored["kid"]
    shown = scored._repr_html_()
    assert f"{scored['fid']:.6g}" in shown
    assert "never" in shown
    assert scored.protocols["digits-2k"]["note"][:40] in shown


@pytest.mark.parametrize(
    ("source", "arguments", "says"),
    [
        (np.zeros((5, 1, 28, 28), np.uint8), {}, "the array: holds 5 images, but 2000 are needed"),
        (np.zeros((2000, 28, 28), np.uint8), {}, r"is 2000x28x28, not \[N,C,H,W\]"),
        (np.zeros((2000, 28, 28, 1), np.uint8), {}, r"is 2000x28x28x1, not \[N,C,H,W\]"),
        (np.zeros((2000, 1, 28, 28), np.int64), {}, "holds torch.int64"),
        (np.full((2000, 1, 28, 28), np.nan, np.float32), {}, "nothing to score: .* are NaN or Inf"),
        (nn.Linear(8, 4), {"latent": 8}, r"Linear: its output is no floating-point tensor \[N,C,H,W\]"),
        (nn.Linear(8, 4), {"latent": 9}, "Linear: cannot generate from 9 values"),
        (lambda z: torch.zeros(1, 1, 28, 28), {}, "the callable: gives 1 images for 500 latents"),
        (lambda z: z, {"protocol": None}, "nothing says how to score"),
        (lambda z: z, {"data": None}, "what are the images to be compared with"),
        (lambda z: z, {"protocol": "digits-2"}, "Did you mean 'digits-2k'"),
        (lambda z: z, {"data": "digit"}, "Did you mean 'digits'"),
        (lambda z: z, {"data": "DIGITS"}, "Did you mean 'digits'"),
        (lambda z: z, {"protocol": "svm-cifar10"}, "scores critics"),
        ("nowhere", {}, "nowhere: there is no such file or folder"),
    ],
)
def test_what_cannot_be_scored_is_told(source, arguments, says):
    with pytest.raises(ganbench.UserError, match=says):
        ganbench.evaluate(source, **{**SCORING, **arguments})
