"""`ganbench sample` on real runs, one with batch statistics and one without; what it refuses, and how."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.records import identity, store
from benchmark.training import checkpoint, draws, trainer

SUITE = """\
title = "Two generators"
experiments = ["gan/digits", "dcgan/digits"]
seeds = [3]
gen_iters = 8
evaluate_every = 8
protocols = ["digits-2k"]
"""


@pytest.fixture(autouse=True)
def _numerics():
    """Those of this process, put back: the command sets those of a run."""
    deterministic, fill = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic
    before = fill.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(deterministic)
    fill.fill_uninitialized_memory = before


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs by experiment, with checkpoints at 4 and 8."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "two.toml").write_text(SUITE)
    command = [sys.executable, "-m", "benchmark", "run", "two.toml", "--device", "cpu", "--jobs", "1"]
    command += ["--checkpoint-iters", "4", "--no-report"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {run.record["experiment"]: run.directory for run in store.records_below(folder)[0]}


@pytest.fixture
def run(runs, tmp_path):
    """A copy of the run with batch statistics, to damage."""
    return shutil.copytree(runs["dcgan/digits"], tmp_path / "run")


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def cells(path, rows, columns, side=32):
    """Images of a sheet, row by row."""
    sheet = pixels(path)
    assert sheet.shape == (rows * (side + 2) - 2, columns * (side + 2) - 2)
    places = [(y * (side + 2), x * (side + 2)) for y in range(rows) for x in range(columns)]
    return [sheet[y : y + side, x : x + side] for y, x in places]


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A run of a conditional experiment, untrained, as its first checkpoint leaves it; and its generator."""
    folder, name = tmp_path_factory.mktemp("conditional"), "dcgan/mnist-conditional"
    experiment = baselines.get(name)
    players = trainer.build(experiment, 5, torch.zeros((1, *experiment.image_shape), dtype=torch.uint8))
    checkpoint.write(folder / "checkpoints", players, {"gen_iters": 0})
    accepted = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
    spec = json.loads(accepted.read_text(encoding="utf-8"))["records"][0]["spec"]
    spec |= {"experiment": baselines.described(name), "dataset": {"name": "mnist", "digest": ""}}
    (folder / "spec.json").write_text(json.dumps({**spec, "seed": 5, "sources": {}}))
    return folder, players.generator


@pytest.mark.parametrize("experiment", [pytest.param("gan/digits", marks=pytest.mark.slow), "dcgan/digits"])
def test_the_grid_has_the_pixels_of_the_runs_own_samples(ganbench, runs, experiment):
    code, out, err = ganbench("sample", runs[experiment], "--out", "grid.png")
    assert (code, out) == (0, "grid.png\n")
    assert err.endswith(f"{experiment}, 8 G-iterations, latents of seed 3\n")
    assert np.array_equal(pixels("grid.png"), pixels(runs[experiment] / "samples" / "000000008.png"))
    assert ganbench("sample", runs[experiment], "--grid", "2x5", "--out", "few.png")[0] == 0
    side = 28 if experiment == "gan/digits" else 32
    few, all_ = cells("few.png", 2, 5, side), cells("grid.png", 8, 8, side)
    assert np.array_equal(few, all_[:10])


@pytest.mark.slow
def test_the_run_is_not_touched(ganbench, runs):
    before = {path: path.read_bytes() for path in runs["dcgan/digits"].rglob("*") if path.is_file()}
    for kind in (["--grid", "2x2"], ["--interpolate"], ["--neighbours"], ["--arithmetic", "1"]):
        assert ganbench("sample", runs["dcgan/digits"], *kind)[0] == 0
    assert {p: p.read_bytes() for p in runs["dcgan/digits"].rglob("*") if p.is_file()} == before


def test_another_seed_is_another_stream(ganbench, runs):
    for seed in (3, 4):
        assert ganbench("sample", runs["gan/digits"], "--seed", seed)[:2] == (
            0,
            f"gan-digits-seed{seed}-8-grid.png\n",
        )
    own, other = (pixels(f"gan-digits-seed{seed}-8-grid.png") for seed in (3, 4))
    assert np.array_equal(own, pixels(runs["gan/digits"] / "samples" / "000000008.png"))
    assert not np.array_equal(own, other)


def on_slide(path, places, *, scale, side=28):
    """Images at (x, y) of their upper left corners on an enlarged sheet, at their own size."""
    sheet = pixels(path)
    assert sheet.shape[1] >= 1200
    found = [sheet[y : y + side * scale, x : x + side * scale] for x, y in places]
    small = [image[::scale, ::scale] for image in found]
    assert all(
        np.array_equal(np.kron(s, np.ones((scale, scale))), image)
        for s, image in zip(small, found, strict=True)
    )
    return small


