"""Further experiments of DCGAN: bedrooms, faces, features, digits with classes, and the third author's port.

Only the scripts for faces and MNIST were released; of the ImageNet and SVHN models there are weights, whose
shapes and file names say what they say. `dcgan/faces64` has the networks and the update that golden vectors
cover (tests/golden/dcgan64), `dcgan/torch64` the networks of tests/golden/wgan_dcgan64.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import wgan
from baselines.dcgan import (
    CIFAR10,
    DIGITS,
    FACES,
    SVHN,
    Critic,
    DcganSettings,
    Generator,
    build,
    double,
    players,
)
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.spec import (
    HIGH,
    LOW,
    MEDIUM,
    Budget,
    Confidence,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Source,
    cited,
    frozen,
    set_learning_rate,
    update,
)

# --- The ImageNet networks, whose critic gives the features of Table 1 ----------------------------------


class ImagenetGenerator(Generator):
    """Linear to 4×4, then 3×3 transposed convolutions of stride 2 and 1 in turn, batch norm, ReLU; tanh."""

    def __init__(self, s: DcganSettings, shape: tuple[int, int, int]) -> None:
        nn.Module.__init__(self)
        w = s.width
        self.widest = 4 * w
        self.project = nn.Linear(s.latent, self.widest * 16, bias=False)
        self.project_norm = nn.BatchNorm1d(self.widest * 16, eps=s.norm_eps)
        layers: list[nn.Module] = []
        plan = ((4 * w, 4 * w), (4 * w, 2 * w), (2 * w, 2 * w), (2 * w, w), (w, w), (w, shape[0]))
        for i, (before, after) in enumerate(plan):
            grow = 1 - i % 2
            layers.append(nn.ConvTranspose2d(before, after, 3, 1 + grow, 1, output_padding=grow, bias=False))
            last = i + 1 == len(plan)
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(after, eps=s.norm_eps), nn.ReLU()]
        self.layers = nn.Sequential(*layers)


class ImagenetCritic(Critic):
    """3×3 convolutions of stride 1 and 2 in turn, leaky ReLU, batch norm on all but the first."""

    def __init__(self, s: DcganSettings, shape: tuple[int, int, int]) -> None:
        nn.Module.__init__(self)
        w = s.width
        layers: list[nn.Module] = []
        plan = ((shape[0], w), (w, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w))
        for i, (before, after) in enumerate(plan):
            layers.append(nn.Conv2d(before, after, 3, 1 + i % 2, 1, bias=False))
            if i:
                layers.append(nn.BatchNorm2d(after, eps=s.norm_eps))
            layers.append(nn.LeakyReLU(s.slope))
        self.layers = nn.Sequential(*layers)
        self.logit = nn.Linear(4 * w * 16, 1, bias=False)


def build_imagenet(s: DcganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of the released ImageNet weights."""
    return players(s, ImagenetGenerator(s, shape), ImagenetCritic(s, shape))


# --- Digits with classes (appendix) -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ConditionalSettings(DcganSettings):
    """Settings of ``train_cond_dcgan.py``.

    Attributes:
        classes: of the labels.
        dense_units: of the fully connected hidden layer of each network.
        constant_epochs: before the learning rate falls.
        decay_epochs: in which it falls linearly to 0, once per epoch.

    """

    classes: int
    dense_units: int
    constant_epochs: int
    decay_epochs: int


