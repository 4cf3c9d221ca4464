"""What every registered experiment keeps to, whatever its method and whoever wrote it."""

import copy
import dataclasses
import math
import re
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

import baselines
from benchmark.training import sampling
from benchmark.training.draws import SeededDraws
from benchmark.training.quantise import to_uint8

PLUGIN = Path(__file__).with_name("plugin")
"""A third party's installed distribution."""
PAST_WARM_UP = 30
"""An iteration after the 25 of 100 critic steps each of WGAN's released schedule."""
NARROW = {
    "width": 8,
    "critic_width": 8,
    "generator_units": 100,
    "critic_units": 8,
    "maxout_units": 8,
    "dense_units": 8,
    "bottleneck": 8,
    "output_weights": 10,
    "critic_channels": (4, 4, 8),
}
"""Reduced widths, by the names that settings give them; a setting of 0 is not in use."""


def registered():
    """Every experiment of the registry while the third party's distribution is on the path."""
    sys.path.append(str(PLUGIN))
    baselines._found.cache_clear()
    try:
        return [baselines.get(name) for name in baselines.names()]
    finally:
        sys.path.remove(str(PLUGIN))
        baselines._found.cache_clear()


EXPERIMENTS = registered()
DIGITS = [e for e in EXPERIMENTS if e.dataset == "digits"]


def by_name(experiments):
    return pytest.mark.parametrize("experiment", experiments, ids=lambda e: e.name)


def build(experiment, device):
    with torch.device(device):
        return experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )


@pytest.fixture
def reduced(revise):
    """The experiment at a tiny batch, with narrow networks and otherwise as declared."""

    def reduce(experiment, batch=4):
        settings = experiment.settings
        changes = {name: small for name, small in NARROW.items() if getattr(settings, name, 0)}
        batches = ("batch", "generator_batch", "sampling_batch")
        changes |= {name: batch for name in batches if getattr(settings, name, 0)}
        return dataclasses.replace(experiment, settings=revise(settings, **changes))

    return reduce


def assert_detached_scalars(losses, device):
    assert set(losses) >= {"critic", "generator"}
    for name, loss in losses.items():
        assert loss.shape == (), name
        assert loss.grad_fn is None, name
        assert not loss.requires_grad, name
        assert loss.device.type == device, name


# --- Declarations -------------------------------------------------------------------------------------


def test_third_party_is_held_to_the_contract():
    assert [e.name for e in EXPERIMENTS if e.baseline == "tiny"] == ["tiny/digits"]
    assert len(EXPERIMENTS) == len(baselines.names()) + 1


@by_name(EXPERIMENTS)
def test_name_is_baseline_and_experiment(experiment):
    assert re.fullmatch(r"[a-z0-9_]+/[a-z0-9-]+", experiment.name)


@by_name(EXPERIMENTS)
def test_every_setting_has_a_source(experiment):
    settings = experiment.settings
    assert set(settings.sources) == set(settings.values())
    for name, source in settings.sources.items():
        assert source.where.strip(), name
        assert source.confidence in ("high", "medium", "low", "suite"), name


@by_name(EXPERIMENTS)
def test_every_deviation_says_what_why_and_with_what_effect(experiment):
    for deviation in experiment.deviations:
        assert all(text.strip() for text in dataclasses.astuple(deviation))


@by_name(EXPERIMENTS)
def test_image_range_and_shape_suit_the_networks(experiment):
    channels, height, width = experiment.image_shape
    low, high = experiment.image_range
    assert channels in (1, 3)
    if (height, width) == (1, 2):  # points of the plane, not images
        assert low == -high < 0
    else:
        assert height == width
        symmetric = hasattr(experiment.settings, "contrast_norm") and low == -high < 0
        assert (low, high) in ((0.0, 1.0), (-1.0, 1.0)) or symmetric


@by_name(EXPERIMENTS)
def test_sampling_statistics_are_declared_where_there_is_batch_norm(experiment):
    generator = build(experiment, "meta").generator
    normalised = any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in generator.modules())
    statistics, batch = experiment.settings.sampling_statistics, experiment.settings.sampling_batch
    assert (statistics != "none") == normalised
    assert (batch > 0) == (statistics == "batch")


