"""WGAN beyond its file: MLPs, norm-free generators, Algorithm 1 as printed, the −log D baselines.

The MLPs and the released norm-free generator have golden vectors (test_golden_wgan); the other networks are
checked by structure, the −log D iteration against the formulas written out here.
"""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import wgan
from baselines.spec import LOW, SUITE
from baselines.variants import wgan as variants
from baselines.variants.wgan_nobn import NormFreeGenerator

BY_NAME = {e.name.partition("/")[2]: e for e in variants.EXPERIMENTS}
BASELINES = [e for name, e in BY_NAME.items() if name.startswith("lsun64-gan-")]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
NO_NORM = {"sampling_statistics", "sampling_batch"}
"""Settings that batch norm in the generator decides."""


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(experiment, settings=None, device="cpu", shape=None):
    shape = shape or experiment.image_shape
    with torch.device(device):
        return experiment.build(settings or experiment.settings, shape, torch.full(shape, 0.5))


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


# --- Declarations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("lsun64-mlp", 6_880_768, 2_765_568),  # GAN/DCGAN/WGAN fact sheet 4.2
        ("lsun64-mlp-4-hidden", 6_880_768 + 512 * 513, 2_765_568),
        ("lsun64-mlp-mlp", 6_880_768, 6_817_793),  # 4.2
        ("lsun64-mlp-mlp-high-rate", 6_880_768, 6_817_793),
        ("lsun64-nobn", 302_080, 2_765_568),  # 4.6, 2
        ("lsun64-nobn-halving", 3_574_784, 2_765_568),  # 4.2
        ("lsun64-constant5", 3_576_704, 2_765_568),  # 4.2
        ("cifar10-100-5", 5_179_907, 4_116_225),  # WGAN-GP fact sheet 2.2
        ("lsun64-gan-dcgan", 3_576_704, 2_765_568),
        ("lsun64-gan-mlp", 6_880_768, 2_765_568),
        ("lsun64-gan-nobn", 302_080, 2_765_568),
    ],
)
def test_parameter_counts(name, generator, critic):
    players = build(BY_NAME[name], device="meta")
    counts = [sum(p.numel() for p in n.parameters()) for n in (players.generator, players.critic)]
    assert counts == [generator, critic]


def test_the_released_default_of_64_critic_units(revise):
    settings = revise(variants.LSUN64_MLP_MLP.settings, critic_units=64)
    critic = build(variants.LSUN64_MLP_MLP, settings, "meta").critic
    assert sum(p.numel() for p in critic.parameters()) == 794_881  # fact sheet 4.2


