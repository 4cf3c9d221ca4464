"""The direction of imports is a contract in pyproject.toml; here is that it bites, and holds when run."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["tool"]
CONTRACTS = SETTINGS["importlinter"]["contracts"]


def lint(root):
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    for package in ("benchmark", "baselines", "ganbench"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("benchmark/records/store.py", "from benchmark.judging import gate"),
        ("benchmark/training/trainer.py", "from benchmark.evaluation import evaluator"),
        ("benchmark/suites/plan.py", "from benchmark.engines import local"),
        ("benchmark/engines/queue.py", "import ray"),
        ("benchmark/judging/gate.py", "import torch"),
        ("baselines/layers.py", "from benchmark import errors"),
        ("benchmark/report/tidy.py", "import ganbench"),
    ],
)
def test_a_forbidden_import_is_told(copy, module, statement):
    assert lint(copy).returncode == 0
    path = copy / module
    path.write_text(f"{path.read_text('utf-8')}\n\ndef late():\n    {statement}\n", encoding="utf-8")
    found = lint(copy)
    assert found.returncode == 1
    assert module.removesuffix(".py").replace("/", ".") in found.stdout


def test_every_folder_has_its_layer(copy):
    copy.joinpath("benchmark", "new.py").touch()
    assert "benchmark.new" in lint(copy).stdout


def test_what_must_not_need_torch_does_not_import_it():
    """The contract ignores imports inside functions; this imports the modules."""
    contract = next(c for c in CONTRACTS if c.get("forbidden_modules") == ["torch"])
    modules = []
    for name in contract["source_modules"]:
        folder = ROOT.joinpath(*name.split("."))
        modules += [f"{name}.{path.stem}" for path in folder.glob("[a-z]*.py")] if folder.is_dir() else [name]
    code = f"import sys; from importlib import import_module as load; [load(m) for m in {modules!r}]"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert len(modules) > 30


TOP = """
    .ci .github .gitignore CHANGELOG.md CITATION.cff CONTRIBUTING.md LICENSE README.md baselines benchmark
    constraints-lowest.txt constraints.txt docs ganbench mkdocs.yml pyproject.toml results tests tox.ini
"""


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_nothing_else_lies_at_the_top_of_the_repository():
    """A file `.venv`, left by a tool and committed, kept `python -m venv .venv` from working in a clone."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {file.partition("/")[0] for file in listed.stdout.splitlines()} <= set(TOP.split())
