"""GAN against goodfeli/adversarial's own numbers: networks, losses, two joint updates, schedules, Parzen."""

import pytest
import torch

from baselines import gan
from benchmark.evaluation import parzen

GENERATOR = {
    f"G/{layer}_{theirs}": (f"{layer}.{ours}", axes)
    for layer in ("h0", "h1", "y")
    for theirs, ours, axes in (("W", "weight", "transposed"), ("b", "bias", "same"))
}
CRITIC = {name.replace("G/", "D/"): place for name, place in GENERATOR.items()}
SHAPE = (1, 28, 28)

FILES = pytest.mark.parametrize(
    ("file", "dtype", "values", "tolerance"),
    [("f64", torch.float64, 1e-12, 1e-11), ("f32", torch.float32, 1e-6, 1e-6)],  # README: 1e-7, 1e-6
)


def players_of(vectors, dtype, double_players):
    players = double_players(gan.build, gan.MNIST.settings, SHAPE, vectors, GENERATOR, CRITIC)
    players.generator.to(dtype)
    players.critic.to(dtype)
    return players


@FILES
def test_critic_without_dropout(golden, double_players, file, dtype, values, tolerance):
    vectors = golden(f"gan_mnist_{file}")
    critic = players_of(vectors, dtype, double_players).critic
    x = vectors.input("x1").to(dtype)
    vectors.check("D/eval_h0_x1", critic.h0(x), values)
    vectors.check("D/eval_x1", torch.sigmoid(critic(x.reshape(-1, *SHAPE))), values)


@FILES
def test_two_joint_updates(golden, double_players, replay, trace, revise, file, dtype, values, tolerance):
    vectors = golden(f"gan_mnist_{file}")
    players = players_of(vectors, dtype, double_players)
    # The file's second step has learning rate .05 and momentum .6: halve one, ramp the other over 3 epochs.
    settings = revise(gan.MNIST.settings, batch=8, learning_rate_decay=2.0, momentum_saturates_at_epoch=3)
    recorded = trace(players)
    for k, step in enumerate(("s1", "s2")):
        draws = replay(
            images=[vectors.input(f"x{k + 1}").to(dtype).reshape(-1, *SHAPE) * 255],
            latents=[vectors.input("noise_z").to(dtype)],
            masks=[
                vectors.input(f"mask_{kind}_h{i}").to(dtype) for kind in ("real", "fake") for i in range(3)
            ],
            epoch=k,
        )
        losses = gan.iterate(settings, players, k, draws)
        assert draws.exhausted
        vectors.check(f"{step}/samples", recorded.generated[k], values)
        vectors.check(f"{step}/d_obj", losses["critic"], tolerance)
        vectors.check(f"{step}/g_obj", losses["generator"], tolerance)
        for one, names in ((recorded.critic_steps[k], CRITIC), (recorded.generator_steps[k], GENERATOR)):
            vectors.check_all(f"{step}/grad/", one.gradients, names, tolerance, common_scale=True)
            # The critic's last bias ends near zero, with the rounding of larger weights.
            single = file == "f32"
            vectors.check_all(f"{step}/after/", one.state, names, tolerance, common_scale=single)
    assert not [name for name in vectors.unread if name.startswith(("s1/", "s2/"))]


@pytest.mark.parametrize("file", ["f64", "f32"])
def test_learning_rate_schedule(golden, file):
    for minibatches, expected in golden(f"gan_mnist_{file}").result("lr_after_minibatch").tolist():
        assert gan.learning_rate(gan.MNIST.settings, int(minibatches)) == pytest.approx(expected, rel=1e-7)


def test_learning_rate_floor():
    # log(.1 / 1e-6) / log(1.000004) = 2 878 237 minibatches
    assert gan.learning_rate(gan.MNIST.settings, 2_878_237) > 1e-6
    assert gan.learning_rate(gan.MNIST.settings, 2_878_238) == 1e-6


@pytest.mark.parametrize(("file", "tolerance"), [("f64", 1e-12), ("f32", 1e-7)])
def test_momentum_schedule(golden, file, tolerance):
    # pylearn2 counts monitoring calls; one precedes epoch 0, so call n sets the momentum of epoch n − 1.
    for call, expected in golden(f"gan_mnist_{file}").result("momentum_at_epoch").tolist():
        momentum = gan.momentum(gan.MNIST.settings, max(int(call) - 1, 0))
        assert momentum == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("file", "tolerance"), [("f64", 1e-12), ("f32", 1e-6)])  # README: 1e-7, 1e-6
def test_parzen_window(golden, file, tolerance):
    """Both files' points were put together in float32; the grid and the means are float64 in both."""
    vectors = golden(f"gan_parzen_{file}")
    centres = vectors.input("centres").float()

    def points(name):
        noise = vectors.input(f"{name}_noise").float()
        return (centres[vectors.input(f"{name}_label").long()] + noise).clamp(0, 1)

    test, samples, valid = points("test"), points("samples"), points("valid")
    vectors.check("sigma_grid", torch.tensor(parzen.GRID, dtype=torch.float64), 1e-15)
    means = parzen.mean_log_likelihoods(valid, samples, parzen.GRID)
    vectors.check("valid_mean_ll_per_sigma", means, tolerance)
    chosen = parzen.choose_sigma(valid, samples)
    for batch in (10, 100):
        assert chosen == vectors.result(f"chosen_sigma_batch{batch}").item()
    for sigma in (0.1, 0.2, chosen):
        values = parzen.log_likelihoods(test, samples, sigma)
        prefix = f"sigma_{sigma:.6f}"
        vectors.check(f"{prefix}/ll_in_test_order", values, tolerance)
        vectors.check(f"{prefix}/sorted_ll", values.sort().values, tolerance)
        mean, standard_error = parzen.estimate(values)
        assert mean == pytest.approx(vectors.result(f"{prefix}/mean_ll").item(), rel=tolerance)
        assert standard_error == pytest.approx(vectors.result(f"{prefix}/se").item(), rel=tolerance)
    assert not vectors.unread
