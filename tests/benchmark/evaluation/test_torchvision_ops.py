"""Operators are declared when torchvision's extension cannot load, and only then."""

import subprocess
import sys


def run(code):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_torchvision_imports_after_the_declaration():
    finished = run(
        "from benchmark.evaluation import torchvision_ops as ops\n"
        "ops.make_importable(); ops.make_importable()\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "import torchvision, torchvision.ops\n"
        "assert (ops._declared is None) == torchvision.extension._has_ops()\n"
    )
    assert finished.returncode == 0, finished.stderr


def test_nothing_is_declared_where_the_extension_loads():
    finished = run(
        "import torch; from benchmark.evaluation import torchvision_ops as ops\n"
        "torch.ops.load_library = lambda path: None\n"
        "ops.make_importable(); assert ops._declared is None\n"
    )
    assert finished.returncode == 0, finished.stderr


def test_importing_fidelity_prints_and_warns_nothing():
    finished = run("import benchmark.evaluation.fidelity")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_reloading_fidelity_registers_its_extractor_once():
    finished = run(
        "import importlib, torch; from benchmark.evaluation import fidelity\n"
        "for _ in range(2):\n"
        "    importlib.reload(fidelity).inception_score(torch.eye(4), splits=1)\n"
    )
    assert finished.returncode == 0, finished.stderr