# --- One G-iteration on a device without data ---------------------------------------------------------


@by_name(EXPERIMENTS)
def test_full_size_networks_build_on_the_chosen_device(experiment):
    players = build(experiment, "meta")
    for network in (players.generator, players.critic):
        assert {t.device.type for t in network.state_dict().values()} == {"meta"}


@by_name(EXPERIMENTS)
def test_optimisers_hold_exactly_their_own_network(experiment):
    players = build(experiment, "meta")
    for network, optimiser in (
        (players.generator, players.generator_optimiser),
        (players.critic, players.critic_optimiser),
    ):
        held = {id(p) for group in optimiser.param_groups for p in group["params"]}
        assert held == {id(p) for p in network.parameters()}


@by_name(EXPERIMENTS)
def test_full_size_iteration_leaves_no_tensor_on_another_device(experiment, synthetic):
    players = build(experiment, "meta")
    losses = experiment.iterate(
        experiment.settings, players, PAST_WARM_UP, synthetic(experiment, device="meta")
    )
    assert_detached_scalars(losses, "meta")


def test_a_tensor_on_another_device_is_noticed(synthetic):
    players = build(DIGITS[0], "meta")
    with pytest.raises(RuntimeError, match="device"):
        DIGITS[0].iterate(DIGITS[0].settings, players, 0, synthetic(DIGITS[0], device="cpu"))


@by_name(EXPERIMENTS)
def test_closed_forms_count_what_an_iteration_uses(experiment, synthetic, reduced):
    experiment = reduced(experiment, 2)
    players = build(experiment, "cpu")
    for optimiser in (players.critic_optimiser, players.generator_optimiser):
        optimiser.step = Mock(wraps=optimiser.step)
    draws = synthetic(experiment)
    assert experiment.real_batches(experiment.settings, 0) == 0
    assert experiment.critic_updates(experiment.settings, 0) == 0
    first = 24  # the last long critic loop of WGAN's released schedule, and two short ones
    for k in range(first, first + 3):
        experiment.iterate(experiment.settings, players, k, draws)
        for consumed, closed_form in (
            (draws.real_batches, experiment.real_batches),
            (players.critic_optimiser.step.call_count, experiment.critic_updates),
        ):
            assert consumed == closed_form(experiment.settings, k + 1) - closed_form(
                experiment.settings, first
            )
    assert players.generator_optimiser.step.call_count == 3


# --- One G-iteration with data ------------------------------------------------------------------------


def run(experiment, draws, elsewhere=0):
    """Players and losses after one G-iteration; `elsewhere` seeds the generator that belongs to nobody."""
    torch.manual_seed(0)
    players = build(experiment, "cpu")
    torch.manual_seed(elsewhere)
    return players, experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@by_name(EXPERIMENTS)
def test_iteration_moves_both_networks_and_reports_finite_losses(experiment, synthetic, reduced):
    experiment = reduced(experiment)
    torch.manual_seed(0)
    before = build(experiment, "cpu")
    players, losses = run(experiment, synthetic(experiment))
    assert_detached_scalars(losses, "cpu")
    assert all(loss.isfinite() for loss in losses.values())
    for old, new in ((before.generator, players.generator), (before.critic, players.critic)):
        moved = [not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True)]
        assert sum(moved) > len(moved) / 2
        assert all(p.isfinite().all() for p in new.state_dict().values())


def blind(_, __, output):
    """A forward hook: the critic says 0 to everything."""
    return tuple(part * 0 for part in output) if isinstance(output, tuple) else output * 0


OF_A_BLIND_CRITIC = {"wasserstein": 0.0, "cross-entropy": 2 * math.log(2), "hinge": 2.0}


@pytest.mark.slow
@by_name([e for e in EXPERIMENTS if e.baseline != "tiny"])
def test_the_critics_loss_is_what_loss_curves_take_it_for(experiment, synthetic, reduced):
    kind = experiment.critic_loss(experiment.settings)
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    players.critic.register_forward_hook(blind)
    losses = experiment.iterate(experiment.settings, players, PAST_WARM_UP, synthetic(experiment))
    assert losses["critic"].item() == pytest.approx(kind.scale * OF_A_BLIND_CRITIC[kind.kind], abs=1e-5)


