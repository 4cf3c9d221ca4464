"""The feature extractor `inception-2015`: torch-fidelity's port of the Inception graph of 2015-12-05.

The network behind every Inception score and FID in the papers: TensorFlow's resize to 299 pixels, features of
the last pooling layer, and 1 008 logits without the bias, as in the released code of Salimans et al. (2016).
The network is torch-fidelity's class, but the weights come from our verified file, read without executing
pickles; torch-fidelity would unpickle whatever lies there.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.errors import UserError
from benchmark.evaluation import weights
from benchmark.evaluation.fidelity import torch_fidelity

NAME = "inception-2015"
FEATURE_DIM = 2048
N_CLASSES = 1008
_LAYERS = ("2048", "logits_unbiased")


class Inception(nn.Module):
    """The network: uint8 [N,3,H,W] or grey [N,1,H,W] -> features [N,2048], logits [N,1008]."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.net = _network(state)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits, float32; a grey image is seen as a coloured one with three equal channels."""
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"{NAME} takes uint8 images [N,3,H,W] or [N,1,H,W], not {images.dtype} {list(images.shape)}"
            )
        features, logits = self.net(images.expand(-1, 3, -1, -1).contiguous())
        return features, logits


def load(weights_digest: str) -> Inception:
    """Load the network on the CPU, in eval mode, without gradients; draws no random numbers.

    Raises:
        UserError: the weights are missing, have another SHA-256 than `weights_digest`, or belong to another
            network.

    """
    content = weights.read_inception(weights_digest)
    where = str(weights.inception_path())
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise _not_weights(f"cannot be read ({reason})", where) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise _not_weights("holds no state dictionary", where)
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise _not_weights("holds NaN or Inf", where)
    try:
        return Inception(state).eval().requires_grad_(False)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise _not_weights(f"does not fit ({reason})", where) from error


def _not_weights(what: str, where: str) -> UserError:
    do = f"Use the file from {weights.INCEPTION_URL}"
    return UserError(f"not the weights of the Inception network: {what}", where=where, do=do)


class _Network(torch_fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc]
    """torch-fidelity's network, given its state instead of a file: the constructor loads what it fetched."""

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = True) -> Any:  # noqa: ARG002
        # Built on the meta device, so there is nothing to copy into.
        return super().load_state_dict(state_dict, strict=strict, assign=True)


def _network(state: dict[str, Tensor]) -> nn.Module:
    """Build the network around its state, without a file, a download or a random number."""
    from torch_fidelity import feature_extractor_inceptionv3 as library

    fetch = library.load_state_dict_from_url
    library.load_state_dict_from_url = lambda *_, **__: state
    try:
        with torch.device("meta"):
            net: nn.Module = _Network("inception-v3-compat", list(_LAYERS))
    finally:
        library.load_state_dict_from_url = fetch
    return net
