"""DCGAN on MNIST with classes (appendix, Table 3): the released ``train_cond_dcgan.py``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.dcgan import BETA1_STAYS, DcganSettings, double, players
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.spec import (
    HIGH,
    Budget,
    Confidence,
    Deviation,
    Draws,
    Losses,
    Players,
    Source,
    cited,
    frozen,
    set_learning_rate,
    update,
)
from baselines.variants.dcgan_faces import ALTERNATES, FACES64, L2


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


# --- Networks -----------------------------------------------------------------------------------------


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


# --- One generator iteration --------------------------------------------------------------------------


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


# --- Experiments --------------------------------------------------------------------------------------

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
    train_images=50_000,
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
        ALTERNATES,
        L2,
        BETA1_STAYS,
    ),
    classes=10,
)
