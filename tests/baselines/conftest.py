"""Doubles of everything random, a recorder of one G-iteration, and the reader of the golden vectors."""

import dataclasses
import functools
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden"

# --- Golden vectors -----------------------------------------------------------------------------------

AXES = {
    "same": (lambda t: t, lambda t: t),
    "negated": (torch.neg, torch.neg),
    "transposed": (lambda t: t.t(), lambda t: t.t()),
    # Theano convolves, torch correlates.
    "flipped": (lambda t: t.flip(2, 3), lambda t: t.flip(2, 3)),
    # [k, k, in, out] of a TensorFlow convolution, [k, k, out, in] of a transposed one.
    "tensorflow": (lambda t: t.permute(3, 2, 0, 1), lambda t: t.permute(2, 3, 1, 0)),
    # A stride-1 transposed convolution is a convolution with channels exchanged and the kernel turned round.
    "deconvolution": (lambda t: t.transpose(0, 1).flip(2, 3), lambda t: t.transpose(0, 1).flip(2, 3)),
}
"""Authors' axis order to torch's, and back."""


class Golden:
    """One file of golden vectors (see tests/golden/README.md).

    A `names` mapping says where the authors' tensors live in a network: their name → (ours, key of `AXES`).
    """

    def __init__(self, name):
        self.arrays = np.load(GOLDEN / f"{name}.npz")
        meta = json.loads(bytes(self.arrays["meta_json"]))
        self.case = meta["case"]
        self.spec = {name: recipe for name, *recipe in meta["spec"]}
        self.unread = {name.removeprefix("stat/").removeprefix("samp/") for name in self.arrays} - {
            "meta_json"
        }

    def input(self, name):
        """A weight or an input, rebuilt; float64."""
        shape, distribution, a, b = self.spec[name]
        r = np.random.RandomState(zlib.crc32(f"{self.case}/{name}".encode("ascii")) & 0x7FFFFFFF)
        value = {
            "normal": lambda: r.normal(a, b, shape),
            "uniform": lambda: r.uniform(a, b, shape),
            "bernoulli": lambda: r.uniform(0, 1, shape) < a,
            "randint": lambda: r.randint(int(a), int(b), shape),
        }[distribution]()
        return torch.from_numpy(value.astype(np.float32)).double()

    def result(self, name):
        """A result that is stored whole; float64."""
        self.unread.discard(name)
        return torch.from_numpy(np.asarray(self.arrays[name], np.float64))

    def load(self, network, names):
        """The file's weights into `network`, all of them."""
        state = network.state_dict()
        for theirs, (ours, axes) in names.items():
            state[ours].copy_(AXES[axes][0](self.input(theirs)).reshape(state[ours].shape))
        loaded = {ours for ours, _ in names.values()}
        assert loaded >= {name for name, _ in network.named_parameters()}

    def check(self, name, actual, tolerance, scale=None, axes="same"):
        """`actual` is off by at most `tolerance`·`scale`, the array's largest magnitude unless given."""
        found, expected = self.elements(name, actual, axes)
        if name not in self.arrays:
            actual = AXES[axes][1](actual.detach()).double()  # lest the summary itself be rounded
            size, mean, std, norm, low, high = self.arrays[f"stat/{name}"]
            scale = max(abs(low), abs(high)) if scale is None else scale
            summary = [actual.mean(), actual.std(correction=0), actual.norm() / size**0.5, *actual.aminmax()]
            stored = [mean, std, norm / size**0.5, low, high]
            np.testing.assert_allclose(summary, stored, rtol=0, atol=tolerance * scale, err_msg=name)
        scale = np.abs(expected).max() if scale is None else scale
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=name)

    def elements(self, name, tensor, axes="same"):
        """The elements of `tensor` that the file keeps of the array `name`, and their recorded values."""
        self.unread.discard(name)
        flat = AXES[axes][1](tensor.detach()).numpy().ravel()
        if name in self.arrays:
            expected = self.arrays[name].ravel()
        else:
            assert flat.size == self.arrays[f"stat/{name}"][0], name
            if flat.size > 600:
                j = np.arange(1, 57, dtype=np.int64)
                flat = flat[np.concatenate([np.arange(8), j * 2654435761 % flat.size])]
            expected = self.arrays[f"samp/{name}"]
        assert flat.shape == expected.shape, name
        return flat, expected

    def check_all(self, prefix, tensors, names, tolerance, common_scale=False):
        """Every stored array below `prefix` that `names` knows, against `tensors` (our name → tensor).

        With `common_scale`, for gradients, all of `tensors` must be stored, and the tolerance refers to the
        largest magnitude among them.
        """
        stored = [theirs for theirs in names if self.has(prefix + theirs)]
        assert stored, prefix
        scale = None
        if common_scale:
            assert {names[theirs][0] for theirs in stored} == set(tensors)
            scale = max(tensor.abs().max().item() for tensor in tensors.values())
        for theirs in stored:
            ours, axes = names[theirs]
            self.check(prefix + theirs, tensors[ours], tolerance, scale, axes)

    def has(self, name):
        """Whether the file holds a result of that name."""
        return name in self.arrays or f"stat/{name}" in self.arrays


