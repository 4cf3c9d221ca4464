"""Further experiments of WGAN-GP: MNIST, other optimisers on CIFAR-10, the ResNet as App. F prints it.

Networks are those of `baselines.wgan_gp`. CIFAR-10 with labels is in `wgan_gp_conditional`, LSUN bedrooms
with the networks of ``gan_64x64.py`` in `wgan_gp_lsun64`, points of the plane (``gan_toy.py``) in
`wgan_gp_toy`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from baselines.optimisers import TensorFlowRMSprop
from baselines.spec import HIGH, LOW, Budget, Deviation, Experiment, Players, Source
from baselines.variants.wgan_gp_conditional import CIFAR10_RESNET_CONDITIONAL
from baselines.variants.wgan_gp_lsun64 import LSUN64, LSUN64_BATCH_NORM, LSUN64_BETA1_HALF, LSUN64_NO_NORM
from baselines.variants.wgan_gp_toy import EXPERIMENTS as TOYS
from baselines.wgan_gp import (
    CIFAR10_CNN,
    CIFAR10_RESNET,
    CIFAR_PY,
    DIGITS,
    MNIST_PY,
    ONE_MORE,
    WIDTH_128,
    ResnetCritic,
    ResnetGenerator,
    WganGpSettings,
    build_cnn,
    players,
)

if TYPE_CHECKING:
    from torch import Tensor

# --- MNIST, and CIFAR-10 with the networks of Figure 3 ------------------------------------------------


def build_cnn_rmsprop(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
    """Make the networks of gan_cifar.py in mode wgan-gp with the optimiser of its mode wgan."""
    p = build_cnn(s, shape, mean_image)
    g, c = (TensorFlowRMSprop(n.parameters(), lr=s.learning_rate) for n in (p.generator, p.critic))
    return Players(p.generator, p.critic, g, c)


MNIST = dataclasses.replace(
    DIGITS,
    name="wgan_gp/mnist",
    title="WGAN-GP on MNIST",
    summary="5×5 stride-2 networks of width 64, no norm; Adam, λ = 10, 5 critic steps",
    dataset="mnist",
    train_images=50_000,
    settings=DIGITS.settings.revised(batch=(50, MNIST_PY, HIGH), width=(64, MNIST_PY, HIGH)),
    budget=Budget(200_000, "ITERS of the script; the paper prints no MNIST score", Source(MNIST_PY, HIGH)),
    deviations=(CIFAR10_CNN.deviations[0], ONE_MORE),
)

CIFAR10_CNN_RMSPROP = dataclasses.replace(
    CIFAR10_CNN,
    name="wgan_gp/cifar10-cnn-rmsprop",
    title="WGAN-GP on CIFAR-10, DCGAN-like networks (Fig. 3, RMSProp)",
    summary="the networks of cifar10-cnn with the RMSProp of the weight-clipping run instead of Adam",
    settings=CIFAR10_CNN.settings.revised(
        learning_rate=(5e-5, "paper Fig. 3: as the clipping run, whose rate is in " + CIFAR_PY, HIGH),
        beta1=(0.0, "unused: RMSProp", HIGH),
        beta2=(0.0, "unused: RMSProp; its decay .9 is TensorFlow's default", HIGH),
    ),
    build=build_cnn_rmsprop,
    deviations=(
        Deviation(
            "gradient penalty with RMSProp",
            "Figure 3 has this curve, but the released script has no mode for it",
            "put together from the script's modes wgan (optimiser) and wgan-gp (everything else)",
        ),
        WIDTH_128,
        ONE_MORE,
    ),
    headline=False,
)

CIFAR10_CNN_BETA1_0 = dataclasses.replace(
    CIFAR10_CNN,
    name="wgan_gp/cifar10-cnn-beta1-0",
    title="WGAN-GP on CIFAR-10, DCGAN-like networks, Adam as in Algorithm 1",
    summary="cifar10-cnn with Adam betas (0, .9), the paper's side of a conflict",
    settings=CIFAR10_CNN.settings.revised(beta1=(0.0, "paper Algorithm 1", HIGH)),
    budget=Budget(None, "not printed", Source("paper: no curve with these betas", HIGH)),
    deviations=(
        Deviation(
            "Adam betas (0, .9)",
            "Algorithm 1; the script that made Figure 3 has (.5, .9)",
            "no momentum in either network",
        ),
        WIDTH_128,
    ),
    headline=False,
)

# --- CIFAR-10, ResNet, as App. F prints it ------------------------------------------------------------


def build_resnet_late(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the ResNets of App. F, whose up-blocks enlarge before the second convolution."""
    return players(s, ResnetGenerator(s.latent, s.width, late=True), ResnetCritic(s.width))


CIFAR10_RESNET_PRINTED = dataclasses.replace(
    CIFAR10_RESNET,
    name="wgan_gp/cifar10-resnet-printed",
    title="WGAN-GP on CIFAR-10, ResNet, unsupervised, as App. F prints it",
    summary="cifar10-resnet with batches of 64 everywhere, up-blocks enlarging late, no dequantisation noise",
    settings=CIFAR10_RESNET.settings.revised(
        generator_batches=(1, "paper App. F: batch 64", HIGH),
        critic_batch_parts=(1, "paper App. F mentions no parts; unconfirmed", LOW),
        scaling=("symmetric", "paper mentions no noise; unconfirmed, as in " + CIFAR_PY, LOW),
    ),
    build=build_resnet_late,
    deviations=(
        Deviation(
            "batches of 64, up-blocks enlarging before the second convolution, no noise",
            "App. F; the script that made Table 3 has 2 × 64, enlarges first, and adds noise",
            "not the released run; shows what these differences are worth",
        ),
    ),
    headline=False,
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    MNIST,
    CIFAR10_CNN_RMSPROP,
    CIFAR10_CNN_BETA1_0,
    CIFAR10_RESNET_CONDITIONAL,
    CIFAR10_RESNET_PRINTED,
    LSUN64,
    LSUN64_BETA1_HALF,
    LSUN64_NO_NORM,
    LSUN64_BATCH_NORM,
    *TOYS,
)