def test_a_walk_begins_and_ends_at_samples_of_the_grid(ganbench, runs):
    assert ganbench("sample", runs["gan/digits"], "--interpolate", "--out", "walk.png")[0] == 0
    assert ganbench("sample", runs["gan/digits"], "--out", "grid.png")[0] == 0
    places = [(4 * 22 + 120 * x, 2 * 22 + 120 * y) for y in range(8) for x in range(10)]
    walk = np.reshape(on_slide("walk.png", places, scale=4), (8, 10, 28, 28))
    grid = cells("grid.png", 8, 8, 28)
    # As many latents at a time as in the grid, but others beside them: last bits may differ.
    for row in range(8):
        assert np.abs(walk[row, 0].astype(int) - grid[row]).max() <= 1
    assert np.abs(walk[:-1, -1].astype(int) - walk[1:, 0]).max() <= 1


def test_the_sum_of_one_sample_is_that_sample(ganbench, runs):
    assert ganbench("sample", runs["gan/digits"], "--arithmetic", "5 - 2 + 2", "--out", "sum.png")[0] == 0
    assert ganbench("sample", runs["gan/digits"], "--out", "grid.png")[0] == 0
    grid, scale = cells("grid.png", 8, 8, 28), 6
    across, down = 30 * scale, 30 * scale + 49
    term = [((i + 1) * 14 * scale + i * across, 66 + down) for i in range(3)]  # exemplars above their means
    results = (4 * 14 * scale + 3 * across, 66)
    middle = (results[0] + across, 66 + down)
    *shown, around, result = on_slide("sum.png", [*term, results, middle], scale=scale)
    assert np.array_equal(shown, [grid[5], grid[2], grid[2]])
    assert np.abs(result.astype(int) - grid[5]).max() <= 1
    assert np.abs(around.astype(int) - grid[5]).max() > 1


def test_neighbours_are_the_closest_training_images(ganbench, runs):
    code, out, _ = ganbench("sample", runs["dcgan/digits"], "--neighbours", "--out", "near.png")
    assert code == 0
    sheet, training = pixels("near.png").astype(int), frame(data.load("digits", "train"), 32)[:, 0].numpy()
    assert sheet.shape == (4 * 34 - 2, 6 * 34 - 2 + 10)
    rows = [line.split() for line in out.splitlines()[1:5]]
    for row, (sample_, index, distance) in enumerate(rows):
        beside, closest = sheet[row * 34 :, 4 * 34 :][:32, :32], sheet[row * 34 :, 5 * 34 + 10 :][:32, :32]
        squares = ((training - beside) ** 2).sum((1, 2))
        assert int(sample_) == 5 * row + 4
        assert int(index) == squares.argmin()
        assert float(distance) == pytest.approx(np.sqrt(squares.min()), abs=0.06)
        assert np.array_equal(closest, training[squares.argmin()])


def test_a_class(ganbench, conditional):
    run, generator = conditional
    assert ganbench("sample", run, "--class", 3, "--grid", "1x2", "--out", "three.png")[0] == 0
    z = draws.latents("uniform", draws.stream(5, "evaluate", 0), 128, 100)
    classes = draws.random_classes(draws.stream(5, "evaluate", 1), 128, 10)
    shown = []
    for number in (0, 1):  # in the first place of the run's first batch, the rest as it is
        batch, theirs = z.clone(), classes.clone()
        batch[0], theirs[0] = z[number], 3
        with torch.no_grad():
            shown.append((generator.train()(batch, theirs)[0, 0] * 255).round().numpy())
    assert np.abs(np.array(cells("three.png", 1, 2, 28), dtype=float) - shown).max() <= 1
    assert ganbench("sample", run, "--grid", "1x2", "--out", "mixed.png")[0] == 0
    assert classes[0] != 3
    assert not np.array_equal(pixels("three.png"), pixels("mixed.png"))


@pytest.mark.parametrize("kind", [["--interpolate"], ["--arithmetic", "1 - 2"]])
def test_between_classes_there_is_nothing(ganbench, conditional, kind):
    code, _, err = ganbench("sample", conditional[0], *kind)
    assert (
        code,
        err.endswith("ganbench: --class: a conditional generator needs a class. Choose 0 to 9\n"),
    ) == (
        2,
        True,
    )
    assert ganbench("sample", conditional[0], *kind, "--class", 10)[0] == 2


def test_a_class_in_arithmetic(ganbench, conditional):
    assert ganbench("sample", conditional[0], "--arithmetic", "1", "--class", 0)[0] == 0


def test_numbers(ganbench, runs):
    arguments = ("sample", runs["dcgan/digits"], "--grid", "2x3", "--out")
    assert ganbench(*arguments, "plain.png")[0] == 0
    assert ganbench(*arguments, "numbered.png", "--numbered")[0] == 0
    plain, numbered = cells("plain.png", 2, 3), pixels("numbered.png")
    assert numbered.shape == (2 * 80 - 2, 3 * 66 - 2)
    assert np.array_equal(numbered[80:144:2, 66:130:2], plain[4])


