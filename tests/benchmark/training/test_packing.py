"""What of optimisers a checkpoint keeps."""

import copy

import pytest
import torch
from torch import nn

from baselines.spec import Players
from benchmark.training import packing


def players(rate):
    networks = [nn.Linear(3, 2), nn.Linear(2, 1)]
    optimisers = [torch.optim.Adam(n.parameters(), lr=copy.deepcopy(rate)) for n in networks]
    return Players(*networks, *optimisers)


def iterate(p):
    """One update of both, with a learning rate that falls."""
    p.critic_optimiser.zero_grad()
    p.generator_optimiser.zero_grad()
    p.critic(p.generator(torch.ones(4, 3))).square().sum().backward()
    for optimiser in (p.critic_optimiser, p.generator_optimiser):
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= 0.5


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
def test_a_learning_rate_goes_on_where_it_was(rate):
    torch.manual_seed(0)
    whole = players(rate)
    for _ in range(3):
        iterate(whole)
    tensors, plain = packing.packed(whole)
    resumed = players(rate)
    packing.load_into(resumed, {name: tensor.clone() for name, tensor in tensors.items()}, plain)
    found = resumed.critic_optimiser.param_groups[0]["lr"]
    assert type(found) is type(rate)
    assert float(found) == pytest.approx(0.1 / 8)
    iterate(whole)
    iterate(resumed)
    for one, other in zip(whole.critic.parameters(), resumed.critic.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_learning_rate_that_became_a_tensor_on_the_way_goes_on_as_one():
    whole = players(0.1)
    whole.critic_optimiser.param_groups[0]["lr"] = torch.tensor(0.025)
    tensors, plain = packing.packed(whole)
    resumed = players(0.1)
    packing.load_into(resumed, tensors, plain)
    found = resumed.critic_optimiser.param_groups[0]["lr"]
    assert isinstance(found, torch.Tensor)
    assert float(found) == pytest.approx(0.025)
    assert resumed.generator_optimiser.param_groups[0]["lr"] == 0.1