@by_name(EXPERIMENTS)
def test_iteration_is_a_function_of_its_draws(experiment, synthetic, reduced):
    experiment = reduced(experiment)
    (one, losses), (same, same_losses), (other, _) = (
        run(experiment, synthetic(experiment, seed=seed), elsewhere)
        for seed, elsewhere in ((0, 0), (0, 1), (1, 0))
    )
    assert_same(same_losses, losses)
    for a, b in ((one.generator, same.generator), (one.critic, same.critic)):
        assert_same(b.state_dict(), a.state_dict())
    assert any(
        not torch.equal(x, y)
        for x, y in zip(one.generator.parameters(), other.generator.parameters(), strict=True)
    )


def weights(state, network):
    return {name: state[name] for name, _ in network.named_parameters()}


def clipped(settings, player, weights):
    """Weights after a step of the player, where clipping follows the critic's step."""
    bound = getattr(settings, "clip", 0)
    if player == "generator" or not bound or getattr(settings, "clip_when", "after") == "before":
        return weights
    only_convolutions = not hasattr(settings, "clip_when")
    return {
        name: w if only_convolutions and w.dim() != 4 else w.clamp(-bound, bound)
        for name, w in weights.items()
    }


def limited(settings, weights):
    """Weights after the last step, where it is followed by a bound on those into each linear unit."""
    bound = getattr(settings, "max_column_norm", 0)
    norms = {name: w.norm(dim=1, keepdim=True) for name, w in weights.items() if bound and w.dim() == 2}
    return {
        name: w * (norms[name].clamp(max=bound) / (1e-7 + norms[name])) if name in norms else w
        for name, w in weights.items()
    }


@by_name(EXPERIMENTS)
def test_each_step_touches_only_its_own_network(experiment, synthetic, trace, reduced):
    # These take both gradients from one forward pass before either network steps.
    joint = experiment.baseline == "gan" and experiment.name != "gan/mnist-printed"
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    networks = {"critic": players.critic, "generator": players.generator}
    # Weights and gradients that the last step of each network left behind.
    left = {name: copy.deepcopy(weights(n.state_dict(), n)) for name, n in networks.items()}
    gradients = {"critic": {}, "generator": {}}
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, synthetic(experiment))

    for step in recorded.steps:
        other = "critic" if step.player == "generator" else "generator"
        assert_same(weights(step.other_state, networks[other]), left[other])
        if not joint:
            assert_same(step.other_gradients, gradients[other])
        own = weights(step.state, networks[step.player])
        left[step.player] = clipped(experiment.settings, step.player, own)
        gradients[step.player] = step.gradients
    for name, network in networks.items():
        assert_same(weights(network.state_dict(), network), limited(experiment.settings, left[name]))
        assert_same({k: p.grad for k, p in network.named_parameters()}, gradients[name])
        assert all(p.requires_grad for p in network.parameters())


@by_name([e for e in DIGITS if e.baseline == "sngan"])
def test_generator_step_advances_only_u_in_the_critic(experiment, synthetic, trace, reduced):
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    before = {name: value.clone() for name, value in players.critic.state_dict().items()}
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    after = recorded.generator_steps[0].other_state
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith(".u")}


# --- Latents and images -------------------------------------------------------------------------------


def inputs_of(network):
    """Grows by the first argument of every call."""
    seen = []
    network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach().clone()))
    return seen


@by_name(EXPERIMENTS)
def test_generator_is_fed_the_declared_prior(experiment, reduced):
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    seen = inputs_of(players.generator)
    images = torch.randint(256, (8, *experiment.image_shape), dtype=torch.uint8)
    draws = SeededDraws(experiment, 0, images, torch.arange(8) % max(experiment.classes, 1))
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws.at(PAST_WARM_UP))
    trained_on = torch.cat(seen)
    seen.clear()
    sampling.evaluation_images(experiment, players.generator, 0, 100)
    bound, variance, fourth = {
        "normal": (math.inf, 1, 3),
        "uniform": (1, 1 / 3, 1 / 5),
        "uniform-sqrt3": (math.sqrt(3), 1, 9 / 5),
    }[experiment.settings.prior]
    for z in (trained_on, torch.cat(seen)):
        assert z.shape[1] == experiment.settings.latent
        assert z.abs().max() <= bound * (1 + 1e-7)
        assert z.mean().abs() < 5 * math.sqrt(variance / z.numel())
        assert abs(z.square().mean() - variance) < 5 * math.sqrt((fourth - variance**2) / z.numel())


