"""Initial weights: keyed by name, equal on every machine, whatever torch's own random functions give."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import baselines
from baselines.spec import Players
from benchmark.errors import UserError
from benchmark.training import exact_draws, initial
from benchmark.training.draws import stream

GAN = baselines.get("gan/digits")
DIGITS = [name for name in baselines.names() if name.endswith("/digits")]
GOLDEN = [
    (
        "gan/digits "
        "3cde8fa3f163c9aa69677dc8f932591faacc388148b7e3c98a9d6d98ce935992 "
        "8891e8354317b98753f2c1b6d7449b5689c524e86ef6b2c2cffd08b83dfe2b29"
    ),
    (
        "dcgan/digits "
        "818c79f46d2c8abba6ef8078a7144c419d5addf35ab94b797ec034818eb37353 "
        "020bf40b6aa9dbae417ca391bf1938fc5d1a0d2593fd2d61f163a9800988400e"
    ),
    (
        "wgan/digits "
        "6c04ce8c4da858aa2c8140e3b150638bfd6fa581a1211880d49fe6ccba38b6ea "
        "8b798d6b5d14f06c352aca35e4051babe7e50a6893153cb112f5854bcb7b9f8a"
    ),
    (
        "wgan_gp/digits "
        "895eb3643dc6bfb0d87bfe145ab6a2a7bd99cf155be33cf16704e3430a23d59b "
        "84d28832fbeb3310ad16e5d8ad6631daeaebb82f3bf1e91c4e1f0a33eafe030d"
    ),
    (
        "sngan/digits "
        "85978a6c0b84cbb3560d4152ca82776cf48c3797b34a1ef3ea8a127aa904ca2a "
        "df979e9101928c860cdecaf87fa99bea4180d8c989619be95f202853c0350ed1"
    ),
]

DIGEST_CODE = """
import sys, torch, baselines
from benchmark.training import checkpoint, initial, numerics
numerics.apply()
for name in sys.argv[1:]:
    experiment = baselines.get(name)
    shape = experiment.image_shape
    mean_image = torch.arange(torch.Size(shape).numel()).reshape(shape) % 256 / 255
    players = initial.build(experiment, 0, mean_image)
    print(name, *(checkpoint.digest(getattr(players, p).state_dict()) for p in ("generator", "critic")))
