"""GAN's further experiments: sizes, updates and schedules of all, Algorithm 1 as printed."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from baselines import gan
from baselines.variants import gan as variants

PRINTED, PRETRAIN, TFD = variants.MNIST_PRINTED, variants.TFD_PRETRAIN, variants.TFD
FC, CONV = variants.CIFAR10_FC, variants.CIFAR10_CONV


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def narrow(revise):
    """The experiment with small layers and a small batch, otherwise as declared."""

    def make(experiment, **changes):
        widths = {"batch": 3, "generator_units": 200, "maxout_units": 6, **changes}
        if experiment in (PRETRAIN, TFD):
            widths |= {"output_weights": 20}
        if experiment is CONV:
            widths |= {"critic_channels": (4, 4, 6)}
        return dataclasses.replace(experiment, settings=revise(experiment.settings, **widths))

    return make


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.25))


def parameters(network):
    return sum(p.numel() for p in network.parameters())


# --- Networks -----------------------------------------------------------------------------------------


# gan-dcgan-wgan.md, section 2.1.
@pytest.mark.parametrize(
    ("experiment", "generator", "critic"),
    [
        (PRINTED, 2_503_984, 1_231_441),
        (PRETRAIN, 83_250_304, 21_037_201),
        (TFD, 84_858_404, 21_037_201),
        (FC, 89_395_072, 37_393_601),
        (CONV, 64_825_072, 12_454_073),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_parameter_counts(experiment, generator, critic):
    players = build(experiment, "meta")
    assert (parameters(players.generator), parameters(players.critic)) == (generator, critic)


@pytest.mark.parametrize("experiment", [PRETRAIN, FC, CONV], ids=lambda e: e.name)
def test_hidden_layers_are_relu_then_sigmoid(narrow, experiment):
    generator = build(narrow(experiment)).generator
    z = torch.randn(3, 100)
    seen = []
    generator.stem.register_forward_hook(lambda _m, _x, h: seen.append(h))
    generator(z)
    hidden = F.linear(z, generator.stem.h0.weight, generator.stem.h0.bias).clamp(min=0)
    expected = 1 / (1 + torch.exp(-F.linear(hidden, generator.stem.h1.weight, generator.stem.h1.bias)))
    torch.testing.assert_close(seen[0], expected)


# --- Updates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", [PRETRAIN, TFD, FC, CONV], ids=lambda e: e.name)
def test_released_experiments_update_both_from_one_pass(narrow, synthetic, trace, experiment):
    experiment = narrow(experiment)
    players = build(experiment)
    recorded = trace(players)
    losses = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    assert len(recorded.generated) == 1
    assert len(recorded.critic_outputs) == 2
    assert [step.player for step in recorded.steps] == ["critic", "generator"]
    real, fake = map(torch.sigmoid, recorded.critic_outputs)
    one, none = torch.ones(3), torch.zeros(3)
    expected = (F.binary_cross_entropy(real, one) + F.binary_cross_entropy(fake, none)) / 2
    torch.testing.assert_close(losses["critic"], expected)
    torch.testing.assert_close(losses["generator"], F.binary_cross_entropy(fake, one))


def test_algorithm_1_alternates_on_noise_of_its_own(narrow, synthetic, trace):
    experiment = narrow(PRINTED)
    players = build(experiment)
    with torch.no_grad():
        players.critic.y.weight.mul_(1000)
    old = {n: p.detach().clone() for n, p in players.critic.named_parameters()}
    recorded = trace(players)
    losses = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    assert [step.player for step in recorded.steps] == ["critic", "generator"]
    assert len(recorded.generated) == 2
    assert not torch.equal(*recorded.generated)
    real, fake, judged = map(torch.sigmoid, recorded.critic_outputs)
    # The whole sum, and log(1 − D).
    torch.testing.assert_close(losses["critic"], -(real.log().mean() + (1 - fake).log().mean()))
    torch.testing.assert_close(losses["generator"], (1 - judged).log().mean())
    # The generator's step has seen the updated critic.
    seen = recorded.generator_steps[0].other_state
    assert all(torch.equal(seen[n], p) for n, p in players.critic.named_parameters())
    assert any(not torch.equal(seen[n], old[n]) for n in old)


def test_saturating_loss_vanishes_where_the_critic_is_sure():
    logit = torch.tensor([-10.0, 0.0, 10.0], requires_grad=True)
    variants.saturating_generator_loss(logit).backward()
    torch.testing.assert_close(logit.grad, -torch.sigmoid(logit.detach()) / 3)


@pytest.mark.parametrize("experiment", variants.EXPERIMENTS, ids=lambda e: e.name)
def test_an_iteration_is_a_function_of_its_draws(narrow, synthetic, experiment):
    experiment = narrow(experiment)

    def weights(seed):
        torch.manual_seed(0)
        players = build(experiment)
        experiment.iterate(experiment.settings, players, 0, synthetic(experiment, seed=seed))
        return [p for n in (players.generator, players.critic) for p in n.parameters()]

    assert all(map(torch.equal, weights(0), weights(0)))
    assert not all(map(torch.equal, weights(0), weights(1)))


# --- Schedules and budgets ----------------------------------------------------------------------------


def test_faces_take_50_and_then_22_epochs():
    per_epoch = math.ceil(98_058 / 100)
    assert PRETRAIN.budget.gen_iters == 50 * per_epoch == 49_050
    assert TFD.budget.gen_iters == 22 * per_epoch == 21_582
    # gan-dcgan-wgan.md, section 2.2: where rate and momentum end.
    for experiment, rate, momentum, epochs in ((PRETRAIN, 0.0411, 0.539, 50), (TFD, 0.0459, 0.517, 22)):
        s = experiment.settings
        assert gan.learning_rate(s, experiment.budget.gen_iters) == pytest.approx(rate, abs=5e-5)
        assert gan.momentum(s, epochs - 1) == pytest.approx(momentum, abs=5e-4)


@pytest.mark.parametrize("experiment", [PRINTED, FC, CONV], ids=lambda e: e.name)
def test_no_end_is_printed_elsewhere(experiment):
    assert experiment.budget.gen_iters is None


@pytest.mark.parametrize(("experiment", "reached"), [(FC, 2_531_663), (CONV, 2_073_517)])
def test_learning_rate_reaches_its_floor_where_the_fact_sheet_says(experiment, reached):
    assert gan.learning_rate(experiment.settings, reached - 1) > 1e-6
    assert gan.learning_rate(experiment.settings, reached + 1) == 1e-6


@pytest.mark.parametrize(
    ("experiment", "rate", "batch"),
    [(PRETRAIN, 0.05, 100), (TFD, 0.05, 100), (FC, 0.025, 100), (CONV, 0.004, 128)],
)
def test_rates_and_batches_are_the_released_ones(experiment, rate, batch):
    s = experiment.settings
    assert (s.learning_rate, s.batch, s.prior, s.latent) == (rate, batch, "normal", 100)
    assert (s.keep_input, s.keep_hidden, s.learning_rate_decay) == (0.8, 0.5, 1.000004)
