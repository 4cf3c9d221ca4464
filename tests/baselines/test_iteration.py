"""Details of the iterations that the golden vectors do not fix: pixel scaling, schedules, optimisers."""

import pytest
import torch

from baselines import dcgan, gan, optimisers, sngan, wgan, wgan_gp


class Recorder(torch.nn.Module):
    """A critic that keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, draws=None):
        self.seen.append(x.detach().clone())
        return self.weight * x.flatten(1).sum(1)


class Pixels:
    """Real images of one grey level; noise of one value."""

    epoch = 0

    def __init__(self, experiment, grey, noise):
        self.shape, self.latents = experiment.image_shape, experiment.settings.latent
        self.grey, self.noise = grey, noise

    def images(self):
        return torch.full((2, *self.shape), self.grey, dtype=torch.uint8)

    def skip_images(self):
        pass

    def latent(self, n):
        return torch.zeros(n, self.latents)

    def uniform(self, purpose, *shape):
        return torch.full(shape, self.noise if purpose == "dequantise" else 0.0)

    def keep(self, probability, *shape):
        return torch.ones(shape)


def to_unit(x, noise):
    return x / 255


def to_symmetric(x, noise):
    return 2 * x / 255 - 1


def dequantised(x, noise):
    return x / 128 - 1 + noise / 128


SCALING = [
    (gan.MNIST, to_unit),
    (dcgan.CIFAR10, to_symmetric),
    (dcgan.DIGITS, to_symmetric),
    (wgan.LSUN64, to_symmetric),
    (wgan.CIFAR10, to_symmetric),
    (wgan_gp.CIFAR10_CNN, to_symmetric),
    (wgan_gp.CIFAR10_RESNET, dequantised),
    (wgan_gp.DIGITS, to_unit),
    (sngan.CIFAR10_CNN, to_symmetric),
    (sngan.CIFAR10_RESNET, dequantised),
]


@pytest.mark.parametrize(("experiment", "scaling"), SCALING, ids=[e.name for e, _ in SCALING])
@pytest.mark.parametrize(("grey", "noise"), [(0, 0.0), (100, 0.5), (255, 0.75)])
def test_critic_sees_pixels_in_the_range_of_generated_images(revise, experiment, scaling, grey, noise):
    changes = {"batch": 2}
    if hasattr(experiment.settings, "generator_batch"):
        changes["generator_batch"] = 2
    if hasattr(experiment.settings, "width"):
        changes["width"] = 4
    settings = revise(experiment.settings, **changes)
    shape = experiment.image_shape
    players = experiment.build(settings, shape, torch.full(shape, 0.5))
    players.critic = Recorder()
    players.critic_optimiser = torch.optim.SGD(players.critic.parameters(), lr=0.0)
    experiment.iterate(settings, players, 30, Pixels(experiment, grey, noise))
    real = players.critic.seen[1 if experiment.baseline == "sngan" or experiment is dcgan.DIGITS else 0]
    torch.testing.assert_close(real, torch.full((2, *shape), scaling(grey, noise)), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("module", "experiment", "at"),
    [
        (
            wgan_gp,
            wgan_gp.CIFAR10_RESNET,
            {0: 2e-4, 25_000: 1.5e-4, 50_000: 1e-4, 100_000: 0.0, 100_001: 0.0},
        ),
        (wgan_gp, wgan_gp.CIFAR10_CNN, {0: 1e-4, 200_000: 1e-4}),
        (sngan, sngan.CIFAR10_RESNET, {0: 2e-4, 12_500: 1.5e-4, 25_000: 1e-4, 50_000: 0.0, 50_001: 0.0}),
        (sngan, sngan.CIFAR10_CNN, {0: 2e-4, 100_000: 2e-4}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_learning_rate_schedule(module, experiment, at):
    for k, expected in at.items():
        assert module.learning_rate(experiment.settings, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("experiment", "critic_rate", "generator_rate"),
    [
        # The script's loop updates the generator first, so update k belongs to loop k + 1.
        (wgan_gp.CIFAR10_RESNET, 2e-4 * 0.75, 2e-4 * (1 - 25_001 / 100_000)),
        (sngan.CIFAR10_RESNET, 1e-4, 1e-4),
        (wgan_gp.CIFAR10_CNN, 1e-4, 1e-4),
        (gan.MNIST, 0.1 / 1.000004**25_000, 0.1 / 1.000004**25_000),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_iteration_sets_the_learning_rates(synthetic, experiment, critic_rate, generator_rate):
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )
    experiment.iterate(experiment.settings, players, 25_000, synthetic(experiment, device="meta"))
    assert players.critic_optimiser.param_groups[0]["lr"] == pytest.approx(critic_rate, rel=1e-9)
    assert players.generator_optimiser.param_groups[0]["lr"] == pytest.approx(generator_rate, rel=1e-9)


def test_iteration_sets_the_momentum(synthetic):
    shape = gan.MNIST.image_shape
    with torch.device("meta"):
        players = gan.build(gan.MNIST.settings, shape, torch.full(shape, 0.5))
    draws = synthetic(gan.MNIST, device="meta")
    for epoch, expected in ((0, 0.5), (83, 0.5 + 0.2 / 3), (249, 0.7), (1000, 0.7)):
        draws.epoch = epoch
        gan.iterate(gan.MNIST.settings, players, 0, draws)
        for optimiser in (players.critic_optimiser, players.generator_optimiser):
            assert optimiser.param_groups[0]["momentum"] == pytest.approx(expected)


ADAM = optimisers.EpsHatAdam
OPTIMISERS = [
    (gan.MNIST, optimisers.ClassicalMomentum, {"lr": 0.1, "momentum": 0.5}),
    (dcgan.DIGITS, torch.optim.Adam, {"lr": 5e-4, "betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 1e-5}),
    (dcgan.CIFAR10, ADAM, {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": 0}),
    (wgan.LSUN64, torch.optim.RMSprop, {"lr": 5e-5, "alpha": 0.99, "eps": 1e-8}),
    (wgan.CIFAR10, optimisers.TensorFlowRMSprop, {"lr": 5e-5, "decay": 0.9, "eps": 1e-10}),
    (wgan_gp.CIFAR10_CNN, ADAM, {"lr": 1e-4, "betas": (0.5, 0.9), "weight_decay": 0}),
    (wgan_gp.CIFAR10_RESNET, ADAM, {"lr": 2e-4, "betas": (0.0, 0.9), "weight_decay": 0}),
    (wgan_gp.DIGITS, ADAM, {"lr": 1e-4, "betas": (0.5, 0.9), "weight_decay": 0}),
    (sngan.CIFAR10_CNN, ADAM, {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": 0}),
    (sngan.CIFAR10_RESNET, ADAM, {"lr": 2e-4, "betas": (0.0, 0.9), "weight_decay": 0}),
]


@pytest.mark.parametrize(("experiment", "kind", "options"), OPTIMISERS, ids=[e.name for e, *_ in OPTIMISERS])
def test_optimisers_are_the_released_ones(experiment, kind, options):
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )
    for optimiser in (players.critic_optimiser, players.generator_optimiser):
        assert type(optimiser) is kind
        (group,) = optimiser.param_groups
        assert {name: group[name] for name in options} == options


def test_mnist_generator_crops_after_the_first_doubling():
    generator = wgan_gp.MnistGenerator(wgan_gp.DIGITS.settings)
    seen = []
    generator.up1.register_forward_hook(lambda _m, _x, y: seen.append(y))
    generator.up2.register_forward_hook(lambda _m, x, _y: seen.append(x[0]))
    assert generator(torch.randn(2, 128)).shape == (2, 1, 28, 28)
    doubled, cropped = seen
    assert doubled.shape[2:] == (8, 8)
    assert torch.equal(cropped, torch.relu(doubled[:, :, 1:, 1:]))  # the layers work on mirrored images


def test_wgan_gp_resnet_normalises_its_fakes_in_parts(synthetic, trace, revise):
    experiment = wgan_gp.CIFAR10_RESNET
    settings = revise(experiment.settings, batch=8, width=4, critic_steps=1)
    players = experiment.build(settings, experiment.image_shape, None)
    recorded = trace(players)
    draws = synthetic(experiment)
    draws.settings = settings
    experiment.iterate(settings, players, 0, draws)
    # The critic's 8 fakes come as 4 + 4, the generator's update sees 8 + 8.
    assert [len(images) for images in recorded.generated] == [4, 4, 8, 8]
    assert [len(x) for x in recorded.critic_inputs] == [8, 8, 8, 16]


@pytest.mark.parametrize(
    ("experiment", "order"),
    [
        (gan.DIGITS, ["critic", "generator"]),
        (dcgan.CIFAR10, ["critic", "generator"]),
        (dcgan.DIGITS, ["generator", "critic"]),
        (wgan.DIGITS, ["critic"] * 5 + ["generator"]),
        (wgan_gp.DIGITS, ["critic"] * 5 + ["generator"]),
        (sngan.CIFAR10_CNN, ["generator", "critic"]),
        (sngan.CIFAR10_RESNET, ["generator"] + ["critic"] * 5),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_order_of_updates(synthetic, trace, experiment, order):
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment, device="meta"))
    assert [step.player for step in recorded.steps] == order
