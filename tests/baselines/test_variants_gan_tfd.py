"""GAN on Toronto faces: the second stage holds the first's generator; sparse weights, bounded columns."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from baselines.variants import gan_tfd

PRETRAIN, TFD = gan_tfd.TFD_PRETRAIN, gan_tfd.TFD
BOUND = 1.9365


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def narrow(revise):
    """The experiment with small layers and a small batch, otherwise as declared."""

    def make(experiment):
        widths = {"batch": 3, "generator_units": 200, "maxout_units": 6, "output_weights": 20}
        return dataclasses.replace(experiment, settings=revise(experiment.settings, **widths))

    return make


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.25))


# --- Two stages ---------------------------------------------------------------------------------------


def test_second_stage_holds_the_first_stages_generator():
    first, second = build(PRETRAIN, "meta").generator, build(TFD, "meta").generator
    assert TFD.starts_from == PRETRAIN.name
    ours, theirs = second.pretrained.state_dict(), first.state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}


def test_second_stage_feeds_its_bottleneck_to_the_trained_generator(narrow):
    trained = build(narrow(PRETRAIN)).generator
    stacked = build(narrow(TFD)).generator
    stacked.pretrained.load_state_dict(trained.state_dict())
    z = torch.randn(3, 100)
    bottleneck = stacked.stem(z)
    assert bottleneck.shape == (3, 100)
    assert 0 < bottleneck.min() < bottleneck.max() < 1
    assert torch.equal(stacked(z), trained(bottleneck))


def test_second_stage_trains_the_first_stages_layers(narrow, synthetic, trace):
    experiment = narrow(TFD)
    players = build(experiment)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    (step,) = recorded.generator_steps
    assert set(step.gradients) == {n for n, _ in players.generator.named_parameters()}
    assert all(gradient.any() for gradient in step.gradients.values())


# --- Initial weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", [PRETRAIN, TFD], ids=lambda e: e.name)
def test_faces_start_sparse_and_from_the_mean_image(narrow, experiment):
    generator = build(narrow(experiment)).generator
    for stem in [m for m in generator.modules() if isinstance(m, gan_tfd.Stem)]:
        assert (stem.h1.bias == -2).all()
        assert not stem.h0.bias.any()
        assert max(stem.h0.weight.abs().max(), stem.h1.weight.abs().max()) <= 0.05
    y = generator.y if experiment is PRETRAIN else generator.pretrained.y
    torch.testing.assert_close(torch.sigmoid(y.bias), torch.full((48 * 48,), 0.25))
    assert ((y.weight != 0).sum(1) == 20).all()


def test_sparse_weights_are_standard_normal_at_random_places():
    weight = torch.empty(500, 800)
    gan_tfd.init_sparse(weight, 100)
    assert ((weight != 0).sum(1) == 100).all()
    drawn = weight[weight != 0]
    assert abs(drawn.mean()) < 5 / drawn.numel() ** 0.5
    assert drawn.std().item() == pytest.approx(1, abs=5 / drawn.numel() ** 0.5)
    # Each input is chosen by an eighth of the 500 units.
    chosen = (weight != 0).sum(0).float()
    assert chosen.std().item() == pytest.approx(math.sqrt(500 * 7 / 64), rel=0.15)


# --- Bounded column norms -----------------------------------------------------------------------------


def test_columns_are_scaled_as_pylearn2_does():
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0, 4, 0], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]]))
    bias = layer.bias.detach().clone()
    gan_tfd.limit_columns(layer, BOUND)
    expected = torch.tensor([[0.6 * BOUND, 0, 0.8 * BOUND, 0], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]])
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=3e-7, atol=0)
    assert torch.equal(layer.bias, bias)


@pytest.mark.parametrize("experiment", [PRETRAIN, TFD], ids=lambda e: e.name)
def test_no_column_is_longer_than_the_bound_after_an_update(narrow, synthetic, trace, experiment):
    experiment = narrow(experiment)
    players = build(experiment)
    with torch.no_grad():
        players.critic.y.weight.mul_(1e5)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    for player, network in (("critic", players.critic), ("generator", players.generator)):
        (step,) = (step for step in recorded.steps if step.player == player)
        # Something was longer right after the update; every linear layer is scaled.
        longest = 0
        for name, module in network.named_modules():
            if isinstance(module, nn.Linear):
                weight = step.state[f"{name}.weight"]
                norms = weight.norm(dim=1, keepdim=True)
                longest = max(longest, norms.max().item())
                scale = torch.where(norms < BOUND, norms, BOUND) / (norms + 1e-7)
                torch.testing.assert_close(module.weight.detach(), weight * scale)
                assert module.weight.norm(dim=1).max() < BOUND * (1 + 1e-6)
        assert longest > BOUND