"""


def experiment_of(build):
    """`gan/digits` with other networks; `build` makes the generator."""

    def both(*_):
        generator, critic = build(), nn.Linear(2, 1)
        return Players(generator, critic, None, None)

    return dataclasses.replace(GAN, build=both)


def built(build, seed=0):
    return initial.build(experiment_of(build), seed, torch.zeros(GAN.image_shape)).generator


def drawn(name, n, *moments, seed=0):
    """N(mean, std²) from the stream of a fill."""
    return torch.from_numpy(exact_draws.normals(stream(seed, "init", name), n, *moments))


def module(**tensors):
    """A network with these parameters."""
    network = nn.Module()
    for name, tensor in tensors.items():
        network.register_parameter(name, nn.Parameter(tensor))
    return network


def test_a_parameter_has_its_own_stream_whatever_else_is_built():
    def one():
        return nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Conv2d(2, 5, 3)})

    def other():
        nn.Linear(2, 2)
        b, a = nn.Conv2d(2, 5, 3), nn.Linear(3, 4)
        torch.rand(3)
        return nn.ModuleDict({"a": a, "b": b, "c": nn.Linear(3, 4)})

    first, second = built(one).state_dict(), built(other).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(second["a.weight"], second["c.weight"])
    assert not torch.equal(first["a.weight"], built(one, seed=1).state_dict()["a.weight"])


def test_a_fill_is_the_exact_draw_of_its_name_and_number():
    def build():
        network = nn.Linear(3, 4)  # draws weight and bias itself
        nn.init.normal_(network.weight, 1.0, 0.02)
        network.register_buffer("u", torch.randn(7))
        return network

    network = built(build, seed=5)
    assert torch.equal(network.weight.flatten(), drawn("generator.weight|1", 12, 1.0, 0.02, seed=5))
    assert torch.equal(network.u, drawn("generator.u|0", 7, seed=5))
    bias = exact_draws.uniforms32(stream(5, "init", "generator.bias|0"), 4).astype(np.float64)
    bound = 1 / np.sqrt(3)
    assert np.array_equal(network.bias.detach().numpy(), (bias * (2 * bound) - bound).astype(np.float32))


def test_a_fill_that_was_read_counts_although_another_follows():
    def build():
        weight = torch.empty(50).normal_()
        doubled = weight * 2
        return module(weight=weight.normal_(), doubled=doubled)

    network = built(build)
    assert torch.equal(network.doubled, 2 * drawn("generator.weight|0", 50))
    assert torch.equal(network.weight, drawn("generator.weight|1", 50))


def test_a_partial_fill_does_not_replace_the_one_before():
    def build():
        weight = torch.empty(50).normal_()
        weight[:10].normal_()
        return module(weight=weight)

    weight = built(build).weight
    assert torch.equal(weight[:10], drawn("generator.weight|1", 10))
    assert torch.equal(weight[10:], drawn("generator.weight|0", 50)[10:])


@given(
    ends=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), min_size=1, max_size=5),
    transposed=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_views_made_beforehand_are_filled_one_after_another(ends, transposed):
    """As `weight.chunk(4)` of a recurrent cell, each part with an initial value of its own."""

    def build():
        weight = torch.zeros(6, 6)
        parts = [(weight.T if transposed else weight)[low : low + n] for low, n in ends]
        for part in parts:
            nn.init.normal_(part)
        return module(weight=weight)

    expected = torch.zeros(6, 6)
    for i, (low, n) in enumerate(ends):
        part = (expected.T if transposed else expected)[low : low + n]
        part.copy_(drawn(f"generator.weight|{i}", part.numel()).view(part.shape))
    assert torch.equal(built(build).weight, expected)


@pytest.mark.parametrize(
    ("draw", "low", "high", "mean", "variance"),
    [
        (lambda: torch.empty(20_000).uniform_(-1, 3), -1, 3, 1, 16 / 12),
        (lambda: torch.empty(20_000).bernoulli_(0.3), 0, 1, 0.3, 0.21),
        (lambda: torch.empty(20_000, dtype=torch.float64).uniform_(), 0, 1, 0.5, 1 / 12),
        (lambda: torch.rand(20_000), 0, 1, 0.5, 1 / 12),
        (lambda: torch.rand_like(torch.zeros(20_000)), 0, 1, 0.5, 1 / 12),
        (lambda: torch.randn(20_000, dtype=torch.float64), -9, 9, 0, 1),
        (lambda: torch.randn_like(torch.zeros(20_000)), -9, 9, 0, 1),
        (lambda: torch.normal(2.0, 3.0, (20_000,)), -25, 29, 2, 9),
        (lambda: torch.randint(4, (20_000,)).float(), 0, 3, 1.5, 15 / 12),
        (lambda: torch.randint(2, 6, (20_000,)).float(), 2, 5, 3.5, 15 / 12),
        (lambda: torch.randperm(20_000).float(), 0, 19_999, 9_999.5, 20_000**2 / 12),
    ],
)
def test_every_known_fill_has_the_distribution_of_torch(draw, low, high, mean, variance):
    for values in (draw(), built(lambda: module(weight=draw())).weight.detach()):
        assert low <= values.min() <= values.max() <= high
        values = values.double()
        assert abs(values.mean() - mean) < 5 * (variance / len(values)) ** 0.5
        assert values.var().item() == pytest.approx(variance, rel=0.1)
    torch.manual_seed(1)
    first = built(lambda: module(weight=draw())).weight
    torch.manual_seed(2)
    assert torch.equal(first, built(lambda: module(weight=draw())).weight)


def test_a_draw_without_exact_counterpart_is_refused_by_name():
    with pytest.raises(UserError, match=r"'gan/digits' draws .* aten\.exponential_\.default"):
        built(lambda: module(weight=torch.empty(3).exponential_()))


def test_draws_that_depend_on_draws_are_refused():
    def more():
        while (weight := torch.rand(4)).sum() > 0 and weight[0] > 0.01:
            pass
        return module(weight=weight)

    def fewer():
        weight = torch.rand(4)
        if weight.sum() == 0:
            weight.normal_()
        return module(weight=weight)

    for build in (more, fewer):
        with pytest.raises(UserError, match="depends on what was drawn"):
            built(build)


def test_a_generator_of_ones_own_is_left_alone():
    def build():
        generator = torch.Generator().manual_seed(3)
        return module(weight=torch.randn(5, generator=generator))

    assert torch.equal(built(build).weight, build().weight)


def test_the_global_generator_is_put_back():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    built(lambda: nn.Linear(3, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_logit_is_torchs_but_for_rounding():
    x = torch.cat(
        [torch.rand(1000, generator=torch.Generator().manual_seed(0)), torch.tensor([0.0, 0.5, 1.0])]
    )
    ours = built(lambda: module(weight=torch.logit(x, eps=1e-7))).weight
    assert torch.allclose(ours, torch.logit(x.double(), eps=1e-7).float(), rtol=2e-7, atol=0)


def digests(names, capability):
    """Of initial weights, made by a process whose torch uses no more than these vector units."""
    done = subprocess.run(
        [sys.executable, "-c", DIGEST_CODE, *names],
        env={**os.environ, "ATEN_CPU_CAPABILITY": capability},
        capture_output=True,
        text=True,
        timeout=1800,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_initial_weights_do_not_depend_on_the_vector_units_torch_uses():
    assert digests(DIGITS, "default") == digests(DIGITS, "avx2") == GOLDEN


@pytest.mark.slow
def test_initial_weights_of_all_experiments_do_not_depend_on_the_vector_units_torch_uses():
    names = baselines.names()
    default = digests(names, "default")
    assert len(default) == len(names)
    assert default == digests(names, "avx2")
