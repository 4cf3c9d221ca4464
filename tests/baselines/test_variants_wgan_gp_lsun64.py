"""WGAN-GP on LSUN bedrooms: the 64-pixel ResNets and the norms in their critic.

There are no golden vectors of these networks (of their layers there are); what they compute is checked
against the formulas written out here.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import layers
from baselines.variants import wgan_gp, wgan_gp_lsun64

BY_NAME = {e.name.partition("/")[2]: e for e in wgan_gp.EXPERIMENTS if e.name.startswith("wgan_gp/lsun64")}
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


def test_lsun64_says_that_it_is_not_in_figure_2():
    for experiment in BY_NAME.values():
        assert "none of Fig. 2's seven" in experiment.title


@pytest.mark.parametrize("norm", wgan_gp_lsun64.NORMS)
def test_normed_down_block_is_the_written_out_one(norm):
    block = layers.NormedDownBlock(4, 6, wgan_gp_lsun64.NORMS[norm])
    assert block.conv1.bias is None
    assert block.conv1.out_channels == 4
    x = torch.randn(3, 4, 8, 8)

    def normed(y):
        if norm == "none":
            return y
        over = (1, 2, 3) if norm == "layer" else (0, 2, 3)
        variance, mean = torch.var_mean(y, over, correction=0, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    h = F.conv2d(F.relu(normed(x)), block.conv1.weight, padding=1)
    h = F.conv2d(F.relu(normed(h)), block.conv2.weight, block.conv2.bias, padding=1)
    expected = F.avg_pool2d(h, 2) + F.conv2d(F.avg_pool2d(x, 2), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("lsun64", nn.GroupNorm), ("lsun64-no-norm", None), ("lsun64-batch-norm", nn.BatchNorm2d)],
)
def test_norms_of_the_large_critic(name, kind):
    players = build(BY_NAME[name], device="meta")
    assert [type(m) for m in modules(players.critic, NORMS)] == ([kind] * 8 if kind else [])
    assert len(modules(players.generator, nn.BatchNorm2d)) == 9
    unbiased = [name for name, m in players.critic.named_modules() if getattr(m, "bias", 0) is None]
    assert unbiased == [f"blocks.{i}.conv1" for i in range(4)]


@pytest.mark.parametrize(
    ("name", "depends"), [("lsun64", False), ("lsun64-no-norm", False), ("lsun64-batch-norm", True)]
)
def test_only_batch_norm_makes_a_critics_value_depend_on_other_images(revise, name, depends):
    """Why not batch norm: the penalty is on the gradient of f at one image."""
    experiment = BY_NAME[name]
    critic = build(experiment, revise(experiment.settings, width=4)).critic
    x = torch.randn(4, 3, 64, 64).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x)[0], x)
    assert bool(gradient[1:].any()) == depends


def test_initial_weights_of_the_large_networks():
    players = build(wgan_gp_lsun64.LSUN64)
    plain = {"project", "enter", "value", "shortcut"}
    for network in (players.generator, players.critic):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                found = layer.weight.detach().abs().max()
                layers.init_glorot(layer)
                ratio = 1 if name.rsplit(".", 1)[-1] in plain else 2**0.5
                assert found / layer.weight.detach().abs().max() == pytest.approx(ratio, rel=0.06), name
