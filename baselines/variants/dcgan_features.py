"""DCGAN's feature networks: ImageNet (Table 1) and SVHN (Table 2), whose critics give an SVM its features.

Their scripts were not released. There are weights, whose shapes and file names say what they say; what is
neither there nor in the paper's text follows the faces script, unconfirmed.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from baselines.dcgan import BETA1_STAYS, DIGITS, FACES, SVHN, Critic, DcganSettings, Generator, build, players
from baselines.spec import HIGH, LOW, MEDIUM, Budget, Deviation, Players, Source
from baselines.variants.dcgan_faces import ALTERNATES, FACES64, FULL_LATENTS, L2

# --- ImageNet -----------------------------------------------------------------------------------------


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


IMAGENET = "released ImageNet weights"
_UNRELEASED = "unconfirmed, the ImageNet script was not released: " + FACES

IMAGENET32 = dataclasses.replace(
    FACES64,
    name="dcgan/imagenet32",
    title="DCGAN on ImageNet at 32×32, the feature network of Table 1",
    summary="3×3 networks of 128 to 512 channels, latents of 256; the critic gives an SVM 28 672 features",
    dataset="imagenet32",
    image_shape=(3, 32, 32),
    settings=FACES64.settings.revised(
        latent=(256, IMAGENET + ", file name and shapes", HIGH),
        prior=("uniform", "released imagenet/load_pretrained.py", HIGH),
        epoch_end=("keep", _UNRELEASED, LOW),
        sampling_statistics=("batch", "released imagenet/load_pretrained.py", HIGH),
        sampling_batch=(400, "released imagenet/load_pretrained.py", HIGH),
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
        ALTERNATES,
        FULL_LATENTS,
        L2,
        BETA1_STAYS,
    ),
)

# --- SVHN ---------------------------------------------------------------------------------------------

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
        sampling_batch=(128, "unconfirmed, the SVHN script was not released: " + FACES, LOW),
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
            "a sixth more images, each seen less often: as many minibatches are 172.7 epochs, not 200",
        ),
        ALTERNATES,
        FULL_LATENTS,
        L2,
        BETA1_STAYS,
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
