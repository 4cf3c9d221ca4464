"""torchvision is imported whatever its extension is called, and whether it loads or not."""

import os
import subprocess
import sys

import pytest

# A torchvision of a few lines: its extension, like the real one, is loaded by a name of its own choice and
# then registers its operators; those without an extension are an error, in torch's words.
FAKE = {
    "__init__.py": "from . import extension\nfrom torchvision import _meta_registrations, datasets\n",
    "datasets.py": "",
    "extension.py": (
        "import os, torch\n"
        "try:\n"
        "    torch.ops.load_library(os.path.join(os.path.dirname(__file__), {extension!r}))\n"
        "except OSError:\n"
        "    pass\n"
    ),
    "_meta_registrations.py": (
        "import torch\n"
        "for name in {operators!r}:\n"
        "    torch.library.register_fake('torchvision::' + name)(lambda *a: a[0])\n"
        "{last}\n"
    ),
}
# Instead of the compiled extension; torch ends a process whose extension defines an operator again.
LOADER = """
import os, sys, torch
kept = []
def load_library(path):
    print("loaded", os.path.basename(path))
    if not os.path.exists(path):
        raise OSError(path)
    kept.append(torch.library.Library("torchvision", "DEF"))
    for name in {operators!r}:
        kept[-1].define(name + "(Tensor a, Tensor b, float c) -> Tensor")
torch.ops.load_library = load_library
from benchmark.evaluation import torchvision_ops as ops
ops.import_torchvision(); ops.import_torchvision()
import torchvision.datasets
print("declared", ops._declared is not None)
"""


def run(code, *folders):
    # Nobody sees a ResourceWarning unasked; torch 2.6 gives one.
    command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", code]
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )


def fake(folder, loads, extension="_C.so", operators=("nms",), last=""):
    """Import a made-up torchvision in a process of its own."""
    package = folder / "torchvision"
    package.mkdir()
    for name, text in FAKE.items():
        text = text.format(extension=extension, operators=operators, last=last) if "{" in text else text
        (package / name).write_text(text, encoding="utf-8")
    if loads:
        (package / extension).touch()
    return run(LOADER.format(operators=operators), folder)


@pytest.mark.slow
@pytest.mark.parametrize("loads", [True, False])
@pytest.mark.parametrize(
    ("extension", "operators"),
    [
        pytest.param("_C.so", ("nms",), marks=pytest.mark.slow),
        pytest.param("_C_stable.so", ("nms", "qnms"), marks=pytest.mark.slow),
        ("name-to-come.so", ("nms", "qnms")),
    ],
)
def test_operators_are_declared_just_when_the_extension_does_not_load(tmp_path, extension, operators, loads):
    finished = fake(tmp_path, loads, extension, operators)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [f"loaded {extension}", f"declared {not loads}"]


@pytest.mark.slow
@pytest.mark.parametrize("loads", [True, False])
def test_what_is_wrong_besides_is_said_by_torchvision(tmp_path, loads):
    finished = fake(tmp_path, loads, last="raise RuntimeError('other CUDA')")
    assert finished.stderr.splitlines()[-1] == "RuntimeError: other CUDA"


def test_the_installed_torchvision_imports():
    finished = run(
        "from benchmark.evaluation import torchvision_ops as ops\n"
        "ops.import_torchvision(); ops.import_torchvision()\n"
        "import torchvision.extension, torchvision.ops\n"
        "assert (ops._declared is None) == torchvision.extension._has_ops()\n"
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.slow
def test_importing_fidelity_prints_and_warns_nothing():
    finished = run("import benchmark.evaluation.fidelity")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@pytest.mark.slow
def test_reloading_fidelity_registers_its_extractor_once():
    finished = run(
        "import importlib, torch; from benchmark.evaluation import fidelity\n"
        "for _ in range(2):\n"
        "    importlib.reload(fidelity).inception_score(torch.eye(4), splits=1)\n"
    )
    assert finished.returncode == 0, finished.stderr
