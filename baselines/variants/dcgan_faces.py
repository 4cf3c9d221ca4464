"""DCGAN on faces at 64×64: the released ``faces/train_uncond_dcgan.py``, and the third author's port.

`dcgan/faces64` has the networks and the update that golden vectors cover (tests/golden/dcgan64),
`dcgan/torch64` the networks of tests/golden/wgan_dcgan64. `ALTERNATES` and `L2` are deviations of other
experiments as well.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from baselines import wgan
from baselines.dcgan import BETA1_STAYS, CIFAR10, FACES, DcganSettings, build, players
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.spec import (
    HIGH,
    MEDIUM,
    Budget,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Source,
    cited,
    frozen,
    update,
)

if TYPE_CHECKING:
    from torch import Tensor

# --- The released script ------------------------------------------------------------------------------

_CIFAR10: Experiment[Any] = CIFAR10
ALTERNATES = Deviation(
    "a minibatch trains either network, the generator first",
    "both released scripts do so; the paper does not say it (dcgan/lsun64-printed trains both on each)",
    "half as many updates per epoch",
)
FULL_LATENTS = Deviation(
    "the generator's minibatch is always full",
    "the released script draws as many latents as the minibatch has images, fewer at the end of an epoch",
    "at most every other epoch's end: 13 of faces64's 34 188 updates have 128 latents instead of 48",
)
L2 = Deviation(
    "an L2 term in every gradient, of batch norm's parameters too where they are learned",
    "both released scripts have it; the paper does not mention it (dcgan/lsun64-printed has none)",
    "weights that get no gradient shrink",
)

FACES64 = dataclasses.replace(
    _CIFAR10,
    name="dcgan/faces64",
    title="DCGAN on faces at 64×64",
    summary="5×5 stride-2 networks, 1024-512-256-128 channels, batch norm in both; minibatches alternate",
    dataset="celeba",
    image_shape=(3, 64, 64),
    settings=cited(
        DcganSettings,
        batch=(128, "paper §4; " + FACES, HIGH),
        latent=(100, "paper Fig. 1; " + FACES, HIGH),
        prior=("uniform", "paper Fig. 1; " + FACES, HIGH),
        epoch_end=("keep", FACES, HIGH),
        sampling_statistics=("batch", FACES, HIGH),
        sampling_batch=(128, FACES + ": gen_samples", HIGH),
        width=(128, "paper Fig. 1; " + FACES, HIGH),
        slope=(0.2, "paper §4; " + FACES, HIGH),
        norm_eps=(1e-8, FACES, HIGH),
        init_std=(0.02, "paper §4; " + FACES, HIGH),
        learning_rate=(2e-4, "paper §4; " + FACES, HIGH),
        beta1=(0.5, "paper §4; " + FACES, HIGH),
        beta2=(0.999, FACES, HIGH),
        l2=(1e-5, FACES, HIGH),
        alternate=(True, FACES, HIGH),
        critic_loss_scale=(1.0, FACES, HIGH),
    ),
    build=build,
    budget=Budget(
        34_188,
        "25 epochs × ⌈350 000 / 128⌉ = 68 375 minibatches, every other one from the first",
        Source(FACES, HIGH),
    ),
    deviations=(
        Deviation(
            "CelebA instead of the authors' faces",
            "their 350 000 faces, cut from 128 pixels to the middle 64, were never released",
            "other faces and framing; 162 770 of them (CelebA's training split), so that as many minibatches "
            "are 53.8 epochs, not 25: no picture of the paper can be compared",
        ),
        Deviation(
            "34 188 critic updates and 68 376 minibatches",
            "a G-iteration ends with a critic step; the script's last minibatch, the 68 375th, is the "
            "generator's, so that it makes 34 187",
            "none for the generator: the last critic step comes after its last update",
        ),
        ALTERNATES,
        FULL_LATENTS,
        L2,
        BETA1_STAYS,
    ),
    headline=False,
)

# --- The third author's port --------------------------------------------------------------------------


def build_torch(s: DcganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make 4×4 networks, the ones WGAN took over; the critic's value is the logit of D(x)."""
    return players(s, wgan.Generator(s.latent, s.width, shape), wgan.Critic(s.width, s.slope, shape))


def iterate_same_fakes(s: DcganSettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """One critic step and one generator step on the same fakes, which the updated critic judges again."""
    real = draws.images() / 127.5 - 1
    fake = p.generator(draws.latent(len(real)))
    critic_loss = s.critic_loss_scale * standard_critic_loss(p.critic(real), p.critic(fake.detach()))
    update(p.critic_optimiser, critic_loss)
    with frozen(p.critic):
        generator_loss = non_saturating_generator_loss(p.critic(fake))
        update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


PORT, EXAMPLE = "dcgan.torch main.lua", "PyTorch's dcgan example"

TORCH64 = dataclasses.replace(
    FACES64,
    name="dcgan/torch64",
    title="DCGAN on faces at 64×64, the third author's port",
    summary="4×4 networks of half the width, normal latents, batch 64, both networks on every minibatch; "
    "what most papers run as DCGAN",
    settings=cited(
        DcganSettings,
        batch=(64, PORT, HIGH),
        latent=(100, PORT, HIGH),
        prior=("normal", PORT, HIGH),
        epoch_end=("keep", EXAMPLE + "; the Torch port draws as many full batches with replacement", MEDIUM),
        sampling_statistics=("batch", "neither port leaves training mode to sample", HIGH),
        sampling_batch=(64, EXAMPLE + ": as many fixed latents as the batch has images", HIGH),
        width=(64, PORT, HIGH),
        slope=(0.2, PORT, HIGH),
        norm_eps=(1e-5, "unused: the networks have torch's default", HIGH),
        init_std=(0.02, PORT, HIGH),
        learning_rate=(2e-4, PORT, HIGH),
        beta1=(0.5, PORT, HIGH),
        beta2=(0.999, PORT + ": Torch's default", HIGH),
        l2=(0.0, PORT, HIGH),
        alternate=(False, PORT, HIGH),
        critic_loss_scale=(1.0, PORT, HIGH),
    ),
    build=build_torch,
    iterate=iterate_same_fakes,
    budget=Budget(
        63_600,
        "25 epochs (the port's default) × ⌈162 770 / 64⌉, CelebA's training split; the port prints no number",
        Source(PORT, MEDIUM),
    ),
    deviations=(
        Deviation(
            "4×4 kernels, half the width, normal latents, batch 64, no L2 term",
            "the port's own choices; the paper and its scripts have 5×5 kernels, U(−1, 1) and batch 128",
            "neither the paper's networks nor its training; scores of it are not the paper's",
        ),
        Deviation(
            "the updated critic judges the fakes again",
            "as " + EXAMPLE + " does; the Torch port takes the loss from the critic's outputs before its "
            "update and sends it back through the weights after, which is no gradient of any loss",
            "a slightly different direction for the generator",
        ),
        Deviation(
            "no random crops and mirror images",
            "the suite's data are fixed; the Torch port cuts 64 pixels from 96 and mirrors",
            "less varied training images",
        ),
    ),
)
