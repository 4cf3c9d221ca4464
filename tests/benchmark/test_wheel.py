"""What pip installs: a wheel has every file that the code reads, and the command works from it alone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ("*.toml", "*.json", "*.bib", "*.npz", "*.safetensors", "*.j2")
"""Files of the two packages that are not code, by their endings."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stdout + done.stderr:
        pytest.skip("hatchling, which builds the wheel, cannot be had here")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("ganbench-*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_every_file_that_is_read(wheel):
    found = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in ("benchmark", "baselines", "ganbench")
        for pattern in ("*.py", "py.typed", *DATA)
        for path in (ROOT / package).rglob(pattern)
    }
    assert {
        "benchmark/data/datasets.toml",
        "benchmark/data/digits.npz",
        "benchmark/evaluation/digits-lenet.safetensors",
        "benchmark/evaluation/digits-lenet.json",
        "benchmark/suites/quick.toml",
        "baselines/claims.toml",
        "baselines/proofs.toml",
        "baselines/references.bib",
        "baselines/catalogue.json",
        "baselines/details.json",
        *(f"{package}/py.typed" for package in ("benchmark", "baselines", "ganbench")),
    } <= expected
    assert expected <= found
    references = {path.name for path in (ROOT / "results" / "reference").glob("*.json")}
    assert "quick.json" in references
    assert {f"benchmark/reference/{name}" for name in references} <= found


@pytest.mark.slow
def test_the_command_works_from_the_wheel_alone(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    for arguments in (["list"], ["show", "gan/mnist"], ["plan", "quick", "--device", "cpu"], ["cite"]):
        assert ganbench(tmp_path, arguments).returncode == 0


@pytest.mark.slow
def test_a_run_in_an_empty_folder_is_checked_against_the_reference_that_came_along(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    one = ["quick", "--experiment", "gan/digits", "--seeds", "0"]
    assert ganbench(tmp_path, ["run", *one, "--device", "cpu"]).returncode == 0
    done = ganbench(tmp_path, ["check", *one])
    assert done.returncode == 0
    assert "undecided (all start as accepted)" in done.stdout or "bit for bit the reference's" in done.stdout
    like = ganbench(tmp_path, ["env", "--device", "cpu", "--like-reference", "quick"])
    assert like.stdout.startswith("The reference was made on ")
    assert not (tmp_path / "results" / "reference").exists()


def ganbench(folder, arguments):
    """The command of the unpacked wheel, in the folder."""
    code = f"import sys; sys.path.insert(0, {str(folder / 'installed')!r}); import benchmark.cli as c; "
    code += f"assert c.__file__.startswith({str(folder)!r}); c.main({arguments!r})"
    environment = {**os.environ, "PYTHONPATH": str(folder / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert not done.stderr.count("Traceback"), done.stderr
    return done
