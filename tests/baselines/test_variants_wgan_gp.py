"""WGAN-GP's further experiments: sizes, optimisers and declarations of all; App. F's ResNet as printed."""

import pytest
import torch

from baselines import wgan_gp
from baselines.optimisers import EpsHatAdam, TensorFlowRMSprop
from baselines.spec import LOW
from baselines.variants import wgan_gp as variants
from baselines.variants import wgan_gp_toy as toy

BY_NAME = {e.name.partition("/")[2]: e for e in variants.EXPERIMENTS}


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.5))


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


# --- Networks -----------------------------------------------------------------------------------------


def test_printed_resnet_enlarges_before_the_second_convolution():
    for experiment, factor in ((variants.CIFAR10_RESNET_PRINTED, 1), (wgan_gp.CIFAR10_RESNET, 2)):
        generator = build(experiment, device="meta").generator
        sizes = []
        for block in generator.blocks:
            block.conv1.register_forward_hook(lambda _m, _x, y, sizes=sizes: sizes.append(y.shape[2]))
        assert generator(torch.empty(2, 128, device="meta")).shape == (2, 3, 32, 32)
        assert sizes == [4 * factor, 8 * factor, 16 * factor]
