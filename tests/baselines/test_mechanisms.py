"""What each method adds: penalty, clipping, spectral norm, dropout, update rules."""

import math

import pytest
import torch
from torch import nn

from baselines import gan, layers, losses, optimisers, wgan


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# --- Gradient penalty ---------------------------------------------------------------------------------


def test_penalty_of_a_linear_critic_is_closed_form():
    w = torch.randn(3 * 4 * 4, dtype=torch.float64)
    real, fake = torch.randn(2, 5, 3, 4, 4, dtype=torch.float64)
    penalty = losses.gradient_penalty(lambda x: x.flatten(1) @ w, real, fake, torch.rand(5))
    torch.testing.assert_close(penalty, (w.norm() - 1) ** 2, check_dtype=False)


def test_penalty_is_two_sided():
    real, fake, mix = torch.zeros(1, 4), torch.ones(1, 4), torch.zeros(1)
    for slope in (0.5, 1.5):
        w = torch.tensor([slope, 0, 0, 0])
        assert losses.gradient_penalty(lambda x, w=w: x @ w, real, fake, mix).item() == pytest.approx(0.25)


def test_penalty_mixes_each_sample_by_its_own_amount():
    real, fake = torch.zeros(4, 2, 3, 3), torch.ones(4, 2, 3, 3)
    mix = torch.tensor([0.0, 0.25, 0.5, 1.0])
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).square().sum(1) / 2

    penalty = losses.gradient_penalty(critic, real, fake, mix)
    # f(x) = ‖x‖²/2 has slope ‖x‖ = mix·√18 at the point between.
    torch.testing.assert_close(seen[0], mix.reshape(4, 1, 1, 1).expand(4, 2, 3, 3))
    torch.testing.assert_close(penalty, ((mix * math.sqrt(18) - 1) ** 2).mean())


def test_penalty_gradient_reaches_the_critic():
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    losses.gradient_penalty(lambda x: x @ w, torch.zeros(2, 2), torch.ones(2, 2), torch.rand(2)).backward()
    # d(‖w‖−1)²/dw = 2(‖w‖−1)·w/‖w‖
    torch.testing.assert_close(w.grad, 2 * 4 * torch.tensor([0.6, 0.8]))


# --- Clipping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "inside"), [("after", True), ("before", False)])
def test_critic_after_a_step(synthetic, revise, when, inside):
    settings = revise(wgan.DIGITS.settings, batch=4, clip_when=when)
    experiment = wgan.DIGITS
    players = experiment.build(settings, experiment.image_shape, None)
    draws = synthetic(experiment)
    draws.settings = settings
    wgan.critic_step(settings, players, draws.images() / 127.5 - 1, draws)
    outside = [p for p in players.critic.parameters() if p.abs().max() > settings.clip]
    assert (not outside) == inside
    # RMSprop's first step moves a weight by lr/√(1 − α) = 5e-4 at most.
    assert max(p.abs().max() for p in players.critic.parameters()) <= settings.clip + 5e-4 + 1e-6


def test_clipping_includes_norm_gains_and_keeps_what_is_inside():
    critic = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        critic[0].weight.copy_(torch.tensor([[0.5, -0.5], [0.003, -0.003]]))
    wgan.clip(critic, 0.01)
    torch.testing.assert_close(critic[0].weight.data, torch.tensor([[0.01, -0.01], [0.003, -0.003]]))
    torch.testing.assert_close(critic[1].weight.data, torch.full((2,), 0.01))


# --- Spectral norm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: layers.SNConv2d(6, 10, 3), lambda: layers.SNLinear(20, 10)])
def test_spectral_norm_converges_to_the_largest_singular_value(make):
    layer = make().double()
    for _ in range(300):
        normalised = layer.normalised_weight()
    largest = torch.linalg.svdvals(layer.weight.flatten(1))[0]
    torch.testing.assert_close(layer.weight / normalised, largest.expand_as(layer.weight))
    torch.testing.assert_close(torch.linalg.svdvals(normalised.flatten(1))[0].item(), 1.0)


