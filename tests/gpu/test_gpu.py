"""What must hold on a GPU: `pytest -m gpu --require-gpu`. Networks at full width, minibatches of 16 or fewer.

Elsewhere these tests are skipped; with `--require-gpu` they fail instead.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import baselines
from benchmark.evaluation.neighbours import nearest
from benchmark.judging import starts
from benchmark.training import mixed

ROOT = Path(__file__).parents[2]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


short = load(Path(__file__).with_name("short.py"))
arms = load(ROOT / "tests" / "portable" / "arms.py")
HEADLINES = [n for n in baselines.names() if n.endswith("/digits") or baselines.get(n).headline]

FAR = {"wgan_gp/cifar10-resnet": "1.24 tolerances on an H100"}
OTHER_FORM = "residual blocks change size apart from their convolutions on CUDA"
"""What docs/gpu.md says of one GPU."""

pytestmark = pytest.mark.gpu


def expected(values, reasons):
    """Parameters, those that are known to fail with the reason."""
    return [
        pytest.param(*value, marks=pytest.mark.xfail(reason=reasons[value[0]]))
        if value[0] in reasons
        else value
        for value in values
    ]


@pytest.fixture
def run_digest():
    """Digests of so many processes at once, each a run of its own."""

    def run(name, n):
        command = [sys.executable, str(ROOT / "tests" / "gpu" / "short.py"), name, "5"]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
        children = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(n)
        ]
        return [child.communicate()[0].strip() for child in children]

    return run


@pytest.mark.parametrize("name", HEADLINES)
def test_a_run_again_has_the_same_bits(name):
    experiment = short.with_batch(baselines.get(name), 16)
    assert short.trained(experiment, 5, "cuda") == short.trained(experiment, 5, "cuda")


@pytest.mark.parametrize("name", HEADLINES)
def test_a_run_in_mixed_precision_again_has_the_same_bits(name):
    experiment = short.with_batch(baselines.get(name), 16)
    one, again = (short.trained(mixed.in_bfloat16(experiment), 5, "cuda") for _ in range(2))
    assert one == again
    assert one != short.trained(experiment, 5, "cuda")


@pytest.mark.parametrize("name", ["gan/digits", "wgan_gp/cifar10-resnet"])
def test_four_runs_at_once_have_the_bits_of_one(run_digest, name):
    alone = run_digest(name, 1)
    assert len(alone[0]) == 64
    assert run_digest(name, 4) == 4 * alone


@pytest.mark.parametrize("name", expected([(name,) for name in HEADLINES], FAR))
def test_starts_as_on_the_cpu(name, record_property):
    experiment = short.with_batch(baselines.get(name), 8)
    cpu, gpu = (short.trained(experiment, starts.GEN_ITERS, device).losses for device in ("cpu", "cuda"))
    off = {
        (loss, k): abs(after[loss] - before[loss]) / starts.tolerance(cpu, loss, k)
        for k, (before, after) in enumerate(zip(cpu, gpu, strict=True), 1)
        for loss in before
    }
    worst = max(off, key=off.get)
    record_property("tolerances", off[worst])
    print(f"{name}: at most {off[worst]:.3g} tolerances (loss '{worst[0]}' of G-iteration {worst[1]})")
    assert off[worst] < 1


@pytest.mark.parametrize("name", baselines.names())
def test_every_experiment_takes_its_steps_deterministically(name):
    experiment = baselines.get(name)
    if experiment.starts_from:
        pytest.skip("starts from another run")
    found = short.trained(short.with_batch(experiment, 4), 2, "cuda")
    assert len(found.losses) == 2


@pytest.mark.parametrize(
    ("name", "batch"),
    expected(arms.planned(), dict.fromkeys(("wgan_gp/cifar10-resnet", "sngan/cifar10-resnet"), OTHER_FORM)),
)
def test_portable_has_the_bits_of_every_machine(name, batch):
    golden = json.loads(arms.GOLDEN.read_text(encoding="utf-8"))
    with torch.autograd.set_multithreading_enabled(False):
        found = arms.trained(arms.with_batch(baselines.get(name), batch), 0, 3, torch.device("cuda"))
    assert found == golden[f"{name} seed 0, 3 G-iterations"]


def test_nearest_images_are_those_of_the_cpu():
    generator = torch.Generator().manual_seed(0)
    samples, training = (
        torch.randint(0, 4, (n, 1, 28, 28), generator=generator, dtype=torch.uint8) * 80 for n in (300, 3000)
    )
    here, there = nearest(samples, training), nearest(samples.cuda(), training)
    assert torch.equal(here.indices, there.indices.cpu())
    assert torch.equal(here.distances, there.distances.cpu())
