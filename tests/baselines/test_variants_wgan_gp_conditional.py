"""WGAN-GP on CIFAR-10 with labels, against the formulas written out here; golden vectors are elsewhere."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import layers, wgan_gp
from baselines.variants.wgan_gp_conditional import CIFAR10_RESNET_CONDITIONAL as CONDITIONAL

NORMS = (nn.BatchNorm2d, nn.GroupNorm)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(experiment, settings=None, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(settings or experiment.settings, shape, torch.full(shape, 0.5))


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


@pytest.fixture
def small(revise):
    """Settings of the conditional run at width 4, batch 8, one critic step."""
    return revise(CONDITIONAL.settings, width=4, batch=8, critic_steps=1)


def test_conditional_norm_in_the_blocks_and_none_in_the_critic():
    players = build(CONDITIONAL, device="meta")
    blocks = players.generator.blocks
    assert len(modules(blocks, layers.ConditionalBatchNorm2d)) == 6
    assert all(
        m.gains.shape == m.offsets.shape == (10, 128) for m in modules(blocks, layers.ConditionalBatchNorm2d)
    )
    assert type(players.generator.norm) is nn.BatchNorm2d
    assert players.generator.norm.affine
    assert not modules(players.critic, NORMS)
    assert all(m.bias is not None for m in modules(players.critic, (nn.Conv2d, nn.Linear)))


def test_classes_make_no_difference_before_training_and_choose_rows_afterwards(small):
    torch.manual_seed(1)
    generator = build(CONDITIONAL, small).generator
    torch.manual_seed(1)
    plain = wgan_gp.ResnetGenerator(128, 4)
    z, classes = torch.randn(6, 128), torch.tensor([3, 1, 4, 1, 5, 9])
    torch.testing.assert_close(generator(z, classes), plain(z))

    norm = layers.ConditionalBatchNorm2d(2, 10, 1e-5)
    nn.init.normal_(norm.gains)
    nn.init.normal_(norm.offsets)
    x = torch.randn(6, 2, 4, 4)
    centred = x - x.mean((0, 2, 3), keepdim=True)
    scaled = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    for i, c in enumerate(classes):
        expected = scaled[i] * norm.gains[c, :, None, None] + norm.offsets[c, :, None, None]
        torch.testing.assert_close(norm(x, classes)[i], expected, atol=1e-5, rtol=1e-5)


def value_and_logits(critic, x):
    h = critic.features(x)
    return critic.value(h)[:, 0], critic.classify(h)


def test_ac_gan_losses_and_gradients(replay, trace, small):
    """Critic: f(G) − f(x) + 10·penalty + 1·CE(real only); generator: −f(G) + .1·CE of the classes drawn."""
    players = build(CONDITIONAL, small)
    players.generator.double()
    players.critic.double()
    for norm in modules(players.generator, layers.ConditionalBatchNorm2d):
        nn.init.normal_(norm.gains, 1.0, 0.5)
    first = {k: v.clone() for k, v in players.critic.state_dict().items()}
    pixels = torch.randint(256, (8, 3, 32, 32)).double()
    noise, mix = torch.rand(8, 3, 32, 32).double(), torch.rand(8).double()
    of_real = torch.randint(10, (8,))
    z = [torch.randn(8, 128).double() for _ in range(3)]
    drawn = [torch.randint(10, (8,)) for _ in range(2)]
    draws = replay(images=[pixels], labels=[of_real, *drawn], latents=z, penalty=[mix], dequantise=[noise])
    recorded = trace(players)
    told = []
    players.generator.register_forward_pre_hook(lambda _m, inputs: told.append(inputs[1]))
    losses = CONDITIONAL.iterate(small, players, 0, draws)
    assert draws.exhausted
    # The critic's fakes, in two halves, have the classes of the real images; the generator's are drawn.
    assert [t.tolist() for t in told] == [c.tolist() for c in (*of_real.chunk(2), *drawn)]

    real = pixels / 128 - 1 + noise / 128
    fake = torch.cat(recorded.generated[:2])
    critic = build(CONDITIONAL, small).critic.double()
    critic.load_state_dict(first)
    on_real, logits = value_and_logits(critic, real)
    between = (mix[:, None, None, None] * fake + (1 - mix)[:, None, None, None] * real).requires_grad_(True)
    (slope,) = torch.autograd.grad(value_and_logits(critic, between)[0].sum(), between, create_graph=True)
    penalty = (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
    class_loss = -torch.stack([logits[i].log_softmax(0)[c] for i, c in enumerate(of_real)]).mean()
    wasserstein = value_and_logits(critic, fake)[0].mean() - on_real.mean()
    (wasserstein + 10 * penalty + 1.0 * class_loss).backward()
    (step,) = recorded.critic_steps
    for name, p in critic.named_parameters():
        torch.testing.assert_close(step.gradients[name], p.grad, msg=name)
    for name, expected in (
        ("critic", wasserstein),
        ("gradient_penalty", penalty),
        ("class_of_real", class_loss),
    ):
        torch.testing.assert_close(losses[name], expected.detach())
    # By hand: d CE / d bias of the class head = mean of softmax − one-hot, over the real images alone.
    by_hand = (logits.softmax(1) - F.one_hot(of_real, 10)).mean(0).detach()
    torch.testing.assert_close(step.gradients["classify.bias"], by_hand)

    generator = build(CONDITIONAL, small).generator.double()
    generator.load_state_dict(step.other_state)
    critic.load_state_dict(step.state)
    fakes = torch.cat([generator(z[1], drawn[0]), generator(z[2], drawn[1])])
    value, logits = value_and_logits(critic, fakes)
    class_loss = F.nll_loss(logits.log_softmax(1), torch.cat(drawn))
    (-value.mean() + 0.1 * class_loss).backward()
    (step,) = recorded.generator_steps
    for name, p in generator.named_parameters():
        torch.testing.assert_close(step.gradients[name], p.grad, msg=name)
    torch.testing.assert_close(losses["generator"], -value.mean().detach())
    torch.testing.assert_close(losses["class_of_fake"], class_loss.detach())


def test_an_undecided_class_head_costs_log_10(small):
    critic = build(CONDITIONAL, small).critic
    nn.init.zeros_(critic.classify.weight)
    out = critic(torch.randn(3, 3, 32, 32), torch.tensor([0, 5, 9]))
    torch.testing.assert_close(out[:, 1], torch.full((3,), math.log(10)))


def test_conditional_learning_rates_fall_like_the_unconditional_ones(synthetic):
    players = build(CONDITIONAL, device="meta")
    CONDITIONAL.iterate(CONDITIONAL.settings, players, 25_000, synthetic(CONDITIONAL, device="meta"))
    assert players.critic_optimiser.param_groups[0]["lr"] == pytest.approx(1.5e-4, rel=1e-9)
    assert players.generator_optimiser.param_groups[0]["lr"] == pytest.approx(2e-4 * (1 - 0.25001), rel=1e-9)