def test_gradient_goes_through_sigma():
    layer = layers.SNLinear(5, 4, bias=False).double()
    for _ in range(300):
        layer.normalised_weight()
    layer.eval()
    # W/σ(W) does not change when W is scaled, so its gradient has no component along W.
    target = torch.randn(4, 5, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((layer.normalised_weight() * target).sum(), layer.weight)
    assert gradient.norm() > 0.1
    assert abs((gradient * layer.weight).sum()) < 1e-12


def test_u_and_v_are_constants_of_the_gradient():
    layer = layers.SNLinear(5, 4, bias=False).double()
    target = torch.randn(4, 5, dtype=torch.float64)
    matrix, u = layer.weight.detach(), layer.u
    v = nn.functional.normalize(u @ matrix, dim=0)
    u = nn.functional.normalize(matrix @ v, dim=0)
    sigma = u @ matrix @ v
    expected = target / sigma - (target * matrix).sum() / sigma**2 * torch.outer(u, v)
    (gradient,) = torch.autograd.grad((layer.normalised_weight() * target).sum(), layer.weight)
    torch.testing.assert_close(gradient, expected)


def test_one_power_iteration_per_training_forward_and_none_in_evaluation():
    layer = layers.SNLinear(5, 4)
    x = torch.randn(2, 5)
    _, once = layers.spectral_norm_step(layer.weight, layer.u)
    _, twice = layers.spectral_norm_step(layer.weight, once)
    layer(x)
    assert torch.equal(layer.u, once)
    layer(x)
    assert torch.equal(layer.u, twice)
    layer.eval()(x)
    assert torch.equal(layer.u, twice)


def test_u_is_saved_and_not_trained():
    layer = layers.SNLinear(5, 4)
    assert "u" in layer.state_dict()
    assert "u" not in dict(layer.named_parameters())


# --- Dropout ------------------------------------------------------------------------------------------


def test_maxout_takes_the_largest_of_consecutive_pieces():
    layer = gan.Maxout(1, 2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0], [2], [3], [-1], [-5], [-4]]))
        layer.bias.zero_()
    torch.testing.assert_close(layer(torch.tensor([[1.0], [-1.0]])), torch.tensor([[3.0, -1], [-1, 5]]))


def test_dropout_scales_what_it_keeps():
    class KeepAll:
        asked = ()

        def keep(self, probability, *shape):
            self.asked = (*self.asked, (probability, shape))
            return torch.ones(shape)

    critic = gan.build(gan.MNIST.settings, (1, 28, 28), torch.full((1, 28, 28), 0.5)).critic
    draws = KeepAll()
    x = torch.rand(2, 1, 28, 28)
    dropped = critic(x, draws)
    assert draws.asked == ((0.8, (2, 784)), (0.5, (2, 240)), (0.5, (2, 240)))
    h = critic.h1(critic.h0(x.flatten(1) * 1.25) * 2)
    torch.testing.assert_close(dropped, critic.y(h * 2).squeeze(1))


# --- Update rules -------------------------------------------------------------------------------------


def steps(optimiser_of, gradients):
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimiser = optimiser_of([weight])
    path = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        path.append(weight.item())
    return path


def test_eps_hat_adam_is_its_formula():
    lr, b1, b2, eps = 2e-4, 0.5, 0.999, 1e-8
    w = m = v = 0.0
    expected = []
    gradients = [3e-8, -1e-8, 0.5]
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        w -= lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (math.sqrt(v) + eps)
        expected.append(w)
    assert steps(lambda p: optimisers.EpsHatAdam(p, lr, (b1, b2)), gradients) == pytest.approx(expected)


