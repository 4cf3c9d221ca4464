"""DCGAN: Radford, Metz & Chintala, Unsupervised Representation Learning with DCGANs, 2015 (arXiv 1511.06434).

Faithful to the released training script (Newmu/dcgan_code ee12b2d, ``faces/train_uncond_dcgan.py``) in
networks, update rule and schedule. Tested against that code's own numbers (tests/golden/dcgan64).

Where paper and code differ the code is followed:
  * a minibatch trains either the generator or the critic, generator first; the paper does not say so;
  * an L2 term (1e-5) is added to every gradient; the paper does not mention it;
  * samples are drawn with the batch statistics of the sampled batch.
`dcgan/cifar10` is another network: the DCGAN mode of the WGAN-GP authors' CIFAR-10 script. The DCGAN paper
trained no generator on CIFAR-10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import wgan_gp
from baselines.critic_losses import CriticLoss
from baselines.layers import init_normal
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.optimisers import EpsHatAdam
from baselines.spec import (
    HIGH,
    LOW,
    MEDIUM,
    SUITE,
    Budget,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Paper,
    Players,
    Settings,
    Source,
    cited,
    frozen,
    update,
)

PAPER = Paper(
    "radford2015dcgan",
    "Radford, Metz & Chintala, Unsupervised Representation Learning with Deep Convolutional GANs, 2015",
    "1511.06434",
)


@dataclass(frozen=True, kw_only=True)
class DcganSettings(Settings):
    """Hyper-parameters of the released scripts.

    Attributes:
        width: channels of the generator's last hidden and the critic's first layer; doubles per halving.
        alternate: a minibatch trains either network (generator first); otherwise each G-iteration is one
            critic step and one generator step.
        critic_loss_scale: 1 for the sum of both cross-entropies, .5 for their mean.

    """

    width: int
    slope: float
    norm_eps: float
    init_std: float
    learning_rate: float
    beta1: float
    beta2: float
    l2: float
    alternate: bool
    critic_loss_scale: float


# --- Networks -----------------------------------------------------------------------------------------


class Generator(nn.Module):
    """Linear to 4×4, then 5×5 stride-2 transposed convolutions with batch norm and ReLU; tanh (Fig. 1).

    The first batch norm is over the linear layer's features, not over channels. No biases but batch norm's.
    """

    def __init__(self, s: DcganSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        widths = _widths(s.width, shape)[::-1]
        self.widest = widths[0]
        self.project = nn.Linear(s.latent, widths[0] * 16, bias=False)
        self.project_norm = nn.BatchNorm1d(widths[0] * 16, eps=s.norm_eps)
        layers: list[nn.Module] = []
        for i, width in enumerate(widths):
            last = i + 1 == len(widths)
            layers.append(double(width, shape[0] if last else widths[i + 1]))
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(widths[i + 1], eps=s.norm_eps), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W] in −1..1."""
        h = F.relu(self.project_norm(self.project(z))).reshape(-1, self.widest, 4, 4)
        images: Tensor = self.layers(h)
        return images