UNBOUNDED = ("gan/cifar10-", "wgan/lsun64-mlp", "wgan/lsun64-gan-mlp", "wgan_gp/toy-")
"""Generators that end in a linear layer."""


@by_name(EXPERIMENTS)
def test_generated_images_fill_the_declared_range(experiment, synthetic, reduced):
    experiment = reduced(experiment)
    torch.manual_seed(0)
    generator = build(experiment, "cpu").generator
    draws = synthetic(experiment)
    z = [draws.latent(8), draws.labels(8)] if experiment.classes else [draws.latent(8)]
    with torch.no_grad():
        for p in generator.parameters():
            if p.dim() > 1:
                p.mul_(100)
        images = generator(*z)
    low, high = experiment.image_range
    assert images.shape == (8, *experiment.image_shape)
    if experiment.name.startswith(UNBOUNDED):
        assert images.min() < low
        assert images.max() > high
    else:
        assert low <= images.min() < low + 0.01
        assert high - 0.01 < images.max() <= high
    levels = to_uint8(images, low, high)
    assert (levels.min(), levels.max()) == (0, 255)


@by_name(EXPERIMENTS)
def test_real_images_come_back_from_what_the_critic_sees(experiment, synthetic, trace, reduced):
    """Pixels → the experiment's scaling → `to_uint8` with its `image_range` → the same pixels."""
    experiment = reduced(experiment)
    players, draws, pixels = build(experiment, "cpu"), synthetic(experiment), []
    hand_out, noise = draws.images, Mock(wraps=draws.uniform)
    draws.uniform = noise

    def images():
        pixels.append(hand_out())
        return pixels[-1]

    draws.images = images
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws)
    if not pixels:
        pytest.skip("data are drawn, not loaded")
    dequantised = any(call.args[0] == "dequantise" for call in noise.call_args_list)
    low, high = experiment.image_range

    def comes_back(real, x):
        if hasattr(experiment.settings, "contrast_norm"):  # all but brightness and contrast
            return torch.allclose(standardised(real.float()), standardised(x), atol=1e-4)
        error = (to_uint8(x, low, high).int() - real.int()).abs()
        if dequantised:
            floor = ((x - low) / (high - low) * 256).floor()
            return bool(error.max() <= 1) and torch.equal(floor, real.float())
        return not error.any()

    seen = [any(comes_back(real, x) for x in recorded.critic_inputs) for real in pixels]
    assert sum(seen) == len(recorded.critic_steps)


def standardised(images):
    """Every image less its mean, over its standard deviation."""
    x = images.flatten(1)
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


# --- Sampling -----------------------------------------------------------------------------------------


class Companions(torch.nn.Module):
    """A generator whose latents after the first are another's."""

    def __init__(self, generator, factor):
        super().__init__()
        self.generator, self.factor = generator, factor

    def forward(self, z, *classes):
        return self.generator(torch.cat((z[:1], self.factor * z[1:])), *classes)


@by_name(EXPERIMENTS)
def test_sampling_uses_the_declared_statistics_and_leaves_no_trace(
    experiment, synthetic, reduced, monkeypatch
):
    monkeypatch.setattr(sampling, "_BATCH", 8)  # instead of 500, to be quick
    experiment = reduced(experiment)
    generator = run(experiment, synthetic(experiment))[0].generator
    before = copy.deepcopy(generator)
    image, same, other = (
        sampling.evaluation_images(experiment, Companions(generator, factor), 0, 1) for factor in (1, 1, -0.5)
    )
    assert torch.equal(image, same)
    assert torch.equal(image, other) == (experiment.settings.sampling_statistics != "batch")
    assert_same(generator.state_dict(), before.state_dict())
    assert [m.training for m in generator.modules()] == [m.training for m in before.modules()]
