"""Settings cannot be declared without a source or with a value of the wrong kind."""

from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from torch import nn

from baselines.spec import HIGH, LOW, Settings, Source, cited, frozen, set_learning_rate, update

COMMON = {
    "batch": (64, "§4", HIGH),
    "latent": (100, "§4", HIGH),
    "prior": ("normal", "§4", HIGH),
    "epoch_end": ("drop", "code", LOW),
    "sampling_statistics": ("none", "code", LOW),
    "sampling_batch": (0, "unused: no batch norm", LOW),
}


@dataclass(frozen=True, kw_only=True)
class Example(Settings):
    rate: float
    flag: bool
    pair: tuple[float, float]
    mode: Literal["a", "b"]


VALID = {
    **COMMON,
    "rate": (0.1, "§5", HIGH),
    "flag": (True, "§5", HIGH),
    "pair": ((0.0, 1.0), "§5", HIGH),
    "mode": ("a", "§5", HIGH),
}


def test_cited_settings_keep_values_and_sources():
    settings = cited(Example, **VALID)
    assert settings.rate == 0.1
    assert settings.values() == {name: value for name, (value, _, _) in VALID.items()}
    assert settings.sources["epoch_end"] == Source("code", LOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 64.0),
        ("batch", True),
        ("batch", "64"),
        ("prior", "gaussian"),
        ("rate", "0.1"),
        ("rate", True),
        ("flag", 1),
        ("pair", 0.5),
        ("mode", "c"),
    ],
)
def test_value_of_the_wrong_kind_is_refused(name, value):
    with pytest.raises(TypeError, match=name):
        cited(Example, **{**VALID, name: (value, "§5", HIGH)})


def test_whole_number_is_a_float():
    assert cited(Example, **{**VALID, "rate": (1, "§5", HIGH)}).rate == 1


@pytest.mark.parametrize("name", VALID)
def test_missing_setting_is_refused(name):
    with pytest.raises(TypeError, match=name):
        cited(Example, **{k: v for k, v in VALID.items() if k != name})


def test_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="momentum"):
        cited(Example, **VALID, momentum=(0.9, "§5", HIGH))


def test_revision_replaces_value_and_source_and_leaves_the_original():
    original = cited(Example, **VALID)
    variant = original.revised(rate=(0.2, "§6", LOW))
    assert (original.rate, variant.rate) == (0.1, 0.2)
    assert variant.sources["rate"] == Source("§6", LOW)
    assert variant.sources["batch"] == original.sources["batch"]
    assert original.sources["rate"] == Source("§5", HIGH)


def test_revision_of_the_wrong_kind_is_refused():
    with pytest.raises(TypeError, match="mode"):
        cited(Example, **VALID).revised(mode=("c", "§6", LOW))


def test_frozen_blocks_gradients_to_the_weights_and_not_through_them():
    network = nn.Linear(2, 1)
    network.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(network):
        network(x).sum().backward()
    assert network.weight.grad is None
    torch.testing.assert_close(x.grad, network.weight.detach())
    assert network.weight.requires_grad
    assert not network.bias.requires_grad


def test_frozen_thaws_after_an_error():
    network = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="stop"), frozen(network):
        raise ValueError("stop")
    assert all(p.requires_grad for p in network.parameters())


def test_update_starts_from_cleared_gradients():
    weight = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.full((1,), 100.0)
    update(optimiser, 3 * weight.sum())
    assert weight.item() == -3


def test_learning_rate_reaches_every_group():
    optimiser = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=1.0)
    set_learning_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]