class Critic(nn.Module):
    """5×5 stride-2 convolutions, leaky ReLU, batch norm on all but the first; logit of D(x), [B]."""

    def __init__(self, s: DcganSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        widths = _widths(s.width, shape)
        layers: list[nn.Module] = []
        for i, width in enumerate(widths):
            before = widths[i - 1] if i else shape[0]
            layers.append(nn.Conv2d(before, width, 5, stride=2, padding=2, bias=False))
            if i:
                layers.append(nn.BatchNorm2d(width, eps=s.norm_eps))
            layers.append(nn.LeakyReLU(s.slope))
        self.layers = nn.Sequential(*layers)
        self.logit = nn.Linear(widths[-1] * 16, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in −1..1 → logits [B]."""
        logit: Tensor = self.logit(self.layers(x).flatten(1))
        return logit.squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        """All convolutions' activations, max-pooled to 4×4, in one vector per image (§5.1)."""
        pooled = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                pooled.append(F.adaptive_max_pool2d(x, 4).flatten(1))
        return torch.cat(pooled, 1)


def double(channels_in: int, channels_out: int) -> nn.Module:
    """5×5 transposed convolution that doubles height and width."""
    return nn.ConvTranspose2d(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1, bias=False)


def _widths(width: int, shape: tuple[int, int, int]) -> list[int]:
    """Channels at H/2, H/4 and so on to 4 pixels: width, 2·width, 4·width and so on."""
    halvings = (shape[1] // 4).bit_length() - 1
    return [width << i for i in range(halvings)]


def build(s: DcganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the 5×5 stride-2 networks."""
    return players(s, Generator(s, shape), Critic(s, shape))


def players(s: DcganSettings, generator: nn.Module, critic: nn.Module) -> Players:
    """Both networks from N(0, .02²), batch-norm gains from N(1, .02²) (§4); Adam with the L2 term."""
    for network in (generator, critic):
        init_normal(network, s.init_std, norm_gain_std=s.init_std)
    g, c = (
        torch.optim.Adam(
            network.parameters(),
            lr=s.learning_rate,
            betas=(s.beta1, s.beta2),
            eps=1e-8,
            weight_decay=s.l2,
            foreach=True,
        )
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def build_cifar(s: DcganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Take the WGAN-GP authors' CIFAR-10 networks in DCGAN mode: batch norm in the critic too."""
    generator = wgan_gp.CifarGenerator(s.latent, s.width, shape)
    critic = wgan_gp.CifarCritic(s.width, shape, batch_norm=True)
    g, c = (
        EpsHatAdam(network.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2))
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


# --- One generator iteration --------------------------------------------------------------------------


def iterate(s: DcganSettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """One generator step and one critic step, each on its own latents."""
    if s.alternate:
        draws.skip_images()  # the minibatch that the generator's turn uses up
        generator_loss = generator_step(s, p, draws)
        critic_loss = critic_step(s, p, draws)
    else:
        critic_loss = critic_step(s, p, draws)
        generator_loss = generator_step(s, p, draws)
    return {"critic": critic_loss, "generator": generator_loss}


def critic_step(s: DcganSettings, p: Players, draws: Draws) -> Tensor:
    """Real and fake pass separately, so that batch norm sees one kind at a time."""
    real = draws.images() / 127.5 - 1
    with torch.no_grad():
        fake = p.generator(draws.latent(len(real)))
    loss = s.critic_loss_scale * standard_critic_loss(p.critic(real), p.critic(fake))
    update(p.critic_optimiser, loss)
    return loss.detach()


def generator_step(s: DcganSettings, p: Players, draws: Draws) -> Tensor:
    """Descend the non-saturating loss on fresh latents."""
    with frozen(p.critic):
        loss = non_saturating_generator_loss(p.critic(p.generator(draws.latent(s.batch))))
        update(p.generator_optimiser, loss)
    return loss.detach()


def real_batches(s: DcganSettings, k: int) -> int:
    """Two minibatches per G-iteration when they alternate, else one."""
    return 2 * k if s.alternate else k


def critic_updates(s: DcganSettings, k: int) -> int:  # noqa: ARG001
    """One critic step per G-iteration."""
    return k


def cross_entropy(s: DcganSettings) -> CriticLoss:
    """Of real and generated images, times `critic_loss_scale`."""
    return CriticLoss("cross-entropy", s.critic_loss_scale)


# --- Experiments --------------------------------------------------------------------------------------

FACES = "released faces script"
SVHN = "released SVHN model"
GAN_CIFAR = "improved_wgan_training gan_cifar.py, MODE=dcgan"

Prior = Literal["normal", "uniform", "uniform-sqrt3"]
UNIFORM: Prior = "uniform"
BETA1_STAYS = Deviation(
    "Adam's β₁ stays as it is",
    "the released Adam multiplies it by 1 − 1e-8 at every update; the paper does not mention it",
    "none to be seen: 150 150 updates, those of imagenet32, would take .5 to .49925",
)

CIFAR10 = Experiment(
    name="dcgan/cifar10",
    title="DCGAN on CIFAR-10 (the WGAN-GP authors' DCGAN mode)",
    paper=PAPER,
    summary="5×5 stride-2 networks of width 128, batch norm in both; Adam, one critic step per G-iteration",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=cited(
        DcganSettings,
        batch=(64, GAN_CIFAR, HIGH),
        latent=(128, GAN_CIFAR, HIGH),
        prior=("normal", GAN_CIFAR, HIGH),
        epoch_end=("drop", GAN_CIFAR, MEDIUM),
        sampling_statistics=("batch", GAN_CIFAR, HIGH),
        sampling_batch=(100, GAN_CIFAR + ": for the Inception score", HIGH),
        width=(128, GAN_CIFAR, HIGH),
        slope=(0.2, GAN_CIFAR, HIGH),
        norm_eps=(1e-5, GAN_CIFAR, HIGH),
        init_std=(0.0, "unused: uniform Glorot and He-like in " + GAN_CIFAR, HIGH),
        learning_rate=(2e-4, GAN_CIFAR, HIGH),
        beta1=(0.5, GAN_CIFAR, HIGH),
        beta2=(0.999, GAN_CIFAR, HIGH),
        l2=(0.0, GAN_CIFAR, HIGH),
        alternate=(False, GAN_CIFAR, HIGH),
        critic_loss_scale=(0.5, GAN_CIFAR, HIGH),
    ),
    build=build_cifar,
    iterate=iterate,
    real_batches=real_batches,
    critic_updates=critic_updates,
    critic_loss=cross_entropy,
    budget=Budget(200_000, "axis of Figure 3 in WGAN-GP", Source("WGAN-GP Fig. 3 and gan_cifar.py", HIGH)),
    deviations=(
        Deviation(
            "not a network of the DCGAN paper",
            "that paper trained no generator on CIFAR-10; this is the DCGAN the WGAN-GP paper compares with",
            "its scores belong to WGAN-GP Fig. 3; the often quoted IS 6.16 is for another network",
        ),
        wgan_gp.WIDTH_128,
        wgan_gp.ONE_MORE,
    ),
    headline=True,
)

DIGITS = Experiment(
    name="dcgan/digits",
    title="DCGAN on the 4 000 embedded digits",
    paper=PAPER,
    summary="the 32×32 topology of the released SVHN model; one channel, width 32 (64), batch 16 (64)",
    dataset="digits",
    image_shape=(1, 32, 32),
    image_range=(-1.0, 1.0),
    settings=cited(
        DcganSettings,
        batch=(16, "suite: 64 by the folder name of the " + SVHN + ", reduced for two CPU cores", SUITE),
        latent=(100, "paper Fig. 1; " + SVHN, HIGH),
        prior=("normal", "folder name of the " + SVHN + "; uniform in the paper's Fig. 1", MEDIUM),
        epoch_end=("keep", FACES, HIGH),
        sampling_statistics=("batch", FACES, HIGH),
        sampling_batch=(128, FACES + ": gen_samples", HIGH),
        width=(32, "suite: 64 in the " + SVHN + ", narrowed for two CPU cores", SUITE),
        slope=(0.2, "paper §4", HIGH),
        norm_eps=(1e-8, FACES, HIGH),
        init_std=(0.02, "paper §4", HIGH),
        learning_rate=(5e-4, "folder name of the " + SVHN + "; 2e-4 in the paper's §4", MEDIUM),
        beta1=(0.5, "paper §4", HIGH),
        beta2=(0.999, FACES, HIGH),
        l2=(1e-5, FACES + "; none in the paper, unknown for SVHN", LOW),
        alternate=(True, FACES, HIGH),
        critic_loss_scale=(1.0, FACES, HIGH),
    ),
    build=build,
    iterate=iterate,
    real_batches=real_batches,
    critic_updates=critic_updates,
    critic_loss=cross_entropy,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        Deviation(
            "width 32, batch 16, one channel, 4 000 digits",
            "a run of the quick suite has to fit two CPU cores",
            "not comparable with any number of the paper",
        ),
        Deviation(
            "learning rate 5e-4 and normal latents",
            "the SVHN model whose networks these are was released with them; §4 prints 2e-4, Fig. 1 uniform",
            "faster learning than the paper's text suggests",
        ),
        Deviation(
            "minibatches alternate between the networks; L2 of 1e-5 on every parameter",
            "released code; the paper mentions neither",
            "half as many updates per epoch",
        ),
        BETA1_STAYS,
    ),
)

EXPERIMENTS = (CIFAR10, DIGITS)
