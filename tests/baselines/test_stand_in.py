"""Every experiment with the device "meta" in a GPU's part: where tensors lie, what waits, what runs."""

import json
import re
import time
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

import baselines
from benchmark.training import numerics
from benchmark.training.contract.stand_in import DEVICE, MixedDevices, StandIn
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, pictures, players_of
from benchmark.training.trainer import Cadence, Trainer

OPS = json.loads((Path(__file__).parents[1] / "gpu" / "ops.json").read_text(encoding="utf-8"))
READS_OF_A_RUN = {
    "quantise.py: to_uint8",
    "quantise.py: of",
    "loss_history.py: collect",
    "packing.py: _apart",
    "sampling.py: save_scatter",
    "trainer.py: _mean_image",
}
"""Where a run may wait for the device: outside of G-iterations."""


@pytest.fixture(autouse=True)
def _numerics():
    with numerics.applied():
        yield


# --- The stand-in itself ------------------------------------------------------------------------------


def test_a_tensor_of_the_cpu_may_not_meet_one_of_the_device():
    here, there = torch.ones(3), torch.ones(3, device=DEVICE)
    with StandIn():
        for meeting in (
            lambda: there + here,
            lambda: torch.where(here > 0, there, 0),
            lambda: there[torch.tensor([0])],
            lambda: torch.nn.functional.linear(there, here),
            lambda: torch.cat((there, here)),
        ):
            with pytest.raises(MixedDevices, match=r"CPU \[.*\] at test_stand_in.py: <lambda>"):
                meeting()
        assert (there * torch.tensor(2.0)).device.type == DEVICE


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: (x > 0).nonzero(),
        lambda x: torch.zeros(3).copy_(x),
        lambda x: torch.equal(x, x),
    ],
)
def test_what_waits_for_the_device_is_counted_where_it_does(read):
    with StandIn() as gpu:
        read(torch.ones(3, device=DEVICE))
    assert gpu.reads == {"test_stand_in.py: <lambda>": 1}
    assert gpu.copies == 0


def test_copies_to_the_device_are_counted():
    with StandIn() as gpu:
        there = torch.ones(3).pin_memory().to(DEVICE, non_blocking=True)
        there.copy_(torch.ones(3))
        there.copy_(there * 2)
    assert (gpu.copies, gpu.reads) == (2, {})
    assert {"copy_", "mul"} <= gpu.ops


# --- The list of ops ----------------------------------------------------------------------------------


def test_no_op_in_use_is_one_that_pytorch_documents_to_raise():
    raising = {op for ops in OPS["raises"].values() for op in ops}
    assert set(OPS["used"]) & raising == set(OPS["used_all_the_same"])


def test_the_list_of_ops_that_raise_is_pytorchs():
    """A later torch that documents more of them has to be looked at."""
    text = torch.use_deterministic_algorithms.__doc__.partition("operations will throw a\n")[2]
    items = re.findall(r"\* :\w+:`([\w.]+)`", text.partition("In addition")[0])
    assert len(items) > 20
    assert set(items) <= set(OPS["raises"])


def test_every_op_that_raises_is_one_of_aten():
    for op in (op for ops in OPS["raises"].values() for op in ops):
        assert hasattr(torch.ops.aten, op), op


# --- Experiments --------------------------------------------------------------------------------------


def test_a_whole_iteration_at_full_size(by_code):
    experiment = baselines.get(by_code)
    players, draws = players_of(experiment, DEVICE), Counted(experiment, PAST_WARM_UP, device=DEVICE)
    with StandIn() as gpu:
        losses = experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws)
    assert gpu.reads == {}
    assert gpu.ops - set(OPS["used"]) == set()
    assert {loss.device.type for loss in losses.values()} == {DEVICE}


class Nobody:
    """A watcher that wants no trouble."""

    def progress(self, phase, gen_iters):
        pass

    def event(self, name, **details):
        assert name in ("evaluated", "checkpoint", "resumed"), details


def is_quick(name):
    return name.endswith("/digits") or name in (
        "dcgan/mnist-conditional",
        "wgan_gp/toy-8gaussians",
        "gan/tfd",
    )


@pytest.mark.parametrize("where", [pytest.param("cpu", marks=pytest.mark.slow), DEVICE])
@pytest.mark.parametrize(
    "name", [n if is_quick(n) else pytest.param(n, marks=pytest.mark.slow) for n in baselines.names()]
)
def test_a_whole_run(name, where, reduced, tmp_path):
    """A G-iteration, evaluated and left; another one from the checkpoint. The data on either side."""
    experiment = reduced(baselines.get(name))
    images, labels = pictures(experiment)
    pretrained = None
    if experiment.starts_from:
        pretrained = players_of(experiment).generator.get_submodule("pretrained").state_dict()

    def train(gen_iters):
        trainer = Trainer(
            experiment,
            seed=0,
            budget=gen_iters,
            evaluate_at=[gen_iters],
            images=images.to(where),
            labels=None if labels is None else labels.to(where),
            device=torch.device(DEVICE),
            pretrained=pretrained,
            evaluator=None,
            directory=tmp_path,
            watcher=Nobody(),
            cadence=Cadence(),
            started=time.perf_counter(),
        )
        assert trainer.run(lambda: False) == "done"
        states = [part.state_dict() for part in trainer.players.parts().values()]
        tensors = [x for x in tree_leaves(states) if isinstance(x, torch.Tensor) and x.dim()]
        assert {x.device.type for x in tensors} == {DEVICE}
        return trainer

    with StandIn() as gpu:
        train(1)
        trainer = train(2)
    assert len(trainer.losses.rows(0, 2)) == 2
    assert [point["gen_iters"] for point in trainer.state.curve] == [1, 2]
    assert set(gpu.reads) - READS_OF_A_RUN == set()
    assert gpu.ops - set(OPS["used"]) == set()
