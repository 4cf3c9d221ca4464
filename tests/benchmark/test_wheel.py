"""What pip installs: a wheel has every file that the code reads, and the command works from it alone."""

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
        code = f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); import benchmark.cli as c; "
        code += f"assert c.__file__.startswith({str(tmp_path)!r}); c.main({arguments!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
