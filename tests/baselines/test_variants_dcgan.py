"""DCGAN's further experiments: sizes, initial weights and schedules of all; the third author's port."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from baselines import dcgan, wgan
from baselines.spec import LOW
from baselines.variants import dcgan as variants

BY_NAME = {e.name.removeprefix("dcgan/"): e for e in variants.EXPERIMENTS}
CONDITIONAL, TORCH = variants.MNIST_CONDITIONAL, variants.TORCH64
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def narrow(revise):
    """The experiment with few channels and a small batch, otherwise as declared."""

    def make(experiment, batch=3, **changes):
        widths = {"batch": batch, "width": 4, **changes}
        if experiment is CONDITIONAL:
            widths["dense_units"] = 8
        return dataclasses.replace(experiment, settings=revise(experiment.settings, **widths))

    return make


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.5))


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


# --- Networks -----------------------------------------------------------------------------------------


# gan-dcgan-wgan.md, sections 3.2 and (for the port) 4.2.
@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("lsun64", 18_885_760, 17_232_768),
        ("lsun64-printed", 18_885_760, 17_232_768),
        ("faces64", 18_885_760, 17_232_768),
        ("torch64", 3_576_704, 2_765_568),
        ("imagenet32", 6_690_688, 4_586_112),
        ("svhn32", 1_446_976, 1_033_664),
        ("svhn32-printed", 1_446_976, 1_033_664),
        # Its layer table without a sum: 110·1024 + 1034·6272 + 25·(138·64 + 74), and
        # 25·(11·64 + 74·128) + 6282·1024 + 1034.
        ("mnist-conditional", 6_820_538, 6_688_202),
    ],
)
def test_parameter_counts(name, generator, critic):
    players = build(BY_NAME[name], "meta")
    assert (parameters(players.generator), parameters(players.critic)) == (generator, critic)


@pytest.mark.parametrize("name", ["lsun64", "faces64"])
def test_channels_of_figure_1(name):
    players = build(BY_NAME[name], "meta")
    up = [m.in_channels for m in modules(players.generator, nn.ConvTranspose2d)]
    down = [m.out_channels for m in modules(players.critic, nn.Conv2d)]
    assert (up, down) == ([1024, 512, 256, 128], [128, 256, 512, 1024])


@pytest.mark.parametrize("experiment", variants.EXPERIMENTS, ids=lambda e: e.name)
def test_no_biases_but_batch_norms_and_no_norm_at_pixels(experiment):
    players = build(experiment, "meta")
    for network in (players.generator, players.critic):
        assert all(m.bias is None for m in modules(network, WEIGHTED))
        assert {m.affine for m in modules(network, NORMS)} == {experiment is not CONDITIONAL}
        expected = 1e-5 if experiment is TORCH else 1e-8
        assert {m.eps for m in modules(network, NORMS)} == {expected}
    assert len(modules(players.generator, NORMS)) == len(modules(players.generator, WEIGHTED)) - 1
    assert len(modules(players.critic, NORMS)) == len(modules(players.critic, WEIGHTED)) - 2


@pytest.mark.parametrize("experiment", variants.EXPERIMENTS, ids=lambda e: e.name)
def test_initial_weights(narrow, experiment):
    players = build(narrow(experiment, width=16))
    for network in (players.generator, players.critic):
        for m in modules(network, WEIGHTED):
            n = m.weight.numel()
            assert abs(m.weight.mean()) < 5 * 0.02 / n**0.5
            assert m.weight.std().item() == pytest.approx(0.02, rel=4 / n**0.5)
        for m in modules(network, NORMS):
            if m.affine:
                n = m.weight.numel()
                assert m.weight.mean().item() == pytest.approx(1, abs=5 * 0.02 / n**0.5)
                assert not m.bias.any()


# --- Schedules ----------------------------------------------------------------------------------------

ALTERNATING = {"lsun64", "faces64", "imagenet32", "svhn32", "svhn32-printed", "mnist-conditional"}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_minibatch_trains_one_network_or_both(narrow, synthetic, trace, name):
    experiment = narrow(BY_NAME[name])
    players, draws = build(experiment), synthetic(experiment)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, draws)
    alternating = name in ALTERNATING
    assert draws.real_batches == (2 if alternating else 1)
    assert [step.player for step in recorded.steps] == (
        ["generator", "critic"] if alternating else ["critic", "generator"]
    )
    # A generator that moves first is seen by the critic after its update, and the other way round.
    last = recorded.steps[-1]
    other = players.generator if last.player == "critic" else players.critic
    assert all(torch.equal(last.other_state[n], p) for n, p in other.named_parameters())


@pytest.mark.parametrize("name", [n for n in BY_NAME if n != "mnist-conditional"])
def test_fakes_are_new_for_the_second_network_except_in_the_port(narrow, synthetic, trace, name):
    experiment = narrow(BY_NAME[name])
    players = build(experiment)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    if name == "torch64":
        (fake,) = recorded.generated
        assert torch.equal(recorded.critic_inputs[1], fake)
        assert torch.equal(recorded.critic_inputs[2], fake)
    else:
        assert len(recorded.generated) == 2
        assert not torch.equal(*recorded.generated)


def test_the_ports_generator_descends_through_the_updated_critic(narrow, synthetic, trace):
    experiment = narrow(TORCH)
    players = build(experiment)
    recorded = trace(players)
    losses = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    _, before, after = recorded.critic_outputs
    assert not torch.equal(before, after)
    torch.testing.assert_close(losses["generator"], -torch.sigmoid(after).log().mean())
    gradients = recorded.generator_steps[0].gradients
    assert all(gradients[n].any() for n, _ in players.generator.named_parameters())
    # Only the critic's own step gave the critic gradients.
    kept = recorded.generator_steps[0].other_gradients
    assert all(torch.equal(kept[n], g) for n, g in recorded.critic_steps[0].gradients.items())


def test_the_ports_networks_are_wgans():
    ours, theirs = build(TORCH, "meta"), build(wgan.LSUN64, "meta")
    assert str(ours.generator) == str(theirs.generator)
    assert str(ours.critic) == str(theirs.critic)


@pytest.mark.parametrize(
    ("name", "batch", "prior", "rate", "l2"),
    [
        ("lsun64", 128, "uniform", 2e-4, 1e-5),
        ("lsun64-printed", 128, "uniform", 2e-4, 0),
        ("faces64", 128, "uniform", 2e-4, 1e-5),
        ("torch64", 64, "normal", 2e-4, 0),
        ("imagenet32", 128, "uniform", 2e-4, 1e-5),
        ("svhn32", 64, "normal", 5e-4, 1e-5),
        ("svhn32-printed", 128, "uniform", 2e-4, 1e-5),
        ("mnist-conditional", 128, "uniform", 2e-4, 2.5e-5),
    ],
)
def test_batch_prior_and_optimiser(name, batch, prior, rate, l2):
    experiment = BY_NAME[name]
    assert (experiment.settings.batch, experiment.settings.prior) == (batch, prior)
    players = build(experiment, "meta")
    for optimiser in (players.generator_optimiser, players.critic_optimiser):
        assert type(optimiser) is torch.optim.Adam
        (group,) = optimiser.param_groups
        assert (group["lr"], group["weight_decay"]) == (rate, l2)
        assert (group["betas"], group["eps"]) == ((0.5, 0.999), 1e-8)


@pytest.mark.parametrize(
    ("name", "epochs", "images", "minibatches"),
    [
        ("lsun64", 5, 3_033_042, 2),
        ("lsun64-printed", 5, 3_033_042, 1),
        ("faces64", 25, 350_000, 2),
        ("torch64", 25, 162_770, 1),
        ("imagenet32", 30, 1_281_167, 2),
        ("svhn32", 200, 63_257, 2),
        ("mnist-conditional", 200, 50_000, 2),
    ],
)
def test_budgets(name, epochs, images, minibatches):
    experiment = BY_NAME[name]
    per_epoch = math.ceil(images / experiment.settings.batch)
    # The generator is first, so it gets one more when the number of minibatches is odd.
    assert experiment.budget.gen_iters == math.ceil(epochs * per_epoch / minibatches)


# --- Declarations -------------------------------------------------------------------------------------


def test_unconfirmed_values_say_so():
    for experiment in variants.EXPERIMENTS:
        assert not experiment.headline
        for source in experiment.settings.sources.values():
            if source.confidence == LOW:
                assert "unconfirmed" in source.where, (experiment.name, source.where)


@pytest.mark.parametrize(
    ("variant", "base", "changed"),
    [
        (variants.LSUN64_PRINTED, variants.LSUN64, {"alternate", "l2"}),
        (variants.SVHN32_PRINTED, variants.SVHN32, {"batch", "learning_rate", "prior"}),
        (variants.LSUN64, variants.FACES64, set()),
        (dcgan.DIGITS, variants.FACES64, {"batch", "width", "prior", "learning_rate"}),
        (variants.SVHN32, dcgan.DIGITS, {"batch", "width"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_variant_differs_only_where_it_says(variant, base, changed):
    ours, theirs = variant.settings.values(), base.settings.values()
    assert {name for name in theirs if ours[name] != theirs[name]} == changed
