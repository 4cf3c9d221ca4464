"""Settings cannot be declared without a source or with a value of the wrong kind."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from torch import nn

import baselines
from baselines import catalogue, spec
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


# --- Of one's own -----------------------------------------------------------------------------------------


def test_plain_values_are_stated_by_whoever_wrote_them():
    own = Example(batch=64, latent=8, rate=0.1, flag=True, pair=(0, 1), mode="a", epoch_end="keep")
    assert {own.source(name) for name in ("batch", "rate", "epoch_end")} == {spec.STATED}
    assert {own.source(name) for name in ("prior", "sampling_batch")} == {spec.BY_DEFAULT}
    assert (own.prior, own.sampling_statistics, own.sampling_batch) == ("normal", "running", 0)
    with pytest.raises(TypeError, match="mode"):
        Example(batch=64, latent=8, rate=0.1, flag=True, pair=(0, 1), mode="c")


def test_sampled_together_are_as_many_as_trained_together():
    assert Settings(batch=64, latent=8, sampling_statistics="batch").sampling_batch == 64
    assert Settings(batch=64, latent=8, sampling_statistics="batch", sampling_batch=10).sampling_batch == 10


def test_settings_without_a_class():
    own = spec.settings(batch=64, latent=8, rate=0.1, widths=(1, 2))
    assert own.values() == {**Settings(batch=64, latent=8).values(), "rate": 0.1, "widths": (1, 2)}
    assert own.revised(rate=(0.2, "a sweep", "own")).rate == 0.2
    with pytest.raises(TypeError, match="rate"):
        own.revised(rate=("fast", "a sweep", "own"))
    with pytest.raises(TypeError, match="latent"):
        spec.settings(batch=64)
    with pytest.raises(TypeError, match="rate is no number"):
        spec.settings(batch=64, latent=8, rate=None)


def test_only_what_differs_has_to_be_given():
    declared = baselines.get("gan/digits")
    own = spec.Experiment(
        name="my/digits",
        dataset="digits",
        image_shape=(1, 28, 28),
        settings=spec.settings(batch=4, latent=8, critic_steps=5),
        build=declared.build,
        iterate=declared.iterate,
    )
    assert (own.title, own.image_range, own.budget.gen_iters) == ("my/digits", (-1.0, 1.0), None)
    assert own.critic_updates(own.settings, 3) == own.real_batches(own.settings, 3) == 15
    with pytest.raises(ValueError, match=r"of a paper \(goodfellow2014gan\), but batch, .* has no source"):
        dataclasses.replace(own, paper=declared.paper)


def test_no_setting_of_ours_is_a_default_or_stated_by_somebody():
    for name in baselines.names():
        entries = baselines.described(name)["settings"].values()
        assert "own" not in {entry["confidence"] for entry in entries}, name


def test_vocabulary_of_ganbench_belongs_to_the_sources_of_what_imports_it():
    assert "baselines.steps" in catalogue._imported_baselines(b"import ganbench")


# --- Steps ------------------------------------------------------------------------------------------------


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
