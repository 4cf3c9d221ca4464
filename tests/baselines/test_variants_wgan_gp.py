"""WGAN-GP beyond its file: labels, the 64-pixel ResNets and norms in their critic, toy data.

For the conditional run and the 64-pixel networks there are no golden vectors (for their layers there are);
what they compute is checked against the formulas written out here.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import layers, wgan_gp
from baselines.optimisers import EpsHatAdam, TensorFlowRMSprop
from baselines.spec import LOW, SUITE
from baselines.variants import wgan_gp as variants
from baselines.variants import wgan_gp_toy as toy

BY_NAME = {e.name.partition("/")[2]: e for e in variants.EXPERIMENTS}
NORMS = (nn.BatchNorm2d, nn.GroupNorm)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(experiment, settings=None, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(settings or experiment.settings, shape, torch.full(shape, 0.5))


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


# --- Declarations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("mnist", 1_554_177, 1_030_145),  # WGAN-GP fact sheet 2.1
        ("cifar10-cnn-rmsprop", 5_179_907, 4_114_689),  # 2.2
        ("cifar10-resnet-conditional", 1_218_307, 1_055_115),  # 2.3
        ("cifar10-resnet-printed", 1_204_483, 1_053_825),  # 2.3
        ("lsun64", 8_540_483, 7_491_841),  # 2.5
        ("lsun64-batch-norm", 8_540_483, 7_491_841),  # as many gains and offsets as layer norm
        ("lsun64-no-norm", 8_540_483, 7_491_841 - 4 * (64 + 128 + 256 + 512)),
    ],
)
def test_parameter_counts(name, generator, critic):
    players = build(BY_NAME[name], device="meta")
    counts = [sum(p.numel() for p in n.parameters()) for n in (players.generator, players.critic)]
    assert counts == [generator, critic]


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("mnist", EpsHatAdam, {"lr": 1e-4, "betas": (0.5, 0.9)}),
        ("cifar10-cnn-rmsprop", TensorFlowRMSprop, {"lr": 5e-5, "decay": 0.9, "eps": 1e-10}),
        ("cifar10-cnn-beta1-0", EpsHatAdam, {"lr": 1e-4, "betas": (0.0, 0.9)}),
        ("cifar10-resnet-conditional", EpsHatAdam, {"lr": 2e-4, "betas": (0.0, 0.9)}),
        ("lsun64", EpsHatAdam, {"lr": 1e-4, "betas": (0.0, 0.9)}),
        ("lsun64-beta1-half", EpsHatAdam, {"lr": 1e-4, "betas": (0.5, 0.9)}),
        ("toy-25gaussians", EpsHatAdam, {"lr": 1e-4, "betas": (0.5, 0.9)}),
    ],
)
def test_optimisers(name, kind, options):
    players = build(BY_NAME[name], device="meta")
    for optimiser in (players.critic_optimiser, players.generator_optimiser):
        assert type(optimiser) is kind
        (group,) = optimiser.param_groups
        assert {key: group[key] for key in options} == options


@pytest.mark.parametrize(
    ("variant", "base", "changed"),
    [
        (variants.MNIST, wgan_gp.DIGITS, {"batch", "width"}),
        (variants.CIFAR10_CNN_RMSPROP, wgan_gp.CIFAR10_CNN, {"learning_rate", "beta1", "beta2"}),
        (variants.CIFAR10_CNN_BETA1_0, wgan_gp.CIFAR10_CNN, {"beta1"}),
        (
            variants.CIFAR10_RESNET_PRINTED,
            wgan_gp.CIFAR10_RESNET,
            {"generator_batches", "critic_batch_parts", "scaling"},
        ),
        (variants.LSUN64_BETA1_HALF, variants.LSUN64, {"beta1"}),
        (variants.LSUN64_NO_NORM, variants.LSUN64, {"critic_norm"}),
        (variants.LSUN64_BATCH_NORM, variants.LSUN64, {"critic_norm"}),
        (toy.TOY_8GAUSSIANS_PENALTY_10, toy.TOY_8GAUSSIANS, {"penalty"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_variant_differs_only_where_it_says(variant, base, changed):
    ours, theirs = variant.settings.values(), base.settings.values()
    assert {name for name in ours if ours[name] != theirs[name]} == changed


def test_no_variant_is_a_headline_and_low_confidence_says_unconfirmed():
    for experiment in variants.EXPERIMENTS:
        assert not experiment.headline
        for source in experiment.settings.sources.values():
            assert source.confidence != LOW or "unconfirmed" in source.where


def test_lsun64_says_that_it_is_not_in_figure_2():
    for experiment in (e for name, e in BY_NAME.items() if name.startswith("lsun64")):
        assert "none of Fig. 2's seven" in experiment.title


# --- With labels --------------------------------------------------------------------------------------

CONDITIONAL = variants.CIFAR10_RESNET_CONDITIONAL


@pytest.fixture
def small(revise):
    """Settings of the conditional run at width 4, batch 8, one critic step."""
    return revise(CONDITIONAL.settings, width=4, batch=8, critic_steps=1)


def test_conditional_norm_in_the_blocks_and_none_in_the_critic():
    players = build(CONDITIONAL, device="meta")
    blocks = players.generator.blocks
    assert len(modules(blocks, layers.ConditionalBatchNorm2d)) == 6
    assert all(
        m.gains.shape == m.offsets.shape == (10, 128) for m in modules(blocks, layers.ConditionalBatchNorm2d)
    )
    assert type(players.generator.norm) is nn.BatchNorm2d
    assert players.generator.norm.affine
    assert not modules(players.critic, NORMS)
    assert all(m.bias is not None for m in modules(players.critic, (nn.Conv2d, nn.Linear)))


def test_classes_make_no_difference_before_training_and_choose_rows_afterwards(small):
    torch.manual_seed(1)
    generator = build(CONDITIONAL, small).generator
    torch.manual_seed(1)
    plain = wgan_gp.ResnetGenerator(128, 4)
    z, classes = torch.randn(6, 128), torch.tensor([3, 1, 4, 1, 5, 9])
    torch.testing.assert_close(generator(z, classes), plain(z))

    norm = layers.ConditionalBatchNorm2d(2, 10, 1e-5)
    nn.init.normal_(norm.gains)
    nn.init.normal_(norm.offsets)
    x = torch.randn(6, 2, 4, 4)
    centred = x - x.mean((0, 2, 3), keepdim=True)
    scaled = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    for i, c in enumerate(classes):
        expected = scaled[i] * norm.gains[c, :, None, None] + norm.offsets[c, :, None, None]
        torch.testing.assert_close(norm(x, classes)[i], expected, atol=1e-5, rtol=1e-5)


def value_and_logits(critic, x):
    h = critic.features(x)
    return critic.value(h)[:, 0], critic.classify(h)


def test_ac_gan_losses_and_gradients(replay, trace, small):
    """Critic: f(G) − f(x) + 10·penalty + 1·CE(real only); generator: −f(G) + .1·CE of the classes drawn."""
    players = build(CONDITIONAL, small)
    players.generator.double()
    players.critic.double()
    for norm in modules(players.generator, layers.ConditionalBatchNorm2d):
        nn.init.normal_(norm.gains, 1.0, 0.5)
    first = {k: v.clone() for k, v in players.critic.state_dict().items()}
    pixels = torch.randint(256, (8, 3, 32, 32)).double()
    noise, mix = torch.rand(8, 3, 32, 32).double(), torch.rand(8).double()
    of_real = torch.randint(10, (8,))
    z = [torch.randn(8, 128).double() for _ in range(3)]
    drawn = [torch.randint(10, (8,)) for _ in range(2)]
    draws = replay(images=[pixels], labels=[of_real, *drawn], latents=z, penalty=[mix], dequantise=[noise])
    recorded = trace(players)
    told = []
    players.generator.register_forward_pre_hook(lambda _m, inputs: told.append(inputs[1]))
    losses = CONDITIONAL.iterate(small, players, 0, draws)
    assert draws.exhausted
    # The critic's fakes, in two halves, have the classes of the real images; the generator's are drawn.
    assert [t.tolist() for t in told] == [c.tolist() for c in (*of_real.chunk(2), *drawn)]

    real = pixels / 128 - 1 + noise / 128
    fake = torch.cat(recorded.generated[:2])
    critic = build(CONDITIONAL, small).critic.double()
    critic.load_state_dict(first)
    on_real, logits = value_and_logits(critic, real)
    between = (mix[:, None, None, None] * fake + (1 - mix)[:, None, None, None] * real).requires_grad_(True)
    (slope,) = torch.autograd.grad(value_and_logits(critic, between)[0].sum(), between, create_graph=True)
    penalty = (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
    class_loss = -torch.stack([logits[i].log_softmax(0)[c] for i, c in enumerate(of_real)]).mean()
    wasserstein = value_and_logits(critic, fake)[0].mean() - on_real.mean()
    (wasserstein + 10 * penalty + 1.0 * class_loss).backward()
    (step,) = recorded.critic_steps
    for name, p in critic.named_parameters():
        torch.testing.assert_close(step.gradients[name], p.grad, msg=name)
    for name, expected in (
        ("critic", wasserstein),
        ("gradient_penalty", penalty),
        ("class_of_real", class_loss),
    ):
        torch.testing.assert_close(losses[name], expected.detach())
    # By hand: d CE / d bias of the class head = mean of softmax − one-hot, over the real images alone.
    by_hand = (logits.softmax(1) - F.one_hot(of_real, 10)).mean(0).detach()
    torch.testing.assert_close(step.gradients["classify.bias"], by_hand)

    generator = build(CONDITIONAL, small).generator.double()
    generator.load_state_dict(step.other_state)
    critic.load_state_dict(step.state)
    fakes = torch.cat([generator(z[1], drawn[0]), generator(z[2], drawn[1])])
    value, logits = value_and_logits(critic, fakes)
    class_loss = F.nll_loss(logits.log_softmax(1), torch.cat(drawn))
    (-value.mean() + 0.1 * class_loss).backward()
    (step,) = recorded.generator_steps
    for name, p in generator.named_parameters():
        torch.testing.assert_close(step.gradients[name], p.grad, msg=name)
    torch.testing.assert_close(losses["generator"], -value.mean().detach())
    torch.testing.assert_close(losses["class_of_fake"], class_loss.detach())


def test_an_undecided_class_head_costs_log_10(small):
    critic = build(CONDITIONAL, small).critic
    nn.init.zeros_(critic.classify.weight)
    out = critic(torch.randn(3, 3, 32, 32), torch.tensor([0, 5, 9]))
    torch.testing.assert_close(out[:, 1], torch.full((3,), math.log(10)))


def test_conditional_learning_rates_fall_like_the_unconditional_ones(synthetic):
    players = build(CONDITIONAL, device="meta")
    CONDITIONAL.iterate(CONDITIONAL.settings, players, 25_000, synthetic(CONDITIONAL, device="meta"))
    assert players.critic_optimiser.param_groups[0]["lr"] == pytest.approx(1.5e-4, rel=1e-9)
    assert players.generator_optimiser.param_groups[0]["lr"] == pytest.approx(2e-4 * (1 - 0.25001), rel=1e-9)


# --- Residual blocks ----------------------------------------------------------------------------------


def test_printed_resnet_enlarges_before_the_second_convolution():
    for experiment, factor in ((variants.CIFAR10_RESNET_PRINTED, 1), (wgan_gp.CIFAR10_RESNET, 2)):
        generator = build(experiment, device="meta").generator
        sizes = []
        for block in generator.blocks:
            block.conv1.register_forward_hook(lambda _m, _x, y, sizes=sizes: sizes.append(y.shape[2]))
        assert generator(torch.empty(2, 128, device="meta")).shape == (2, 3, 32, 32)
        assert sizes == [4 * factor, 8 * factor, 16 * factor]


@pytest.mark.parametrize("norm", variants.NORMS)
def test_normed_down_block_is_the_written_out_one(norm):
    block = layers.NormedDownBlock(4, 6, variants.NORMS[norm])
    assert block.conv1.bias is None
    assert block.conv1.out_channels == 4
    x = torch.randn(3, 4, 8, 8)

    def normed(y):
        if norm == "none":
            return y
        over = (1, 2, 3) if norm == "layer" else (0, 2, 3)
        variance, mean = torch.var_mean(y, over, correction=0, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    h = F.conv2d(F.relu(normed(x)), block.conv1.weight, padding=1)
    h = F.conv2d(F.relu(normed(h)), block.conv2.weight, block.conv2.bias, padding=1)
    expected = F.avg_pool2d(h, 2) + F.conv2d(F.avg_pool2d(x, 2), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("lsun64", nn.GroupNorm), ("lsun64-no-norm", None), ("lsun64-batch-norm", nn.BatchNorm2d)],
)
def test_norms_of_the_large_critic(name, kind):
    players = build(BY_NAME[name], device="meta")
    assert [type(m) for m in modules(players.critic, NORMS)] == ([kind] * 8 if kind else [])
    assert len(modules(players.generator, nn.BatchNorm2d)) == 9
    unbiased = [name for name, m in players.critic.named_modules() if getattr(m, "bias", 0) is None]
    assert unbiased == [f"blocks.{i}.conv1" for i in range(4)]


@pytest.mark.parametrize(
    ("name", "depends"), [("lsun64", False), ("lsun64-no-norm", False), ("lsun64-batch-norm", True)]
)
def test_only_batch_norm_makes_a_critics_value_depend_on_other_images(revise, name, depends):
    """Why not batch norm: the penalty is on the gradient of f at one image."""
    experiment = BY_NAME[name]
    critic = build(experiment, revise(experiment.settings, width=4)).critic
    x = torch.randn(4, 3, 64, 64).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x)[0], x)
    assert bool(gradient[1:].any()) == depends


def test_initial_weights_of_the_large_networks():
    players = build(variants.LSUN64)
    plain = {"project", "enter", "value", "shortcut"}
    for network in (players.generator, players.critic):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                found = layer.weight.detach().abs().max()
                layers.init_glorot(layer)
                ratio = 1 if name.rsplit(".", 1)[-1] in plain else 2**0.5
                assert found / layer.weight.detach().abs().max() == pytest.approx(ratio, rel=0.06), name


# --- Toy data -----------------------------------------------------------------------------------------


def plane(experiment, revise, synthetic, n=20_000, **changes):
    settings = revise(experiment.settings, batch=n, **changes)
    x = toy.points(settings, synthetic(experiment))
    assert x.shape == (n, 1, 1, 2)
    assert x.isfinite().all()
    return x.flatten(1), settings


@pytest.mark.parametrize("experiment", [toy.TOY_8GAUSSIANS, toy.TOY_25GAUSSIANS], ids=lambda e: e.name)
def test_gaussians_have_their_centres_and_width(revise, synthetic, experiment):
    if experiment is toy.TOY_8GAUSSIANS:
        modes = [(2 * math.cos(i * math.pi / 4), 2 * math.sin(i * math.pi / 4)) for i in range(8)]
    else:
        modes = [(2.0 * x, 2.0 * y) for x in range(-2, 3) for y in range(-2, 3)]
    x, settings = plane(experiment, revise, synthetic)
    x = x * settings.divisor
    distance, nearest = torch.cdist(x, torch.tensor(modes)).min(1)
    counts = nearest.bincount(minlength=len(modes)) / len(x)
    torch.testing.assert_close(counts, torch.full_like(counts, 1 / len(modes)), atol=0.012, rtol=0)
    assert distance.square().mean().sqrt() == pytest.approx(settings.noise * 2**0.5, rel=0.03)


def test_swiss_roll_is_a_spiral_with_noise(revise, synthetic):
    x, settings = plane(toy.TOY_SWISSROLL, revise, synthetic, noise=0.0)
    x = x * settings.divisor
    radius = x.norm(dim=1)
    assert 1.5 * math.pi <= radius.min() < 1.51 * math.pi
    assert 4.49 * math.pi < radius.max() <= 4.5 * math.pi + 1e-5
    spiral = radius[:, None] * torch.stack((radius.cos(), radius.sin()), 1)
    torch.testing.assert_close(x, spiral, atol=1e-3, rtol=0)
    # Uniform in the angle.
    assert radius.mean() == pytest.approx(3 * math.pi, rel=0.01)
    noisy, _ = plane(toy.TOY_SWISSROLL, revise, synthetic)
    assert (noisy * settings.divisor - x).std() == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize(
    "experiment", [toy.TOY_8GAUSSIANS, toy.TOY_25GAUSSIANS, toy.TOY_SWISSROLL], ids=lambda e: e.name
)
def test_toy_iteration_draws_fresh_points_and_moves_both_networks(synthetic, trace, experiment):
    players = build(experiment)
    before = [p.detach().clone() for n in (players.generator, players.critic) for p in n.parameters()]
    recorded = trace(players)
    losses = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    assert [step.player for step in recorded.steps] == ["critic"] * 5 + ["generator"]
    real = recorded.critic_inputs[0:15:3]
    assert len({tuple(x.flatten().tolist()) for x in real}) == 5
    assert all(loss.isfinite() for loss in losses.values())
    after = [p for n in (players.generator, players.critic) for p in n.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before[:-1], after[:-1], strict=True))
    low, high = experiment.image_range
    assert all(low <= x.min() and x.max() <= high for x in real)


def test_toy_networks_are_he_uniform_but_for_the_last_layer():
    players = build(toy.TOY_8GAUSSIANS)
    for network in (players.generator, players.critic):
        *hidden, last = modules(network, nn.Linear)
        assert len(hidden) == 3
        for layer in hidden:
            bound = math.sqrt(6 / layer.in_features)
            assert bound * 0.98 < layer.weight.abs().max() <= bound
            assert not layer.bias.any()
        bound = math.sqrt(6 / (last.in_features + last.out_features))
        assert bound * 0.97 < last.weight.abs().max() <= bound


def test_toy_data_are_cited_as_the_scripts_and_loaded_from_nowhere():
    for experiment in toy.EXPERIMENTS:
        assert experiment.real_batches(experiment.settings, 1000) == 0
        assert experiment.settings.sources["epoch_end"].confidence == SUITE
