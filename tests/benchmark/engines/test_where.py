"""Where `ganbench` is called from decides nothing: not what its processes import, nor what they compute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import benchmark

PACKAGE = Path(benchmark.__file__).parent
SUITE = """\
title = "Nothing is scored"
experiments = ["gan/digits"]
seeds = "0-1"
gen_iters = 2
evaluate_every = 1
protocols = []
"""


def called(*arguments, cwd):
    """`ganbench ARGUMENTS` as its script does it, which does not import from the current folder."""
    # An empty entry would be the current folder.
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-P", "-m", "benchmark", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_processes_import_nothing_from_the_current_folder(tmp_path):
    """Runs in a fresh process and in a forked one, and computed again by `verify`."""
    (tmp_path / "benchmark").mkdir()
    for name in ("benchmark/__init__.py", "random.py", "torch.py", "queue.py"):
        (tmp_path / name).write_text("raise SystemExit('not ours')")
    (tmp_path / "one.toml").write_text(SUITE)
    done = called("run", "one.toml", "--device", "cpu", "--jobs", "1", "--no-report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = called("verify", "results", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert sum(entry["subject"] == "bits" for entry in json.loads(done.stdout)) == 2


def test_every_process_is_started_in_one_way():
    """But for those of a probe, which import from a checkout that they are given."""
    sources = (p for p in PACKAGE.rglob("*.py") if "sys.executable" in p.read_text(encoding="utf-8"))
    starting = {p.relative_to(PACKAGE).as_posix() for p in sources}
    assert starting == {"engines/parent.py", "engines/probing/pool.py"}