class ConditionalGenerator(nn.Module):
    """Two linear layers and two doublings, the class joined to each input; batch norm without gains."""

    def __init__(self, s: ConditionalSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.classes, self.side, wide = s.classes, shape[1] // 4, 2 * s.width
        self.project1 = nn.Linear(s.latent + s.classes, s.dense_units, bias=False)
        self.norm1 = nn.BatchNorm1d(s.dense_units, s.norm_eps, affine=False)
        self.project2 = nn.Linear(s.dense_units + s.classes, wide * self.side**2, bias=False)
        self.norm2 = nn.BatchNorm1d(wide * self.side**2, s.norm_eps, affine=False)
        self.up1 = double(wide + s.classes, s.width)
        self.norm3 = nn.BatchNorm2d(s.width, s.norm_eps, affine=False)
        self.up2 = double(s.width + s.classes, shape[0])

    def forward(self, z: Tensor, classes: Tensor) -> Tensor:
        """[B, latent] and classes, int64 [B] → images [B, C, H, W] in 0..1."""
        y = F.one_hot(classes, self.classes).to(z.dtype)
        h = F.relu(self.norm1(self.project1(joined(z, y))))
        h = F.relu(self.norm2(self.project2(joined(h, y)))).reshape(len(z), -1, self.side, self.side)
        h = F.relu(self.norm3(self.up1(joined(h, y))))
        return torch.sigmoid(self.up2(joined(h, y)))


class ConditionalCritic(nn.Module):
    """Two halvings and a linear hidden layer, the class joined to each input; logit of D(x, y), [B]."""

    def __init__(self, s: ConditionalSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.classes, self.slope, wide = s.classes, s.slope, 2 * s.width
        self.down1 = nn.Conv2d(shape[0] + s.classes, s.width, 5, 2, 2, bias=False)
        self.down2 = nn.Conv2d(s.width + s.classes, wide, 5, 2, 2, bias=False)
        self.norm2 = nn.BatchNorm2d(wide, s.norm_eps, affine=False)
        self.dense = nn.Linear(wide * (shape[1] // 4) ** 2 + s.classes, s.dense_units, bias=False)
        self.norm3 = nn.BatchNorm1d(s.dense_units, s.norm_eps, affine=False)
        self.logit = nn.Linear(s.dense_units + s.classes, 1, bias=False)

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:
        """Images [B, C, H, W] in 0..1 and their classes, int64 [B] → logits [B]."""
        y = F.one_hot(classes, self.classes).to(x.dtype)
        h = F.leaky_relu(self.down1(joined(x, y)), self.slope)
        h = F.leaky_relu(self.norm2(self.down2(joined(h, y))), self.slope).flatten(1)
        h = F.leaky_relu(self.norm3(self.dense(joined(h, y))), self.slope)
        logit: Tensor = self.logit(joined(h, y))
        return logit.squeeze(1)


def joined(h: Tensor, y: Tensor) -> Tensor:
    """One-hot classes [B, classes] behind the features, or as constant maps behind the channels."""
    if h.dim() == 4:
        y = y[:, :, None, None].expand(-1, -1, *h.shape[2:])
    return torch.cat((h, y), 1)


def build_conditional(s: ConditionalSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of ``train_cond_dcgan.py``."""
    return players(s, ConditionalGenerator(s, shape), ConditionalCritic(s, shape))


def learning_rate(s: ConditionalSettings, epoch: int) -> float:
    """Constant, then down by a `decay_epochs`-th per epoch; `epoch` from 0."""
    return s.learning_rate * min(1.0, max(0.0, 1 - (epoch - s.constant_epochs) / s.decay_epochs))


def iterate_conditional(s: ConditionalSettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """A minibatch for the generator, of which it uses the classes only, then one for the critic."""
    set_learning_rate(p.generator_optimiser, learning_rate(s, draws.epoch))
    _, classes = draws.labelled_images()
    with frozen(p.critic):
        images = p.generator(draws.latent(len(classes)), classes)
        generator_loss = non_saturating_generator_loss(p.critic(images, classes))
        update(p.generator_optimiser, generator_loss)

    set_learning_rate(p.critic_optimiser, learning_rate(s, draws.epoch))
    pixels, classes = draws.labelled_images()
    real = pixels / 255
    with torch.no_grad():
        fake = p.generator(draws.latent(len(real)), classes)
    critic_loss = s.critic_loss_scale * standard_critic_loss(p.critic(real, classes), p.critic(fake, classes))
    update(p.critic_optimiser, critic_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


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


# --- Experiments: 64 pixels -----------------------------------------------------------------------------

_CIFAR10: Experiment[Any] = CIFAR10
_ALTERNATES = Deviation(
    "a minibatch trains either network, the generator first",
    "both released scripts do so; the paper does not say it (dcgan/lsun64-printed trains both on each)",
    "half as many updates per epoch",
)
_L2 = Deviation(
    "an L2 term in every gradient, batch norm's parameters included",
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
            "other faces, framing and size (202 599): no picture of the paper can be compared",
        ),
        _ALTERNATES,
        _L2,
    ),
    headline=False,
)

_NO_SCRIPT = "unconfirmed for LSUN, whose script was not released: " + FACES
_ALL_BEDROOMS = Deviation(
    "all 3 033 042 bedrooms",
    "the authors removed about 275 000 near-duplicates by hashes from an autoencoder, which is not released",
    "a tenth more minibatches per epoch (with theirs 5 epochs are 53 870 G-iterations); more repeated images",
)

LSUN64 = dataclasses.replace(
    FACES64,
    name="dcgan/lsun64",
    title="DCGAN on LSUN bedrooms at 64×64 (Figs. 1 to 3)",
    summary="the generator of Figure 1, 1024-512-256-128 channels, and the critic of the faces script",
    dataset="lsun-bedroom",
    settings=FACES64.settings.revised(
        epoch_end=("keep", _NO_SCRIPT, LOW),
        sampling_statistics=("batch", _NO_SCRIPT, LOW),
        width=(128, "paper Fig. 1 for the generator; the critic's channels as in the " + FACES, MEDIUM),
        norm_eps=(1e-8, _NO_SCRIPT, LOW),
        beta2=(0.999, _NO_SCRIPT, LOW),
        l2=(1e-5, _NO_SCRIPT + "; not in the paper", LOW),
        alternate=(True, _NO_SCRIPT + "; not in the paper", LOW),
        critic_loss_scale=(1.0, _NO_SCRIPT, LOW),
    ),
    budget=Budget(
        59_240,
        "5 epochs (Fig. 3; 1 epoch, Fig. 2) × ⌈3 033 042 / 128⌉ = 118 480 minibatches, every other one",
        Source("epochs: paper Figs. 2 and 3; G-iterations follow from the unconfirmed schedule", MEDIUM),
    ),
    deviations=(
        _ALL_BEDROOMS,
        Deviation(
            "schedule, L2 term and sampling of the faces script",
            "no script for LSUN was released; the paper's text alone is dcgan/lsun64-printed",
            "may not be what made Figures 2 and 3",
        ),
        _ALTERNATES,
        _L2,
    ),
)

LSUN64_PRINTED = dataclasses.replace(
    LSUN64,
    name="dcgan/lsun64-printed",
    title="DCGAN on LSUN bedrooms at 64×64, the paper's text read to the letter",
    summary="lsun64 with both networks trained on every minibatch and no L2 term",
    settings=LSUN64.settings.revised(
        alternate=(False, "paper: no other schedule is mentioned", MEDIUM),
        l2=(0.0, "paper: none is mentioned", MEDIUM),
    ),
    budget=Budget(
        118_480,
        "5 epochs (Fig. 3; 1 epoch, Fig. 2) × ⌈3 033 042 / 128⌉",
        Source("epochs: paper Figs. 2 and 3; G-iterations follow from the schedule", MEDIUM),
    ),
    deviations=(
        _ALL_BEDROOMS,
        Deviation(
            "both networks on every minibatch, critic first; no L2 term",
            "what the paper's text says or leaves out; both released scripts differ (dcgan/lsun64)",
            "twice as many updates per epoch",
        ),
    ),
)

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
        79_150,
        "25 epochs (the port's default) × ⌈202 599 / 64⌉; the port prints no number",
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

# --- Experiments: 32 pixels and digits ------------------------------------------------------------------

IMAGENET = "released ImageNet weights"
_UNRELEASED = "unconfirmed, the ImageNet script was not released: " + FACES

IMAGENET32 = dataclasses.replace(
    FACES64,
    name="dcgan/imagenet32",
    title="DCGAN on ImageNet at 32×32, the feature network of Table 1",
    summary="3×3 networks of 128 to 512 channels, latents of 256; the critic gives an SVM 28 672 features",
    dataset="imagenet32",
    image_shape=(3, 32, 32),
    settings=LSUN64.settings.revised(
        latent=(256, IMAGENET + ", file name and shapes", HIGH),
        prior=("uniform", "released imagenet/load_pretrained.py", HIGH),
        epoch_end=("keep", _UNRELEASED, LOW),
        sampling_statistics=("batch", "released imagenet/load_pretrained.py", HIGH),
        width=(128, IMAGENET, HIGH),
        slope=(0.2, "paper §4", HIGH),
        norm_eps=(1e-8, "released lib/ops.py", HIGH),
        init_std=(0.02, "paper §4", HIGH),
        learning_rate=(2e-4, "paper §4", HIGH),
        batch=(128, "paper §4", HIGH),
        beta1=(0.5, "paper §4", HIGH),
        beta2=(0.999, _UNRELEASED, LOW),
        l2=(1e-5, _UNRELEASED + "; not in the paper", LOW),
        alternate=(True, _UNRELEASED + "; not in the paper", LOW),
        critic_loss_scale=(1.0, _UNRELEASED, LOW),
    ),
    build=build_imagenet,
    budget=Budget(
        150_150,
        "30 epochs × ⌈1 281 167 / 128⌉ = 300 300 minibatches, every other one",
        Source("epochs: file name of the " + IMAGENET + "; unconfirmed schedule and set size", MEDIUM),
    ),
    deviations=(
        Deviation(
            "3×3 kernels, layers of stride 1, 256 latents",
            "the released weights; the paper describes the 5×5 network with 100 latents only",
            "28 672 features, the paper's number, which the described network does not have",
        ),
        _ALTERNATES,
        _L2,
    ),
)

SVHN32 = dataclasses.replace(
    IMAGENET32,
    name="dcgan/svhn32",
    title="DCGAN on SVHN at 32×32, the released feature network of Table 2",
    summary="5×5 stride-2 networks, 256-128-64 channels; the critic gives an SVM 7168 features",
    dataset="svhn",
    settings=DIGITS.settings.revised(
        batch=(64, "folder name of the " + SVHN, MEDIUM),
        epoch_end=("keep", "unconfirmed, the SVHN script was not released: " + FACES, LOW),
        sampling_statistics=("batch", "unconfirmed, the SVHN script was not released: " + FACES, LOW),
        width=(64, SVHN, HIGH),
        norm_eps=(1e-8, "released lib/ops.py", HIGH),
        beta2=(0.999, "unconfirmed, the SVHN script was not released: " + FACES, LOW),
        l2=(1e-5, "unconfirmed, the SVHN script was not released: " + FACES + "; not in the paper", LOW),
        alternate=(True, "unconfirmed, the SVHN script was not released: " + FACES, LOW),
        critic_loss_scale=(1.0, "unconfirmed, the SVHN script was not released: " + FACES, LOW),
    ),
    build=build,
    budget=Budget(
        98_900,
        "200 epochs × ⌈63 257 / 64⌉ = 197 800 minibatches, every other one; with the extra images 928 800",
        Source(
            "epochs: file name of the " + SVHN + "; unconfirmed schedule, unknown whether extra was used", LOW
        ),
    ),
    deviations=(
        Deviation(
            "5×5 networks of their own with 7168 features, trained on SVHN",
            "the released model; the paper says the features are those of its CIFAR-10 experiment (28 672)",
            "fewer features; the released evaluation script is for this network",
        ),
        Deviation(
            "batch 64, learning rate 5e-4, normal latents",
            "folder name of the released model; the paper says 128, 2e-4 and uniform of all its models "
            "(dcgan/svhn32-printed)",
            "more and larger steps per epoch than the text says",
        ),
        Deviation(
            "all 73 257 training images",
            "the suite's SVHN; the authors keep 10 000 of them for validation",
            "a sixth more images to learn from",
        ),
        _ALTERNATES,
        _L2,
    ),
)

SVHN32_PRINTED = dataclasses.replace(
    SVHN32,
    name="dcgan/svhn32-printed",
    title="DCGAN on SVHN at 32×32 with the hyper-parameters of the paper's text",
    summary="svhn32 with batch 128, learning rate 2e-4 and uniform latents",
    settings=SVHN32.settings.revised(
        batch=(128, "paper §4", HIGH),
        learning_rate=(2e-4, "paper §4", HIGH),
        prior=("uniform", "paper Fig. 1", MEDIUM),
    ),
    budget=Budget(None, "not printed", Source("the paper gives no epochs for SVHN", HIGH)),
    deviations=(
        SVHN32.deviations[0],
        Deviation(
            "batch 128, learning rate 2e-4, uniform latents",
            "the paper says so of all its models; the released model's folder name says otherwise "
            "(dcgan/svhn32)",
            "fewer and smaller steps per epoch",
        ),
        *SVHN32.deviations[2:],
    ),
)

COND = "released train_cond_dcgan.py"


def _conditional(**changes: tuple[object, str, Confidence]) -> ConditionalSettings:
    """FACES64's values, which the script shares but for `changes`."""
    shared = {name: (value, COND, HIGH) for name, value in FACES64.settings.values().items()}
    return cited(ConditionalSettings, **{**shared, **changes})


MNIST_CONDITIONAL = dataclasses.replace(
    FACES64,
    name="dcgan/mnist-conditional",
    title="DCGAN on MNIST with classes (appendix, Table 3)",
    summary="two dense and two 5×5 layers in each network, the class joined to every input; sigmoid output",
    dataset="mnist",
    image_shape=(1, 28, 28),
    image_range=(0.0, 1.0),
    settings=_conditional(
        width=(64, COND, HIGH),
        l2=(2.5e-5, COND + "; not in the paper", HIGH),
        classes=(10, COND, HIGH),
        dense_units=(1024, COND, HIGH),
        constant_epochs=(100, COND, HIGH),
        decay_epochs=(100, COND, HIGH),
    ),
    build=build_conditional,
    iterate=iterate_conditional,
    budget=Budget(
        39_100,
        "200 epochs × ⌈50 000 / 128⌉ = 78 200 minibatches, every other one from the first",
        Source(COND, HIGH),
    ),
    deviations=(
        Deviation(
            "fully connected hidden layers, sigmoid output, images in 0..1, batch norm without gains",
            "the released script; the paper's own rules (§3 and §4) say otherwise",
            "not the architecture the paper is known for",
        ),
        Deviation(
            "all 60 000 training images",
            "the suite's MNIST; the script keeps 10 000 of them for validation",
            "469 minibatches per epoch instead of 391: the budget ends in epoch 167 of 200, before the rate "
            "has fallen to 0",
        ),
        _ALTERNATES,
        _L2,
    ),
    classes=10,
)

EXPERIMENTS = (
    LSUN64,
    LSUN64_PRINTED,
    FACES64,
    TORCH64,
    IMAGENET32,
    SVHN32,
    SVHN32_PRINTED,
    MNIST_CONDITIONAL,
)
