"""Further experiments of WGAN: its MLP and norm-free networks, the −log D baselines, Algorithm 1 as printed.

MLPs as in ``models/mlp.py``, tested against that code's own numbers (tests/golden/wgan_mlp64).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.layers import init_normal
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.spec import (
    HIGH,
    LOW,
    SUITE,
    Budget,
    Confidence,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Settings,
    Source,
    cited,
    frozen,
    update,
)
from baselines.wgan import (
    CIFAR10,
    LSUN64,
    MAIN,
    MODELS,
    Critic,
    Generator,
    WganSettings,
    doubling_widths,
    players,
)

MLP_PY = "released models/mlp.py"


@dataclass(frozen=True, kw_only=True)
class MlpSettings(WganSettings):
    """Settings of runs with MLPs.

    Attributes:
        generator_units: of each hidden layer (--mlp_G --ngf).
        critic_units: of each hidden layer (--mlp_D --ndf).
        hidden_layers: in each MLP.

    """

    generator_units: int
    critic_units: int
    hidden_layers: int


# --- Networks -----------------------------------------------------------------------------------------


class MlpGenerator(nn.Module):
    """Linear and ReLU, then linear with nothing after it; torch's initial weights (models/mlp.py)."""

    def __init__(self, latent: int, units: int, hidden_layers: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.layers = _mlp(latent, units, hidden_layers, math.prod(shape))

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W], unbounded: the data are in −1..1."""
        return self.layers(z).reshape(-1, *self.shape)  # type: ignore[no-any-return]


class MlpCritic(nn.Module):
    """Linear and ReLU, then linear to one value; torch's initial weights (models/mlp.py)."""

    def __init__(self, units: int, hidden_layers: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.layers = _mlp(math.prod(shape), units, hidden_layers, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] → f(x), [B]."""
        value: Tensor = self.layers(x.flatten(1))
        return value.squeeze(1)


def _mlp(features_in: int, units: int, hidden_layers: int, features_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(hidden_layers):
        layers += [nn.Linear(units if i else features_in, units), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(units, features_out))


class NormFreeGenerator(nn.Module):
    """4×4 transposed convolutions from 1×1 up to the given widths, ReLU; tanh; no norm, no biases."""

    def __init__(self, latent: int, widths: list[int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for channels, below in zip(widths, [*widths[1:], shape[0]], strict=True):
            layers += [nn.ReLU(), nn.ConvTranspose2d(channels, below, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W] in −1..1."""
        images: Tensor = self.layers(z[:, :, None, None])
        return images


def _constant(latent: int, width: int, shape: tuple[int, int, int]) -> NormFreeGenerator:
    return NormFreeGenerator(latent, [width] * len(doubling_widths(width, shape)), shape)


def _drawn(network: nn.Module, std: float) -> nn.Module:
    """The code's weights_init; it knows convolutions and batch norm, so MLPs are not passed to it."""
    init_normal(network, std, norm_gain_std=std)
    return network


def build_mlp(s: MlpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """MLP generator (--mlp_G), convolutional critic."""
    generator = MlpGenerator(s.latent, s.generator_units, s.hidden_layers, shape)
    return players(s, generator, _drawn(Critic(s.width, s.slope, shape), s.init_std))


def build_mlp_mlp(s: MlpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """MLPs both (--mlp_G --mlp_D)."""
    generator = MlpGenerator(s.latent, s.generator_units, s.hidden_layers, shape)
    return players(s, generator, MlpCritic(s.critic_units, s.hidden_layers, shape))


def build_nobn(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Norm-free generator of constant width (Fig. 6); batch norm stays in the critic."""
    networks = _constant(s.latent, s.width, shape), Critic(s.width, s.slope, shape)
    return players(s, *(_drawn(network, s.init_std) for network in networks))


def build_nobn_halving(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Norm-free generator with DCGAN's widths (DCGAN_G_nobn); batch norm stays in the critic."""
    generator = NormFreeGenerator(s.latent, doubling_widths(s.width, shape)[::-1], shape)
    return players(
        s, *(_drawn(network, s.init_std) for network in (generator, Critic(s.width, s.slope, shape)))
    )


# --- The −log D baselines (Figs. 4 to 7) ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LogDSettings(Settings):
    """Settings of the GANs that WGAN is compared with; attributes as in `MlpSettings`."""

    width: int
    slope: float
    init_std: float
    learning_rate: float
    beta1: float
    beta2: float
    generator_units: int
    hidden_layers: int


def _adam(s: LogDSettings, generator: nn.Module, shape: tuple[int, int, int]) -> Players:
    critic = _drawn(Critic(s.width, s.slope, shape), s.init_std)
    g, c = (
        torch.optim.Adam(network.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2), foreach=True)
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def build_log_d_dcgan(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64`; the critic's value is the logit of D(x)."""
    return _adam(s, _drawn(Generator(s.latent, s.width, shape), s.init_std), shape)


def build_log_d_mlp(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64-mlp`; the critic's value is the logit of D(x)."""
    return _adam(s, MlpGenerator(s.latent, s.generator_units, s.hidden_layers, shape), shape)


def build_log_d_nobn(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64-nobn`; the critic's value is the logit of D(x)."""
    return _adam(s, _drawn(_constant(s.latent, s.width, shape), s.init_std), shape)


def iterate_log_d(s: LogDSettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """One critic step, real images and fakes in passes of their own, then one generator step (−log D)."""
    real = draws.images() / 127.5 - 1
    with torch.no_grad():
        fake = p.generator(draws.latent(s.batch))
    critic_loss = standard_critic_loss(p.critic(real), p.critic(fake))
    update(p.critic_optimiser, critic_loss)
    with frozen(p.critic):
        generator_loss = non_saturating_generator_loss(p.critic(p.generator(draws.latent(s.batch))))
        update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


def one_per_iteration(s: LogDSettings, k: int) -> int:  # noqa: ARG001
    """Critic steps, and real minibatches, of G-iterations 0..k−1."""
    return k


# --- Experiments: other networks -----------------------------------------------------------------------

_LSUN64: Experiment[Any] = LSUN64
_NO_NORM = ("none", "no batch norm in the generator", HIGH)
_FIGURE_3 = "x-axis of Figure 3"
_NOT_PRINTED = Budget(None, "not printed", Source("no paper has this run", HIGH))


def _mlp_settings(
    **changes: tuple[object, str, Confidence],
) -> MlpSettings:
    """LSUN64's settings with an MLP generator."""
    sources = LSUN64.settings.sources
    kept = {n: (v, sources[n].where, sources[n].confidence) for n, v in LSUN64.settings.values().items()}
    return cited(
        MlpSettings,
        **{
            **kept,
            "sampling_statistics": _NO_NORM,
            "generator_units": (512, "paper Fig. 3; released README: --mlp_G --ngf 512", HIGH),
            "critic_units": (0, "unused: convolutional critic", HIGH),
            "hidden_layers": (3, MLP_PY, HIGH),
            **changes,
        },
    )


_LAYERS_COUNTED = Deviation(
    "three hidden layers and an output layer",
    MLP_PY + "; the text says four hidden layers, which may count the output layer",
    "one layer less than the text read to the letter; the other side is lsun64-mlp-4-hidden",
)

LSUN64_MLP = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-mlp",
    title="WGAN with an MLP generator on LSUN bedrooms (Fig. 3, upper left; Fig. 7)",
    summary="generator of ReLU layers of 512 units without tanh, the critic of lsun64; RMSprop, clipping",
    settings=_mlp_settings(),
    build=build_mlp,
    budget=Budget(600_000, _FIGURE_3, Source("read from the figure", HIGH)),
    deviations=(_LAYERS_COUNTED, *LSUN64.deviations),
)

LSUN64_MLP_4_HIDDEN = dataclasses.replace(
    LSUN64_MLP,
    name="wgan/lsun64-mlp-4-hidden",
    title="WGAN with an MLP generator of four hidden layers on LSUN bedrooms",
    summary="lsun64-mlp with the four hidden layers of the paper's text, its side of a conflict",
    settings=LSUN64_MLP.settings.revised(hidden_layers=(4, "paper §4", HIGH)),
    budget=_NOT_PRINTED,
    deviations=(
        Deviation(
            "four hidden layers",
            "the text read to the letter; " + MLP_PY + " has three and an output layer",
            "one layer more than in the released code",
        ),
        *LSUN64.deviations,
    ),
)

LSUN64_MLP_MLP = dataclasses.replace(
    LSUN64_MLP,
    name="wgan/lsun64-mlp-mlp",
    title="WGAN with MLPs for both networks on LSUN bedrooms, which fails in the paper (Fig. 3, bottom)",
    summary="generator and critic of ReLU layers of 512 units; RMSprop, clipping. The paper's run fails at a "
    "high learning rate that it does not print",
    settings=_mlp_settings(
        width=(0, "unused: no convolution", HIGH),
        slope=(0.0, "unused: ReLU", HIGH),
        init_std=(0.0, "unused: " + MLP_PY + " keeps torch's initial weights", HIGH),
        critic_units=(512, "unconfirmed: as the generator's; 64 is the default of " + MAIN, LOW),
        learning_rate=(
            5e-5,
            "unconfirmed: Algorithm 1's, said of all runs; Fig. 3 says 'substantially high', prints no value",
            LOW,
        ),
    ),
    build=build_mlp_mlp,
    deviations=(
        Deviation(
            "Algorithm 1's learning rate of 5e-5",
            "the learning rate of the failing run is not printed, only that it is substantially high",
            "may train where the paper's run fails; lsun64-mlp-mlp-high-rate has a high one of the suite's",
        ),
        Deviation(
            "512 units in the critic",
            "not printed; as many as in the generator",
            "the scale of the estimate depends on the critic's size",
        ),
        *LSUN64_MLP.deviations,
    ),
)

LSUN64_MLP_MLP_HIGH_RATE = dataclasses.replace(
    LSUN64_MLP_MLP,
    name="wgan/lsun64-mlp-mlp-high-rate",
    title="WGAN with MLPs for both networks on LSUN bedrooms, ten times Algorithm 1's learning rate",
    summary="lsun64-mlp-mlp at a high learning rate of the suite's choice",
    settings=LSUN64_MLP_MLP.settings.revised(
        learning_rate=(5e-4, "suite: ten times Algorithm 1's; the paper prints no value for Fig. 3", SUITE)
    ),
    budget=_NOT_PRINTED,
    deviations=(
        Deviation(
            "learning rate 5e-4",
            "a choice of the suite: the paper says 'substantially high' and prints no value",
            "a failure or success here proves nothing about the paper's run",
        ),
        *LSUN64_MLP_MLP.deviations[1:],
    ),
)

LSUN64_NOBN = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-nobn",
    title="WGAN, generator of constant width without batch norm, on LSUN bedrooms (Fig. 6)",
    summary="lsun64 with a generator of 64 channels throughout and no norm; the critic keeps its batch norm",
    settings=LSUN64.settings.revised(
        sampling_statistics=_NO_NORM,
        width=(64, "unconfirmed in the generator: fits Fig. 6's more than tenfold fewer parameters", LOW),
    ),
    build=build_nobn,
    budget=Budget(None, "not printed", Source("paper Fig. 6 shows samples without their iteration", HIGH)),
    deviations=(
        Deviation(
            "64 channels in every layer of the generator",
            "paper Fig. 6: constant number of filters; released DCGAN_G_nobn halves them as DCGAN does",
            "about a twelfth of the parameters; the other side is lsun64-nobn-halving",
        ),
        *LSUN64.deviations,
    ),
)

LSUN64_NOBN_HALVING = dataclasses.replace(
    LSUN64_NOBN,
    name="wgan/lsun64-nobn-halving",
    title="WGAN, DCGAN generator without batch norm, on LSUN bedrooms (released --noBN)",
    summary="lsun64 without batch norm in the generator, widths 512 to 64 as released",
    settings=LSUN64.settings.revised(sampling_statistics=_NO_NORM),
    build=build_nobn_halving,
    budget=_NOT_PRINTED,
    deviations=(
        Deviation(
            "the generator's widths halve towards the image",
            "released DCGAN_G_nobn; the text of Fig. 6 says constant number of filters",
            "not the run of Fig. 6, which has about a twelfth of the parameters",
        ),
        *LSUN64.deviations,
    ),
)

# --- Experiments: Algorithm 1 and the released code, one difference at a time ---------------------------

_CONSTANT = ("constant", "paper Algorithm 1; 100/5 in " + MAIN, HIGH)
_AFTER = ("after", "paper Algorithm 1; before in " + MAIN, HIGH)
_FIVE = Deviation(
    "always 5 critic steps",
    "paper Algorithm 1; the released code makes 100 below G-iteration 25 and at every 500th",
    "an earlier critic is farther from optimal; mostly the look of the curves, says the README",
)
_CLIPPED_AFTER = Deviation(
    "clipped after each critic step",
    "paper Algorithm 1; the released code clips before it",
    "the generator sees a critic inside the box",
)

LSUN64_CONSTANT5 = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-constant5",
    title="WGAN with DCGAN networks on LSUN bedrooms, always 5 critic steps",
    summary="lsun64 with Algorithm 1's schedule instead of 100/5",
    settings=LSUN64.settings.revised(critic_schedule=_CONSTANT),
    deviations=(
        _FIVE,
        Deviation("clamped before each critic step", "released code", "as in lsun64"),
        LSUN64.deviations[1],
    ),
)

LSUN64_CLIP_AFTER = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-clip-after",
    title="WGAN with DCGAN networks on LSUN bedrooms, clipped after each critic step",
    summary="lsun64 with Algorithm 1's order of step and clipping",
    settings=LSUN64.settings.revised(clip_when=_AFTER),
    deviations=(
        _CLIPPED_AFTER,
        Deviation("100 critic steps at first and every 500th iteration", "released code", "as in lsun64"),
        LSUN64.deviations[1],
    ),
)

LSUN64_PRINTED = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-printed",
    title="WGAN with DCGAN networks on LSUN bedrooms, Algorithm 1 as printed",
    summary="lsun64 with always 5 critic steps and clipping after each",
    settings=LSUN64.settings.revised(critic_schedule=_CONSTANT, clip_when=_AFTER),
    deviations=(_FIVE, _CLIPPED_AFTER, LSUN64.deviations[1]),
)

CIFAR10_100_5 = dataclasses.replace(
    CIFAR10,
    name="wgan/cifar10-100-5",
    title="WGAN on CIFAR-10 (the WGAN-GP authors' clipping mode) with the 100/5 schedule",
    summary="cifar10 with 100 critic steps below G-iteration 25 and at every 500th, else 5",
    settings=CIFAR10.settings.revised(critic_schedule=("100/5", MAIN + ", which has other networks", HIGH)),
    budget=_NOT_PRINTED,
    deviations=(
        Deviation(
            "100/5 critic steps on the WGAN-GP authors' network",
            "the schedule of the WGAN code; gan_cifar.py always makes 5",
            "shows what the schedule is worth on CIFAR-10; no curve to compare with",
        ),
        *CIFAR10.deviations,
    ),
    headline=False,
)

# --- Experiments: −log D --------------------------------------------------------------------------------

_DCGAN_PAPER = "unconfirmed: DCGAN paper §4; WGAN prints no settings of its baseline"
_UNPRINTED = "unconfirmed: as wgan/lsun64; WGAN prints no settings of its baseline"

LSUN64_GAN_DCGAN: Experiment[LogDSettings] = Experiment(
    name="wgan/lsun64-gan-dcgan",
    title="GAN with DCGAN networks and −log D on LSUN bedrooms, WGAN's baseline (Fig. 5)",
    paper=LSUN64.paper,
    summary="the networks of lsun64 with the non-saturating loss; Adam, one critic step, no clipping",
    dataset=LSUN64.dataset,
    image_shape=LSUN64.image_shape,
    image_range=LSUN64.image_range,
    settings=cited(
        LogDSettings,
        batch=(64, _UNPRINTED, LOW),
        latent=(100, _UNPRINTED, LOW),
        prior=("normal", _UNPRINTED, LOW),
        epoch_end=("keep", _UNPRINTED, LOW),
        sampling_statistics=("batch", _UNPRINTED, LOW),
        width=(64, _UNPRINTED, LOW),
        slope=(0.2, "DCGAN paper §4; " + MODELS, HIGH),
        init_std=(0.02, "DCGAN paper §4; " + MAIN, HIGH),
        learning_rate=(2e-4, _DCGAN_PAPER, LOW),
        beta1=(0.5, _DCGAN_PAPER, LOW),
        beta2=(0.999, _DCGAN_PAPER, LOW),
        generator_units=(0, "unused: convolutional generator", HIGH),
        hidden_layers=(0, "unused: convolutional generator", HIGH),
    ),
    build=build_log_d_dcgan,
    iterate=iterate_log_d,
    real_batches=one_per_iteration,
    critic_updates=one_per_iteration,
    budget=Budget(None, "not printed", Source("paper Figs. 5 to 7 show samples without iterations", HIGH)),
    deviations=(
        Deviation(
            "Adam at 2e-4 with betas (.5, .999), batch 64, one critic step per generator step",
            "WGAN names its baseline, a DCGAN with the −log D trick, and prints no settings; unconfirmed",
            "another baseline may be the one shown; only failure or success can be compared",
        ),
    ),
)

LSUN64_GAN_MLP = dataclasses.replace(
    LSUN64_GAN_DCGAN,
    name="wgan/lsun64-gan-mlp",
    title="GAN with an MLP generator and −log D on LSUN bedrooms, WGAN's baseline (Fig. 7)",
    summary="the networks of lsun64-mlp with the non-saturating loss; Adam, one critic step, no clipping",
    settings=LSUN64_GAN_DCGAN.settings.revised(
        sampling_statistics=_NO_NORM,
        generator_units=(512, "paper Fig. 7", HIGH),
        hidden_layers=(3, MLP_PY, HIGH),
    ),
    build=build_log_d_mlp,
    deviations=(*LSUN64_GAN_DCGAN.deviations, _LAYERS_COUNTED),
)

LSUN64_GAN_NOBN = dataclasses.replace(
    LSUN64_GAN_DCGAN,
    name="wgan/lsun64-gan-nobn",
    title="GAN, generator of constant width without batch norm, −log D, on LSUN bedrooms (Fig. 6)",
    summary="the networks of lsun64-nobn with the non-saturating loss; Adam, one critic step, no clipping",
    settings=LSUN64_GAN_DCGAN.settings.revised(sampling_statistics=_NO_NORM),
    build=build_log_d_nobn,
    deviations=(*LSUN64_GAN_DCGAN.deviations, LSUN64_NOBN.deviations[0]),
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    LSUN64_MLP,
    LSUN64_MLP_4_HIDDEN,
    LSUN64_MLP_MLP,
    LSUN64_MLP_MLP_HIGH_RATE,
    LSUN64_NOBN,
    LSUN64_NOBN_HALVING,
    LSUN64_CONSTANT5,
    LSUN64_CLIP_AFTER,
    LSUN64_PRINTED,
    CIFAR10_100_5,
    LSUN64_GAN_DCGAN,
    LSUN64_GAN_MLP,
    LSUN64_GAN_NOBN,
)