def test_a_run_that_is_not_finished_has_pictures_too(ganbench, run):
    (run / "record.json").unlink()
    (run / "progress.json").write_text("{}")
    assert ganbench("sample", run)[0] == 0


def test_code_that_changed_is_told(ganbench, run):
    spec = json.loads((run / "spec.json").read_text())
    spec["sources"]["benchmark/training/sampling.py"] = "0" * 64
    (run / "spec.json").write_text(json.dumps(spec))
    code, _, err = ganbench("sample", run)
    assert code == 0
    assert "The code changed since this run" in err


def test_an_existing_file_is_kept_unless_forced(ganbench, runs, tmp_path):
    here = tmp_path / "here"
    (here / "grid.png").write_text("mine")
    code, out, err = ganbench("sample", runs["gan/digits"], "--out", "grid.png")
    assert (code, out) == (2, "")
    assert err == ("ganbench: --out grid.png: exists already. Name another file with --out, or add --force\n")
    assert (here / "grid.png").read_text() == "mine"
    assert ganbench("sample", runs["gan/digits"], "--out", "grid.png", "--force")[0] == 0
    assert pixels("grid.png").shape == (238, 238)
    assert [path.name for path in here.iterdir()] == ["grid.png"], "no temporary file stays"
    default = ganbench("sample", runs["gan/digits"])[1].strip()
    assert ganbench("sample", runs["gan/digits"])[0] == 2
    assert ganbench("sample", runs["gan/digits"], "--force")[:2] == (0, f"{default}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--grid", "8"], "--grid: cannot draw '8'"),
        (["--grid", "0x8"], "--grid: cannot draw '0x8'"),
        (["--grid", "65x64"], "--grid: cannot draw '65x64'"),
        (["--grid", "8x8", "--interpolate"], "--grid and --interpolate are two pictures"),
        (["--neighbours", "--numbered"], "--numbered does not go with --neighbours"),
        (["--arithmetic", "1,2 * 3"], "--arithmetic: cannot read '1,2 * 3'"),
        (["--arithmetic", "5000"], "--arithmetic: there is no sample 5000"),
        (["--class", "0"], "--class: there is no class 0"),
        (["--out", "grid.jpg"], "--out grid.jpg: pictures are PNG files"),
        (["--out", "nowhere/grid.png"], "--out nowhere/grid.png: there is no such folder"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_refusals(ganbench, runs, tmp_path, arguments, said):
    code, out, err = ganbench("sample", runs["gan/digits"], *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not list((tmp_path / "here").iterdir())


def test_nothing_to_draw(ganbench, run, tmp_path):
    assert ganbench("sample", "nowhere")[0] == 4
    (tmp_path / "here" / "empty").mkdir()
    code, _, err = ganbench("sample", "empty")
    assert (code, err) == (4, "ganbench: empty: no finished run. Name a run directory or a results folder\n")
    shutil.rmtree(run / "checkpoints")
    code, _, err = ganbench("sample", run)
    assert code == 4
    assert "there is no checkpoint" in err
    (run / "spec.json").write_text("[")
    assert ganbench("sample", run)[0] == 4


def test_several_runs_are_too_many(ganbench, runs):
    folder = runs["gan/digits"].parents[2]
    code, _, err = ganbench("sample", folder)
    assert code == 2
    assert "2 runs lie there" in err
    assert ganbench("sample", folder / "gan")[0] == 0


def test_a_damaged_checkpoint(ganbench, run):
    path = run / "checkpoints" / "000000008.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, _, err = ganbench("sample", run)
    assert code == 2
    assert "does not have its recorded SHA-256" in err


def test_an_experiment_that_is_not_here(ganbench, run):
    spec = json.loads((run / "spec.json").read_text())
    spec["experiment"]["name"] = "dcgan/digit"
    (run / "spec.json").write_text(json.dumps(spec))
    code, _, err = ganbench("sample", run)
    assert code == 2
    assert "unknown experiment 'dcgan/digit'. Did you mean 'dcgan/digits'?" in err


def test_weights_of_another_network(ganbench, run):
    spec = json.loads((run / "spec.json").read_text())
    spec["experiment"]["name"] = "wgan/digits"
    (run / "spec.json").write_text(json.dumps(spec))
    code, _, err = ganbench("sample", run)
    assert code == 2
    assert "its generator is another one than in this code" in err


def test_a_code_that_does_not_change_is_not_told(ganbench, run):
    spec = store.read_spec(run)
    assert identity.sources(spec["experiment"], spec["numerics"]) == spec["sources"]
    assert "code" not in ganbench("sample", run)[2]


def test_the_examples_in_the_help_can_be_copied(ganbench):
    code, out, _ = ganbench("sample", "--help")
    (line,) = (line for line in out.splitlines() if line.endswith("--numbered"))
    assert (code, line.split()[:2], "\\b" in out) == (0, ["ganbench", "sample"], False)
