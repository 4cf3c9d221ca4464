"""Update rules of our own: the formulas of torch and of the baselines, in float64 without the profile."""

import pytest
import torch

from baselines.optimisers import ClassicalMomentum, EpsHatAdam, TensorFlowRMSprop
from benchmark.errors import UserError
from benchmark.training.portable import Portable, optimisers

RULES = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.999), eps=1e-8),
    "Adam with L2": lambda p: torch.optim.Adam(
        p, lr=0.01, betas=(0.5, 0.999), weight_decay=0.1, foreach=True
    ),
    "EpsHatAdam": lambda p: EpsHatAdam(p, 0.01, (0.0, 0.9), eps_hat=1e-3),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.99, eps=1e-8, foreach=True),
    "ClassicalMomentum": lambda p: ClassicalMomentum(p, 0.01, 0.5),
    "TensorFlowRMSprop": lambda p: TensorFlowRMSprop(p, 0.01),
}


def trained(make, dtype, mode, steps=7):
    generator = torch.Generator().manual_seed(0)
    p = [
        torch.nn.Parameter(torch.randn(3, 4, generator=generator).to(dtype)),
        torch.nn.Parameter(torch.ones(2, dtype=dtype)),
    ]
    optimiser = make(p)
    if mode:
        optimisers.adopt(optimiser, "x")
    for step in range(steps):
        for q in p:
            q.grad = torch.randn(q.shape, generator=generator).to(dtype) + q.detach()
        if step == 2:
            p[1].grad = None
        if step == 4:
            optimiser.param_groups[0]["lr"] = 0.003
        if mode:
            with Portable("x"):
                optimiser.step()
        else:
            optimiser.step()
    return p, optimiser


@pytest.mark.parametrize("name", RULES)
def test_the_rule_is_the_one_of_float64(name):
    found, ours = trained(RULES[name], torch.float32, mode=True)
    expected, theirs = trained(RULES[name], torch.float64, mode=False)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-5, atol=1e-6)
    for one, other in zip(ours.state.values(), theirs.state.values(), strict=True):
        assert one.keys() == other.keys()
        for slot in one:
            assert torch.allclose(one[slot].double(), other[slot].double(), rtol=1e-5, atol=1e-6)
    if "step" in next(iter(ours.state.values())):
        assert [int(s["step"]) for s in ours.state.values()] == [7, 6]


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adagrad(p),
        lambda p: torch.optim.AdamW(p),
        lambda p: torch.optim.Adam(p, amsgrad=True),
        lambda p: torch.optim.RMSprop(p, centered=True),
        lambda p: type("TheirAdam", (torch.optim.Adam,), {})(p),
    ],
)
def test_a_rule_of_torch_that_is_not_written_out_is_refused(make):
    with pytest.raises(UserError, match="no portable rule"):
        optimisers.adopt(make([torch.nn.Parameter(torch.ones(2))]), "their/experiment")
