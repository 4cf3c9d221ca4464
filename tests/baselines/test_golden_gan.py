"""GAN against goodfeli/adversarial's own numbers: networks, losses, two joint updates, schedules."""

import pytest
import torch

from baselines import gan

GENERATOR = {
    f"G/{layer}_{theirs}": (f"{layer}.{ours}", axes)
    for layer in ("h0", "h1", "y")
    for theirs, ours, axes in (("W", "weight", "transposed"), ("b", "bias", "same"))
}
CRITIC = {name.replace("G/", "D/"): place for name, place in GENERATOR.items()}
SHAPE = (1, 28, 28)


@pytest.fixture
def vectors(golden):
    return golden("gan_mnist_f64")


@pytest.fixture
def players(vectors, double_players):
    return double_players(gan.build, gan.MNIST.settings, SHAPE, vectors, GENERATOR, CRITIC)


def test_critic_without_dropout(vectors, players):
    x = vectors.input("x1")
    vectors.check("D/eval_h0_x1", players.critic.h0(x), 1e-12)
    vectors.check("D/eval_x1", torch.sigmoid(players.critic(x.reshape(-1, *SHAPE))), 1e-12)


def test_two_joint_updates(vectors, players, replay, trace, revise):
    # The file's second step has learning rate .05 and momentum .6: halve one, ramp the other over 3 epochs.
    settings = revise(gan.MNIST.settings, batch=8, learning_rate_decay=2.0, momentum_saturates_at_epoch=3)
    recorded = trace(players)
    for k, step in enumerate(("s1", "s2")):
        draws = replay(
            images=[vectors.input(f"x{k + 1}").reshape(-1, *SHAPE) * 255],
            latents=[vectors.input("noise_z")],
            masks=[vectors.input(f"mask_{kind}_h{i}") for kind in ("real", "fake") for i in range(3)],
            epoch=k,
        )
        losses = gan.iterate(settings, players, k, draws)
        assert draws.exhausted
        vectors.check(f"{step}/samples", recorded.generated[k], 1e-12)
        vectors.check(f"{step}/d_obj", losses["critic"], 1e-11)
        vectors.check(f"{step}/g_obj", losses["generator"], 1e-11)
        for one, names in ((recorded.critic_steps[k], CRITIC), (recorded.generator_steps[k], GENERATOR)):
            vectors.check_all(f"{step}/grad/", one.gradients, names, 1e-11, common_scale=True)
            vectors.check_all(f"{step}/after/", one.state, names, 1e-11)


def test_learning_rate_schedule(vectors):
    for minibatches, expected in vectors.result("lr_after_minibatch").tolist():
        assert gan.learning_rate(gan.MNIST.settings, int(minibatches)) == pytest.approx(expected, rel=1e-7)


def test_learning_rate_floor():
    # log(.1 / 1e-6) / log(1.000004) = 2 878 237 minibatches
    assert gan.learning_rate(gan.MNIST.settings, 2_878_237) > 1e-6
    assert gan.learning_rate(gan.MNIST.settings, 2_878_238) == 1e-6


def test_momentum_schedule(vectors):
    # pylearn2 counts monitoring calls; one precedes epoch 0, so call n sets the momentum of epoch n − 1.
    for call, expected in vectors.result("momentum_at_epoch").tolist():
        if call >= 1:
            assert gan.momentum(gan.MNIST.settings, int(call) - 1) == pytest.approx(expected, abs=1e-12)
