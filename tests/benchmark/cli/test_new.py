"""A package of one's own: written, checked by its own test and by `check-baseline`, trained beside ours."""

import json
import os
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

VARIANT = """
[[variants]]
experiment = "ourgan/digits"
name = "fast"
settings.learning_rate = 1e-3
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a package in it, which is installed there as pip would."""
    folder = tmp_path_factory.mktemp("own")
    code, out, err = ganbench("new", "ourgan", "--folder", "package ä", cwd=folder)
    assert (code, err) == (0, "")
    info = folder / "package ä" / "ourgan-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ourgan\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[ganbench.baselines]\nourgan = ourgan\n")
    return folder, out


def ganbench(*arguments, cwd, **about):
    return started("-m", "benchmark", *arguments, cwd=cwd, **about)


def started(*arguments, cwd, site=None, **about):
    path = [str(site)] if site else []
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*path, *filter(None, sys.path)]),
        "XDG_CACHE_HOME": str(cwd / "cache"),
    }
    command = [sys.executable, *map(str, arguments)]
    about |= {"capture_output": True, "text": True, "check": False, "timeout": 800}
    done = subprocess.run(command, cwd=cwd, env=env, **about)
    return done.returncode, done.stdout, done.stderr


def test_next_commands_are_told_and_nothing_is_overwritten(home):
    folder, out = home
    assert out.splitlines()[1:] == [
        "  pip install -e 'package ä'",
        "  ganbench check-baseline ourgan/digits",
        "  ganbench run 'package ä/ourgan.toml'",
    ]
    code, _, err = ganbench("new", "ourgan", "--folder", "package ä", cwd=folder)
    assert (code, err) == (2, "ganbench: package ä: is there already. Choose another with --folder\n")
    assert not [f for f in (folder / "package ä").iterdir() if "mygan" in f.name + _text(f)]


@pytest.mark.parametrize("folder", ["inside/ourgan", "there"])
def test_where_writing_fails_midway_nothing_is_left(folder, tmp_path):
    def bounded():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # bytes; only the first file is so small

    (tmp_path / "there").mkdir()
    asked = ("new", "ourgan", "--folder", folder)
    code, _, err = ganbench(*asked, cwd=tmp_path, preexec_fn=bounded)
    assert (code, err) == (2, f"ganbench: {folder}: cannot be written (File too large)\n")
    assert [path for path in tmp_path.rglob("*") if "cache" not in str(path)] == [tmp_path / "there"]
    assert ganbench(*asked, cwd=tmp_path)[0] == 0


def _text(file):
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My-Gan", "'My-Gan' is no name for it"),
        ("class", "'class' is no name for it"),
        ("../x", "'../x' is no name for it"),
        ("torch", "the name 'torch' is taken"),
        ("json", "the name 'json' is taken"),
        ("setup", "the name 'setup' is taken"),
        ("conftest", "the name 'conftest' is taken"),
        ("wgan", "the name 'wgan' is taken"),
        ("probes", "the name 'probes' is taken"),
        ("quick", "the name 'quick' is taken"),
    ],
)
def test_what_can_be_no_package_is_told_in_a_line(tmp_path, name, says):
    code, _, err = ganbench("new", name, cwd=tmp_path)
    assert code == 2
    assert err.startswith(f"ganbench: {says}")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("*.toml"))


