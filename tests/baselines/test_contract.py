"""What every registered experiment keeps to, whatever its method."""

import dataclasses
import importlib
from unittest.mock import Mock

import pytest
import torch

from baselines import catalogue

MODULES = ("gan", "dcgan", "wgan", "wgan_gp", "sngan")
EXPERIMENTS = [e for m in catalogue.MODULES for e in importlib.import_module(m).EXPERIMENTS]
DIGITS = [e for e in EXPERIMENTS if e.dataset == "digits"]
HEADLINES = [e for e in EXPERIMENTS if e.headline and e.dataset != "digits"]
PAST_WARM_UP = 30
"""An iteration after the 25 of 100 critic steps each of WGAN's released schedule."""


def by_name(experiments):
    return pytest.mark.parametrize("experiment", experiments, ids=lambda e: e.name)


def build(experiment, device):
    with torch.device(device):
        return experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )


@pytest.fixture
def reduced(revise):
    """The experiment at a tiny batch and otherwise as declared."""

    def reduce(experiment, batch):
        changes = {"batch": batch}
        if hasattr(experiment.settings, "generator_batch"):
            changes["generator_batch"] = batch
        return dataclasses.replace(experiment, settings=revise(experiment.settings, **changes))

    return reduce


def assert_detached_scalars(losses, device):
    assert set(losses) >= {"critic", "generator"}
    for name, loss in losses.items():
        assert loss.shape == (), name
        assert loss.grad_fn is None, name
        assert not loss.requires_grad, name
        assert loss.device.type == device, name


# --- Declarations -------------------------------------------------------------------------------------


def test_names_are_unique_and_start_with_their_module():
    names = [e.name for e in EXPERIMENTS]
    assert len(set(names)) == len(names)
    for module in catalogue.MODULES:
        baselines = {e.baseline for e in importlib.import_module(module).EXPERIMENTS}
        assert baselines <= {module.rsplit(".", 1)[-1]}


@pytest.mark.parametrize("module", MODULES)
def test_each_baseline_has_a_headline_and_a_run_without_download(module):
    experiments = importlib.import_module(f"baselines.{module}").EXPERIMENTS
    assert any(e.headline for e in experiments)
    assert any(e.dataset == "digits" for e in experiments)


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
    assert (experiment.settings.sampling_statistics != "none") == normalised


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
    players = build(experiment, "meta")
    for optimiser in (players.critic_optimiser, players.generator_optimiser):
        optimiser.step = Mock(wraps=optimiser.step)
    draws = synthetic(experiment, device="meta")
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


def test_released_wgan_schedule_in_closed_form():
    (lsun,) = (e for e in EXPERIMENTS if e.name == "wgan/lsun64")
    total = 0
    for k in range(1502):
        assert lsun.real_batches(lsun.settings, k) == lsun.critic_updates(lsun.settings, k) == total
        total += 100 if k < 25 or k % 500 == 0 else 5


# --- One G-iteration with data ------------------------------------------------------------------------


def run(experiment, draws, seed=0):
    torch.manual_seed(seed)
    players = build(experiment, "cpu")
    return players, experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws)


@by_name(DIGITS + HEADLINES)
def test_iteration_moves_both_networks_and_reports_finite_losses(experiment, synthetic, reduced):
    experiment = reduced(experiment, 4 if experiment in DIGITS else 2)
    torch.manual_seed(0)
    before = build(experiment, "cpu")
    players, losses = run(experiment, synthetic(experiment))
    assert_detached_scalars(losses, "cpu")
    assert all(loss.isfinite() for loss in losses.values())
    for old, new in ((before.generator, players.generator), (before.critic, players.critic)):
        moved = [not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True)]
        assert sum(moved) > len(moved) / 2
        assert all(p.isfinite().all() for p in new.state_dict().values())


@by_name(DIGITS)
def test_iteration_is_a_function_of_its_draws(experiment, synthetic, reduced):
    experiment = reduced(experiment, 4)
    (one, _), (same, _), (other, _) = (
        run(experiment, synthetic(experiment, seed=seed)) for seed in (0, 0, 1)
    )
    for a, b in ((one.generator, same.generator), (one.critic, same.critic)):
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert any(
        not torch.equal(x, y)
        for x, y in zip(one.generator.parameters(), other.generator.parameters(), strict=True)
    )


def weights(state, network):
    return {name: state[name] for name, _ in network.named_parameters()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@by_name(DIGITS + HEADLINES)
def test_each_step_touches_only_its_own_network(experiment, synthetic, trace, reduced):
    experiment = reduced(experiment, 4 if experiment in DIGITS else 2)
    players = build(experiment, "cpu")
    networks = {"critic": players.critic, "generator": players.generator}
    # Weights and gradients that the last step of each network left behind.
    left = {name: weights(n.state_dict(), n) for name, n in networks.items()}
    left = {name: {k: v.clone() for k, v in values.items()} for name, values in left.items()}
    gradients = {"critic": {}, "generator": {}}
    clips_afterwards = getattr(experiment.settings, "clip_when", None) == "after"
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, synthetic(experiment))

    for step in recorded.steps:
        other = "critic" if step.player == "generator" else "generator"
        assert_same(weights(step.other_state, networks[other]), left[other])
        # GAN takes both gradients from one forward pass before either network steps.
        if experiment.baseline != "gan":
            assert_same(step.other_gradients, gradients[other])
        left[step.player] = weights(step.state, networks[step.player])
        if step.player == "critic" and clips_afterwards:
            clip = experiment.settings.clip
            left["critic"] = {name: w.clamp(-clip, clip) for name, w in left["critic"].items()}
        gradients[step.player] = step.gradients
    for name, network in networks.items():
        assert_same(weights(network.state_dict(), network), left[name])
        assert_same({k: p.grad for k, p in network.named_parameters()}, gradients[name])
        assert all(p.requires_grad for p in network.parameters())


@by_name([e for e in DIGITS if e.baseline == "sngan"])
def test_generator_step_advances_only_u_in_the_critic(experiment, synthetic, trace, reduced):
    experiment = reduced(experiment, 4)
    players = build(experiment, "cpu")
    before = {name: value.clone() for name, value in players.critic.state_dict().items()}
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    after = recorded.generator_steps[0].other_state
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith(".u")}
