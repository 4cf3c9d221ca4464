"""The feature extractor `digits-lenet`: a small classifier of handwritten digits, for `digits` and `mnist`.

LeNet-5 (LeCun et al. 1998, section II-B) with later habits: the same layer sizes on a 32x32 input, but ReLU
for tanh, max-pooling for trainable subsampling, a C3 that sees all maps of S2, and a linear output. Its
scores never stand beside a number from a paper. The weights come from
`benchmark.evaluation.train_digits_lenet`. They have seen all 60 000 MNIST training images, and so every
image of the `digits` data set, both splits alike. 14 of the 84 features are zero on all
held-out digits; torch-fidelity's Fréchet distance needs no full rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from benchmark.errors import UserError
from benchmark.evaluation import weights

if TYPE_CHECKING:
    from pathlib import Path

NAME = "digits-lenet"
IMAGE_SIZE = 32
FEATURE_DIM = 84
N_CLASSES = 10
WEIGHTS_PATH = weights.path(NAME)


class DigitsLeNet(nn.Module):
    """The network: uint8 [N,1,32,32] -> features F6 [N,84] (after their ReLU), logits [N,10]."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, FEATURE_DIM)
        self.output = nn.Linear(FEATURE_DIM, N_CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits; the scaling of 0..255 to 0..1 happens here, so only uint8 is accepted."""
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != (1, IMAGE_SIZE, IMAGE_SIZE):
            raise ValueError(
                f"digits-lenet takes uint8 images [N,1,{IMAGE_SIZE},{IMAGE_SIZE}], "
                f"not {images.dtype} {list(images.shape)}"
            )
        x = images.float() / 255.0
        x = torch.max_pool2d(self.c1(x).relu(), 2)
        x = torch.max_pool2d(self.c3(x).relu(), 2)
        x = self.c5(x).relu().flatten(1)
        features = self.f6(x).relu()
        return features, self.output(features)


def load(file: Path = WEIGHTS_PATH) -> DigitsLeNet:
    """Load the trained extractor on the CPU, in eval mode, without gradients; draws no random numbers.

    Raises:
        UserError: the weights are missing, are no safetensors file of this network, or their SHA-256 is not
            the one in the record beside them.

    """
    content = weights.read_verified(file)
    # On the meta device the layers' initialisation costs nothing and leaves the global generator alone.
    with torch.device("meta"):
        net = DigitsLeNet()
    try:
        net.load_state_dict(load_safetensors(content), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise UserError(
            f"not the weights of this network ({error})", where=str(file), do="Restore the file"
        ) from error
    return net.eval().requires_grad_(False)