def test_a_loop_that_lies_beside_is_in_the_wheel_and_the_test_is_not(home):
    pytest.importorskip("hatchling")
    folder, _ = home
    package = altered(folder, "with a loop", "", "")
    (package / "loop.py").touch()
    code, out, err = started("-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheels", cwd=package)
    assert code == 0, out + err
    (wheel,) = (folder / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as content:
        assert [name for name in content.namelist() if "/" not in name] == ["loop.py", "ourgan.py"]


@pytest.mark.slow
def test_its_own_test_passes_and_it_is_lint_clean(home):
    folder, _ = home
    site = folder / "package ä"
    code, out, err = started("-m", "pytest", "-q", "-p", "no:cacheprovider", site, cwd=folder, site=site)
    assert code == 0, out + err
    assert "1 passed" in out


def test_the_contract_is_kept_and_the_speed_is_told(home):
    folder, _ = home
    code, out, err = ganbench("check-baseline", "ourgan/*", cwd=folder, site=folder / "package ä")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "ourgan/digits"
    assert {line.split()[0] for line in lines[1:-1]} == {"ok"}
    assert "G-iterations/s" in lines[-1]


def altered(folder, name, old, new):
    """A copy of the installed package in which something else is written."""
    copy = folder / name
    (copy / "ourgan-0.1.0.dist-info").mkdir(parents=True)
    for file in (folder / "package ä").glob("**/*"):
        if file.is_file():
            text = _text(file) if "pycache" not in str(file) else ""
            target = copy / file.relative_to(folder / "package ä")
            target.parent.mkdir(exist_ok=True)
            target.write_text(text.replace(old, new) if old else text)
    return copy


def test_a_failure_is_one_line_with_its_place_and_exit_code_1(home):
    folder, _ = home
    broken = altered(folder, "broken", "draws.latent(s.batch)", "draws.latent(s.batch).sigmoid()")
    code, out, err = ganbench("check-baseline", "ourgan/digits", cwd=folder, site=broken)
    assert code == 1, err
    (failure,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert failure.startswith("FAIL  latents: ourgan.py:3")
    assert "the prior 'normal'" in failure
    assert "G-iterations/s" not in out


LATE = """
    if k == 7:
        import threading
        threading.Thread(target=threading.Event().wait).start()
        raise ValueError("too late")
    return {"critic"
"""


@pytest.mark.slow
def test_a_late_failure_is_a_line_too_and_no_thread_keeps_the_command_from_ending(home):
    folder, _ = home
    late = altered(folder, "late", '\n    return {"critic"', LATE.rstrip("\n"))
    code, out, err = ganbench("check-baseline", "ourgan/digits", cwd=folder, site=late)
    assert (code, "Traceback" in err) == (1, False)
    [failure] = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert failure.startswith("FAIL  training: ourgan.py:")
    assert failure.endswith("ValueError: too late (at G-iteration 7)")


@pytest.mark.slow
def test_it_is_trained_and_reported_beside_ours(home):
    folder, _ = home
    site = folder / "package ä"
    suite = folder / "ourgan.toml"
    text = (site / "ourgan.toml").read_text(encoding="utf-8")
    suite.write_text(text + VARIANT, encoding="utf-8")
    asked = ("run", suite, "--budget", 4, "--seeds", 0, "--experiment", "ourgan/*", "--device", "cpu")
    code, out, err = ganbench(*asked, cwd=folder, site=site)
    assert code == 0, err
    assert "ourgan/digits" in out
    report = (folder / "results/reports/ourgan/report.html").read_text(encoding="utf-8")
    assert "stated by you" in report
    assert "default of ganbench" in report
    assert "ourgan/digits+fast" in report
    (run,) = folder.glob("results/runs/ourgan/digits+fast/*")
    code, out, err = ganbench("evaluate", run, "--protocol", "digits-2k", "--json", cwd=folder, site=site)
    assert code == 0, err
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    assert record["spec"]["experiment"]["settings"]["learning_rate"]["value"] == 1e-3
    assert json.loads(out)["results"][0]["scores"] == record["final"]["scores"]["digits-2k"]
    mixed = (*asked, "--numerics", "bf16-mixed", "--experiment", "ourgan/digits")
    code, out, err = ganbench(*mixed, cwd=folder, site=site)
    assert code == 0, err
    assert "ourgan/digits [bf16-mixed]" in out
    runs = list(folder.glob("results/runs/ourgan/digits/*"))
    assert len(runs) == 2
    for run in runs:  # another process computes the same bits again
        assert ganbench("verify", run, cwd=folder, site=site)[0] == 0
    code, out, _ = ganbench("show", "ourgan/digits", cwd=folder, site=site)
    assert code == 0
    assert "of one's own" in out
    assert "arXiv" not in out


def pictures(folder, n, shape):
    folder.mkdir(parents=True)
    for i in range(n):
        pixels = np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04d}.png")


@pytest.mark.slow
def test_it_is_trained_and_scored_on_a_folder_of_pictures(home):
    folder, _ = home
    site, data = folder / "package ä", folder / "my pictures"
    pictures(data / "train", 40, (28, 28))
    pictures(data / "test", 1000, (28, 28))
    narrowed = ("--seeds", 0, "--experiment", "ourgan/digits", "--device", "cpu", "--out", "of-folder")
    suite = (site / "ourgan.toml", "--dataset", "folder:my pictures@24", "--budget", 2, *narrowed)
    code, out, err = ganbench("run", *suite, cwd=folder, site=site)
    assert code == 0, err
    assert "1x24x24" in err
    assert "ourgan/digits" in out
    (run,) = folder.glob("of-folder/runs/ourgan/digits/*")
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    kind, _, content = record["spec"]["dataset"]["name"].partition("#")
    assert kind == "folder"
    assert str(data) not in json.dumps(record)
    assert content in (folder / "of-folder/reports/ourgan/report.md").read_text(encoding="utf-8")
    code, out, err = ganbench("evaluate", run, "--json", cwd=folder, site=site)
    assert code == 0, err
    assert json.loads(out)["results"][0]["scores"] == record["final"]["scores"]["digits-2k"]
    assert ganbench("verify", run, cwd=folder, site=site)[0] == 0


def test_a_folder_that_does_not_fit_is_refused_before_anything_is_trained(home):
    folder, _ = home
    site = folder / "package ä"
    pictures(folder / "few", 40, (28, 28))
    pictures(folder / "colour", 40, (28, 28, 3))
    for name, says in (
        ("few", "needs 1000 real images, but 'folder#"),
        ("colour", "its networks see 1x28x28, 'folder:colour' has 3x28x28"),
    ):
        asked = ("run", site / "ourgan.toml", "--dataset", f"folder:{name}", "--device", "cpu", "--out", name)
        code, _, err = ganbench(*asked, "--experiment", "ourgan/digits", cwd=folder, site=site)
        assert code == 2
        assert says in err.splitlines()[-1]
        assert not list(folder.glob(f"{name}/runs/*"))
