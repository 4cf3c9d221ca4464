"""Further experiments of DCGAN: LSUN bedrooms at 64×64 (Figs. 1 to 3).

Only the scripts for faces and MNIST were released; what the paper's text leaves open follows the former.
Faces and the third author's port are in `dcgan_faces`, the feature networks for ImageNet and SVHN in
`dcgan_features`, MNIST with classes in `dcgan_conditional`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from baselines.dcgan import BETA1_STAYS, FACES
from baselines.spec import LOW, MEDIUM, Budget, Deviation, Experiment, Source
from baselines.variants.dcgan_conditional import MNIST_CONDITIONAL
from baselines.variants.dcgan_faces import ALTERNATES, FACES64, FULL_LATENTS, L2, TORCH64
from baselines.variants.dcgan_features import IMAGENET32, SVHN32, SVHN32_PRINTED

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
        sampling_batch=(128, _NO_SCRIPT, LOW),
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
        ALTERNATES,
        FULL_LATENTS,
        L2,
        BETA1_STAYS,
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

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    LSUN64,
    LSUN64_PRINTED,
    FACES64,
    TORCH64,
    IMAGENET32,
    SVHN32,
    SVHN32_PRINTED,
    MNIST_CONDITIONAL,
)