@pytest.fixture(scope="session")
def golden():
    return functools.cache(Golden)


# --- Doubles of `Draws` -------------------------------------------------------------------------------


class Replay:
    """Draws that hand out recorded tensors in order and refuse a request of another shape."""

    def __init__(self, *, images=(), labels=(), latents=(), masks=(), penalty=(), dequantise=(), epoch=0):
        self.epoch = epoch
        self._queues = {
            "images": list(images),
            "labels": list(labels),
            "latent": list(latents),
            "keep": list(masks),
            "penalty": list(penalty),
            "dequantise": list(dequantise),
        }

    def images(self):
        return self._queues["images"].pop(0)

    def labelled_images(self):
        images = self.images()
        return images, self.labels(len(images))

    def labels(self, n):
        return self._next("labels", n)

    def skip_images(self):
        pass

    def latent(self, n):
        return self._next("latent", n)

    def uniform(self, purpose, *shape):
        return self._next(purpose, *shape)

    def keep(self, probability, *shape):
        return self._next("keep", *shape)

    def _next(self, queue, *shape):
        value = self._queues[queue].pop(0)
        assert value.shape[: len(shape)] == shape
        return value

    @property
    def exhausted(self):
        return not any(self._queues.values())


class Synthetic:
    """Draws of the right shapes and ranges on any device; counts the real minibatches it gave."""

    epoch = 0

    def __init__(self, experiment, device="cpu", seed=0):
        self.settings, self.shape, self.device = experiment.settings, experiment.image_shape, device
        self.classes = experiment.classes
        self.random = torch.Generator().manual_seed(seed)
        self.real_batches = 0

    def images(self):
        self.real_batches += 1
        pixels = torch.randint(256, (self.settings.batch, *self.shape), generator=self.random)
        return pixels.to(torch.uint8).to(self.device)

    def labelled_images(self):
        return self.images(), self.labels(self.settings.batch)

    def labels(self, n):
        return torch.randint(self.classes, (n,), generator=self.random).to(self.device)

    def skip_images(self):
        self.real_batches += 1

    def latent(self, n):
        return torch.randn(n, self.settings.latent, generator=self.random).to(self.device)

    def uniform(self, purpose, *shape):
        assert purpose in ("penalty", "dequantise", "points")
        return torch.rand(shape, generator=self.random).to(self.device)

    def normal(self, purpose, *shape):
        assert purpose == "points"
        return torch.randn(shape, generator=self.random).to(self.device)

    def keep(self, probability, *shape):
        return (torch.rand(shape, generator=self.random) < probability).float().to(self.device)


@pytest.fixture(scope="session")
def replay():
    return Replay


@pytest.fixture(scope="session")
def synthetic():
    return Synthetic


# --- What a G-iteration did ---------------------------------------------------------------------------


@dataclasses.dataclass
class Step:
    """One optimiser step: the gradients it used, its own network after it, and the other network."""

    player: str
    gradients: dict
    state: dict
    other_state: dict
    other_gradients: dict


class Trace:
    """Records calls of both networks and steps of both optimisers from now on."""

    def __init__(self, players):
        self.players = players
        self.critic_inputs, self.critic_outputs, self.generated = [], [], []
        self.steps = []
        players.critic.register_forward_hook(self._saw_critic)
        players.generator.register_forward_hook(lambda _m, _x, y: self.generated.append(y.detach().clone()))
        self._record("critic", players.critic_optimiser, players.critic, players.generator)
        self._record("generator", players.generator_optimiser, players.generator, players.critic)

    @property
    def critic_steps(self):
        return [step for step in self.steps if step.player == "critic"]

    @property
    def generator_steps(self):
        return [step for step in self.steps if step.player == "generator"]

    def _saw_critic(self, _module, inputs, output):
        self.critic_inputs.append(inputs[0].detach().clone())
        self.critic_outputs.append(output.detach().clone())

    def _record(self, player, optimiser, own, other):
        step = optimiser.step

        def recorded(*args):
            gradients = gradients_of(own)
            other_state, other_gradients = state_of(other), gradients_of(other)
            step(*args)
            self.steps.append(Step(player, gradients, state_of(own), other_state, other_gradients))

        optimiser.step = recorded


def state_of(network):
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def gradients_of(network):
    return {name: p.grad.detach().clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.fixture(scope="session")
def trace():
    return Trace


# --- Settings and players -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def double_players():
    """Players of `build` in float64 with a golden file's weights."""

    def make(build, settings, shape, vectors, generator_names, critic_names):
        players = build(settings, shape, torch.full(shape, 0.5))
        players.generator.double()
        players.critic.double()
        vectors.load(players.generator, generator_names)
        vectors.load(players.critic, critic_names)
        return players

    return make
