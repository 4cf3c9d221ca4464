"""GAN's further experiments: Algorithm 1 as printed, the two stages on Toronto faces, CIFAR-10."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import gan
from baselines.variants import gan as variants

PRINTED, PRETRAIN, TFD = variants.MNIST_PRINTED, variants.TFD_PRETRAIN, variants.TFD
FC, CONV = variants.CIFAR10_FC, variants.CIFAR10_CONV
BOUND = 1.9365


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


def test_untied_bias_and_stride_three_transposed_convolution(narrow):
    generator = build(narrow(CONV)).generator
    assert generator.y.untied_bias.shape == (3, 32, 32)
    assert generator.y.bias is None
    nn.init.normal_(generator.y.untied_bias)
    z = torch.randn(2, 100)
    maps = generator.stem(z).reshape(2, 2, 10, 10)
    expected = generator.y.untied_bias.detach().repeat(2, 1, 1, 1)
    for i in range(10):
        for j in range(10):
            patch = torch.einsum("bm,mcyx->bcyx", maps[:, :, i, j], generator.y.weight)
            expected[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5] += patch.detach()
    torch.testing.assert_close(generator(z), expected)


def test_maxout_convolution_against_an_explicit_maximum():
    layer = variants.MaxoutConv2d(3, 4, 2, kernel=5, padding=3, pool=2)
    x = torch.randn(2, 3, 7, 7)
    pieces = F.conv2d(x, layer.weight, layer.bias, padding=3)
    assert pieces.shape == (2, 8, 9, 9)
    expected = torch.empty(2, 4, 5, 5)
    for channel in range(4):
        for i in range(5):
            for j in range(5):
                window = pieces[:, 2 * channel : 2 * channel + 2, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                expected[:, channel, i, j] = window.amax((1, 2, 3))
    torch.testing.assert_close(layer(x), expected)


def test_pooling_keeps_partial_windows(narrow):
    critic = build(narrow(CONV)).critic
    sizes, convolved = [], []
    x = torch.randn(2, 3, 32, 32)
    for layer in (critic.h0, critic.h1, critic.h2):
        convolved.append(F.conv2d(x, layer.weight, padding=layer.padding).shape[2])
        x = layer(x)
        sizes.append(x.shape[2])
    assert (convolved, sizes) == ([33, 15, 9], [16, 7, 5])


def test_convolutional_critic_drops_single_activations(narrow):
    class KeepAll:
        asked = ()

        def keep(self, probability, *shape):
            self.asked = (*self.asked, (probability, shape))
            return torch.ones(shape)

    critic, draws = build(narrow(CONV)).critic, KeepAll()
    x = torch.randn(2, 3, 32, 32)
    dropped = critic(x, draws)
    assert draws.asked == (
        (0.8, (2, 3, 32, 32)),
        (0.5, (2, 4, 16, 16)),
        (0.5, (2, 4, 7, 7)),
        (0.5, (2, 6, 5, 5)),
        (0.5, (2, 6)),
    )
    h = critic.h2(2 * critic.h1(2 * critic.h0(1.25 * x)))
    torch.testing.assert_close(dropped, critic.y(2 * critic.h3(2 * h.flatten(1))).squeeze(1))


# --- Initial weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("experiment", "output"), [(FC, 0.5), (CONV, 0.05)], ids=lambda v: getattr(v, "name", None)
)
def test_uniform_initial_weights(narrow, experiment, output):
    players = build(narrow(experiment))
    generator = players.generator
    bounds = {generator.stem.h0: 0.05, generator.stem.h1: 0.05, generator.y: output}
    bounds |= {m: 0.005 for m in players.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    for layer, bound in bounds.items():
        largest = layer.weight.abs().max().item()
        assert largest <= bound
        assert largest > bound * (1 - 30 / layer.weight.numel())
        assert layer.bias is None or not layer.bias.any()
    assert experiment is not CONV or not generator.y.untied_bias.any()


@pytest.mark.parametrize("experiment", [PRETRAIN, TFD], ids=lambda e: e.name)
def test_faces_start_sparse_and_from_the_mean_image(narrow, experiment):
    generator = build(narrow(experiment)).generator
    for stem in [m for m in generator.modules() if isinstance(m, variants.Stem)]:
        assert (stem.h1.bias == -2).all()
        assert not stem.h0.bias.any()
        assert max(stem.h0.weight.abs().max(), stem.h1.weight.abs().max()) <= 0.05
    y = generator.y if experiment is PRETRAIN else generator.pretrained.y
    torch.testing.assert_close(torch.sigmoid(y.bias), torch.full((48 * 48,), 0.25))
    assert ((y.weight != 0).sum(1) == 20).all()


def test_sparse_weights_are_standard_normal_at_random_places():
    weight = torch.empty(500, 800)
    variants.init_sparse(weight, 100)
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
    variants.limit_columns(layer, BOUND)
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


# --- Contrast normalisation ---------------------------------------------------------------------------


def test_contrast_normalised_images_have_mean_zero_and_norm_55():
    images = torch.randint(256, (6, 3, 32, 32), dtype=torch.uint8)
    images[0] = images[0] // 16 + 100
    x = variants.contrast_normalised(images, 55.0)
    assert x.shape == images.shape
    torch.testing.assert_close(x.flatten(1).mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.flatten(1).norm(dim=1), torch.full((6,), 55.0))
    # One number per image over all channels, so a root mean square of about .992.
    assert x.square().mean().sqrt().item() == pytest.approx(55 / math.sqrt(3072), rel=1e-5)
    image = images[0].double()
    expected = 55 * (image - image.mean()) / (image - image.mean()).norm()
    torch.testing.assert_close(x[0], expected.float(), rtol=1e-4, atol=1e-5)


def test_brightness_and_contrast_do_not_matter_and_a_flat_image_stays_zero():
    images = torch.randint(100, (1, 3, 32, 32), dtype=torch.uint8)
    x = variants.contrast_normalised(torch.cat((images, 2 * images + 30, torch.full_like(images, 77))), 55.0)
    torch.testing.assert_close(x[0], x[1], rtol=1e-4, atol=1e-4)
    assert not x[2].any()


@pytest.mark.parametrize("experiment", [FC, CONV], ids=lambda e: e.name)
def test_critic_sees_contrast_normalised_images_and_unbounded_fakes(narrow, synthetic, trace, experiment):
    experiment = narrow(experiment)
    players = build(experiment)
    with torch.no_grad():
        for p in players.generator.y.parameters():
            p.mul_(100)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    real, fake = recorded.critic_inputs
    expected = variants.contrast_normalised(synthetic(experiment).images(), 55.0)
    assert torch.equal(real, expected)
    assert torch.equal(fake, recorded.generated[0])
    assert fake.abs().max() > experiment.image_range[1]


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