def test_eps_hat_adam_differs_from_torchs_where_gradients_are_tiny():
    lr = 2e-4
    (tiny,) = steps(lambda p: optimisers.EpsHatAdam(p, lr, (0.0, 0.999)), [1e-8])
    (torchs,) = steps(lambda p: torch.optim.Adam(p, lr, (0.0, 0.999)), [1e-8])
    # First step: lr·g/(g + ε̂/√(1 − β₂)) against lr·g/(g + ε).
    assert tiny == pytest.approx(-lr / (1 + 1 / math.sqrt(0.001)))
    assert torchs == pytest.approx(-lr / 2)
    same = [0.3, -0.2, 0.1]
    assert steps(lambda p: optimisers.EpsHatAdam(p, lr, (0.0, 0.999)), same) == pytest.approx(
        steps(lambda p: torch.optim.Adam(p, lr, (0.0, 0.999)), same), rel=1e-5
    )


def test_eps_hat_adam_goes_on_from_a_saved_state():
    gradients = [1e-8, 2e-8, 3e-8, 1e-8]

    def run(saved_at):
        weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimiser = optimisers.EpsHatAdam([weight], 2e-4, (0.5, 0.9))
        for i, gradient in enumerate(gradients):
            if i == saved_at:
                state = optimiser.state_dict()
                optimiser = optimisers.EpsHatAdam([weight], 2e-4, (0.5, 0.9))
                optimiser.load_state_dict(state)
            weight.grad = torch.tensor([gradient], dtype=torch.float64)
            optimiser.step()
        return weight.item()

    assert run(saved_at=2) == run(saved_at=None)


def test_velocity_carries_the_learning_rate():
    weight = nn.Parameter(torch.zeros(1))
    optimiser = optimisers.ClassicalMomentum([weight], lr=1.0, momentum=0.5)
    weight.grad = torch.ones(1)
    optimiser.step()
    optimiser.param_groups[0]["lr"] = 0.0
    optimiser.step()
    # v = −1, then .5·v − 0·g; torch's SGD, which multiplies the velocity by the new rate, would stay.
    assert weight.item() == -1.5


def test_tensorflow_rmsprop_starts_at_one():
    (moved,) = steps(lambda p: optimisers.TensorFlowRMSprop(p, 5e-5), [0.1])
    assert moved == pytest.approx(-5e-5 * 0.1 / math.sqrt(0.9 + 0.1 * 0.01 + 1e-10))
    (torchs,) = steps(lambda p: torch.optim.RMSprop(p, 5e-5), [0.1])
    assert abs(torchs) > 90 * abs(moved)


# --- Losses -------------------------------------------------------------------------------------------


def test_standard_loss_of_an_undecided_critic():
    undecided = torch.zeros(3)
    assert losses.standard_critic_loss(undecided, undecided).item() == pytest.approx(2 * math.log(2))
    assert losses.non_saturating_generator_loss(undecided).item() == pytest.approx(math.log(2))


def test_critic_losses_fall_when_real_rises_and_fake_falls():
    for loss in (losses.standard_critic_loss, losses.hinge_critic_loss, losses.wasserstein_critic_loss):
        real, fake = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
        loss(real, fake).backward()
        assert (real.grad < 0).all()
        assert (fake.grad > 0).all()


def test_generator_losses_fall_when_fake_rises():
    for loss in (
        losses.non_saturating_generator_loss,
        losses.hinge_generator_loss,
        losses.wasserstein_generator_loss,
    ):
        fake = torch.zeros(2, requires_grad=True)
        loss(fake).backward()
        assert (fake.grad < 0).all()


def test_hinge_ignores_samples_beyond_the_margin():
    real, fake = torch.tensor([0.5, 2.0], requires_grad=True), torch.tensor([-3.0, 0.0], requires_grad=True)
    losses.hinge_critic_loss(real, fake).backward()
    assert real.grad.tolist() == [-0.5, 0.0]
    assert fake.grad.tolist() == [0.0, 0.5]
