"""Copies of ganbench's sources for `planted.py`: as they are, on another machine, or with a bug."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Arm:
    """A legitimate environment, simulated: other kernels of the library, threads or memory layouts.

    Attributes:
        name: of the arm.
        what: for readers of the table.
        env: variables of its processes.
        edits: of sources, each `(path, old, new)`; an empty `old` makes a new file.

    """

    name: str
    what: str
    env: dict = field(default_factory=dict)
    edits: tuple = ()


AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
PASSIVE = {"OMP_WAIT_POLICY": "passive"}
"""For two threads on a shared machine; changes no number."""
THREADS = ("benchmark/records/environment.py", "THREADS = 1\n", "THREADS = 2\n")
CONTIGUOUS = (
    "benchmark/training/trainer.py",
    "network.to(memory_format=memory_format)",
    "network.to(memory_format=torch.contiguous_format)",
)
WITHOUT_ONEDNN = """\
import sys

if "benchmark.engines" in " ".join(sys.orig_argv):
    import torch

    torch._C._set_mkldnn_enabled(False)
"""
OTHER = Arm(
    "other machine",
    "AVX2, two threads and contiguous memory, all at once",
    AVX2 | PASSIVE,
    (THREADS, CONTIGUOUS),
)
"""Where bugs are looked for; the reference is made without any arm."""
ARMS = (
    OTHER,
    Arm("AVX2", "ATen and oneDNN without AVX-512", AVX2),
    Arm("ATen default", "ATen's kernels without vector instructions", {"ATEN_CPU_CAPABILITY": "default"}),
    Arm(
        "no oneDNN",
        "convolutions and products without oneDNN",
        {},
        (("sitecustomize.py", "", WITHOUT_ONEDNN),),
    ),
    Arm("two threads", "two threads a run", PASSIVE, (THREADS,)),
)


def make(clean, to, arm=None, bug=None):
    """A copy with the edits of the arm and the bug. A catalogue that no longer fits is not read."""
    shutil.rmtree(to, ignore_errors=True)
    copy(clean, to)
    edits = list(arm.edits) if arm else []
    if arm:
        described = 'return line.split(":", 1)[1].strip()'
        named = f'return line.split(":", 1)[1].strip() + " ({arm.name})"'
        edits.append(("benchmark/records/environment.py", described, named))
    if bug:
        edits.append((bug.path, bug.old, bug.new))
    for path, old, new in edits:
        edit(to / path, old, new)
    return to


def copy(tree, to):
    """A source tree without what is no source."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "runs", "reports", "build", "dist", "*.egg-info")
    shutil.copytree(tree, to, ignore=ignored)


def edit(path, old, new):
    """Replace a text that occurs once, or make a file."""
    text = path.read_text(encoding="utf-8") if old else ""
    if old and text.count(old) != 1:
        raise ValueError(f"the text to replace is {text.count(old)} times in {path}: {old}")
    path.write_text(text.replace(old, new) if old else new, encoding="utf-8")


def python(tree, *arguments, env=None):
    """Run Python with the packages of this tree."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