@pytest.mark.parametrize(
    ("variant", "base", "changed"),
    [
        (variants.LSUN64_MLP, wgan.LSUN64, NO_NORM),
        (variants.LSUN64_MLP_4_HIDDEN, variants.LSUN64_MLP, {"hidden_layers"}),
        (variants.LSUN64_MLP_MLP, variants.LSUN64_MLP, {"width", "slope", "init_std", "critic_units"}),
        (variants.LSUN64_MLP_MLP_HIGH_RATE, variants.LSUN64_MLP_MLP, {"learning_rate"}),
        (variants.LSUN64_NOBN, wgan.LSUN64, NO_NORM),
        (variants.LSUN64_NOBN_HALVING, wgan.LSUN64, NO_NORM),
        (variants.LSUN64_CONSTANT5, wgan.LSUN64, {"critic_schedule"}),
        (variants.LSUN64_CLIP_AFTER, wgan.LSUN64, {"clip_when"}),
        (variants.LSUN64_PRINTED, wgan.LSUN64, {"critic_schedule", "clip_when"}),
        (variants.CIFAR10_100_5, wgan.CIFAR10, {"critic_schedule"}),
        (
            variants.LSUN64_GAN_MLP,
            variants.LSUN64_GAN_DCGAN,
            NO_NORM | {"generator_units", "hidden_layers"},
        ),
        (variants.LSUN64_GAN_NOBN, variants.LSUN64_GAN_DCGAN, NO_NORM),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_variant_differs_only_where_it_says(variant, base, changed):
    ours, theirs = variant.settings.values(), base.settings.values()
    assert {name for name in theirs if ours[name] != theirs[name]} == changed


def test_no_variant_is_a_headline_and_low_confidence_says_unconfirmed():
    for experiment in variants.EXPERIMENTS:
        assert not experiment.headline
        for source in experiment.settings.sources.values():
            assert source.confidence != LOW or "unconfirmed" in source.where


def test_the_rate_of_the_failing_run_is_no_fact():
    failing = variants.LSUN64_MLP_MLP
    source = failing.settings.sources["learning_rate"]
    assert source.confidence == LOW
    assert "prints no value" in source.where
    assert "not printed" in failing.deviations[0].why
    assert variants.LSUN64_MLP_MLP_HIGH_RATE.settings.sources["learning_rate"].confidence == SUITE


def test_only_the_runs_of_figure_3_have_a_length():
    lengths = {name: e.budget.gen_iters for name, e in BY_NAME.items()}
    figure_3 = {"lsun64-mlp", "lsun64-mlp-mlp", "lsun64-constant5", "lsun64-clip-after", "lsun64-printed"}
    assert {name for name, length in lengths.items() if length} == figure_3
    assert {lengths[name] for name in figure_3} == {600_000}


@pytest.mark.parametrize(
    "experiment",
    [
        variants.LSUN64_CONSTANT5,
        variants.LSUN64_PRINTED,
        variants.CIFAR10_100_5,
        variants.LSUN64_CLIP_AFTER,
    ],
    ids=lambda e: e.name,
)
def test_critic_updates_are_the_running_sum_of_the_schedule(experiment):
    released = experiment in (variants.CIFAR10_100_5, variants.LSUN64_CLIP_AFTER)
    total = 0
    for k in range(1502):
        assert experiment.critic_updates(experiment.settings, k) == total
        total += 100 if released and (k < 25 or k % 500 == 0) else 5


def test_critic_updates_of_figure_3_are_the_fact_sheets():
    # Fact sheet, table 1: about 3 115 985 at 600 000 G-iterations, where epoch ends cut loops short.
    assert wgan.critic_updates(variants.LSUN64_MLP.settings, 600_000) == pytest.approx(3_115_985, rel=1e-4)
    # Beside it, critic updates on CIFAR-10, likewise.
    for k, updates in ((10_000, 53_796), (50_000, 260_244), (100_000, 518_304), (200_000, 1_034_424)):
        closed_form = variants.CIFAR10_100_5.critic_updates(variants.CIFAR10_100_5.settings, k)
        assert closed_form == pytest.approx(updates, rel=0.01)


# --- Networks -----------------------------------------------------------------------------------------


def test_mlp_generator_is_unbounded_and_keeps_torchs_initial_weights():
    players = build(variants.LSUN64_MLP)
    generator = players.generator
    assert [type(m) for m in generator.layers] == [nn.Linear, nn.ReLU] * 3 + [nn.Linear]
    for layer in modules(generator, nn.Linear):
        bound = layer.in_features**-0.5
        for values in (layer.weight, layer.bias):
            assert values.abs().max() <= bound
            assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
    with torch.no_grad():
        generator.layers[-1].bias.fill_(3.0)
    assert generator(torch.zeros(2, 100)).min() > 1
    # its critic is drawn as DCGAN's
    for layer in modules(players.critic, nn.Conv2d):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(
    ("experiment", "widths"),
    [(variants.LSUN64_NOBN, [64] * 4), (variants.LSUN64_NOBN_HALVING, [512, 256, 128, 64])],
    ids=lambda value: getattr(value, "name", None),
)
def test_norm_free_generators(experiment, widths):
    players = build(experiment)
    layers = modules(players.generator, nn.ConvTranspose2d)
    assert [layer.in_channels for layer in layers] == [100, *widths]
    assert layers[-1].out_channels == 3
    assert all(layer.bias is None for layer in layers)
    assert all(layer.weight.std().item() == pytest.approx(0.02, rel=0.1) for layer in layers)
    assert not modules(players.generator, NORMS)
    assert len(modules(players.critic, NORMS)) == 3
    images = players.generator(torch.randn(2, 100))
    assert images.shape == (2, 3, 64, 64)
    assert images.abs().max() <= 1


def test_norm_free_generator_is_dcgans_without_its_norms():
    whole = wgan.Generator(100, 8, (3, 64, 64))
    bare = NormFreeGenerator(100, [64, 32, 16, 8], (3, 64, 64))
    for norm in modules(whole, NORMS):
        norm.eval()
        norm.eps = 0.0
    for ours, theirs in zip(
        modules(bare, nn.ConvTranspose2d), modules(whole, nn.ConvTranspose2d), strict=True
    ):
        ours.load_state_dict(theirs.state_dict())
    z = torch.randn(3, 100)
    assert torch.equal(bare(z), whole(z))


@pytest.mark.parametrize("experiment", [variants.LSUN64_CLIP_AFTER, wgan.LSUN64], ids=lambda e: e.name)
def test_the_generator_sees_a_critic_inside_the_box_only_when_clipped_after(
    experiment, revise, synthetic, trace
):
    settings = revise(experiment.settings, batch=2, width=4, critic_steps=2)
    experiment = dataclasses.replace(experiment, settings=settings, image_shape=(3, 16, 16))
    players = build(experiment)
    recorded = trace(players)
    experiment.iterate(settings, players, 30, synthetic(experiment))
    largest = max(
        values.abs().max().item()
        for values in recorded.generator_steps[0].other_state.values()
        if values.is_floating_point() and values.dim() == 4
    )
    bound = torch.tensor(settings.clip).item()
    assert (largest <= bound) == (settings.clip_when == "after")


# --- −log D -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", BASELINES, ids=lambda e: e.name)
def test_baselines_have_the_networks_of_their_wgan(experiment):
    name = {"dcgan": "lsun64", "mlp": "lsun64-mlp", "nobn": "lsun64-nobn"}[experiment.name.split("-")[-1]]
    theirs = build(wgan.LSUN64 if name == "lsun64" else BY_NAME[name], device="meta")
    ours = build(experiment, device="meta")
    for a, b in ((ours.generator, theirs.generator), (ours.critic, theirs.critic)):
        assert str(a) == str(b)
    for optimiser in (ours.generator_optimiser, ours.critic_optimiser):
        assert type(optimiser) is torch.optim.Adam
        (group,) = optimiser.param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 0)


@pytest.mark.parametrize("experiment", BASELINES, ids=lambda e: e.name)
def test_one_step_each_on_the_written_out_losses(experiment, revise, synthetic, trace):
    settings = revise(experiment.settings, batch=3)
    experiment = dataclasses.replace(experiment, settings=settings)
    players = build(experiment)
    recorded = trace(players)
    losses = experiment.iterate(settings, players, 0, synthetic(experiment))
    assert [step.player for step in recorded.steps] == ["critic", "generator"]
    assert recorded.steps[0].other_gradients == {}
    real, fake, judged = map(torch.sigmoid, recorded.critic_outputs)
    label, none = torch.ones(3), torch.zeros(3)
    expected = F.binary_cross_entropy(real, label) + F.binary_cross_entropy(fake, none)
    torch.testing.assert_close(losses["critic"], expected)
    torch.testing.assert_close(losses["generator"], F.binary_cross_entropy(judged, label))
    assert torch.equal(recorded.critic_inputs[1], recorded.generated[0])
    assert not torch.equal(recorded.generated[0], recorded.generated[1])
