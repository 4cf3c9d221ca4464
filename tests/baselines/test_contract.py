"""What every registered experiment keeps to, whatever its method and whoever wrote it."""

import copy
import math
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

import baselines
from benchmark.training import contract
from benchmark.training.contract.tools import PAST_WARM_UP
from benchmark.training.quantise import to_uint8

PLUGIN = Path(__file__).with_name("plugin")
"""A third party's installed distribution."""


def declared():
    """Names without the variants that suites of other tests have registered in this process."""
    return [name for name in baselines.names() if baselines.variant(name) is None]


def registered():
    """Every experiment of the registry while the third party's distribution is on the path."""
    sys.path.append(str(PLUGIN))
    baselines._found.cache_clear()
    try:
        return [baselines.get(name) for name in declared()]
    finally:
        sys.path.remove(str(PLUGIN))
        baselines._found.cache_clear()


EXPERIMENTS = registered()
DIGITS = [e for e in EXPERIMENTS if e.dataset == "digits"]


def by_name(experiments):
    return pytest.mark.parametrize("experiment", experiments, ids=lambda e: e.name)


def build(experiment, device):
    with torch.device(device):
        return experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )


# --- Declarations -------------------------------------------------------------------------------------


def test_third_party_is_held_to_the_contract():
    assert [e.name for e in EXPERIMENTS if e.baseline == "tiny"] == ["tiny/digits"]
    assert len(EXPERIMENTS) == len(declared()) + 1


@by_name(EXPERIMENTS)
def test_every_setting_has_a_source(experiment):
    settings = experiment.settings
    assert set(settings.sources) == set(settings.values())
    for name, source in settings.sources.items():
        assert source.where.strip(), name
        assert source.confidence in ("high", "medium", "low", "suite"), name


@by_name(EXPERIMENTS)
def test_image_range_and_shape_suit_the_networks(experiment):
    channels, height, width = experiment.image_shape
    low, high = experiment.image_range
    assert channels in (1, 3)
    if (height, width) == (1, 2):  # points of the plane, not images
        assert low == -high < 0
    else:
        assert height == width
        symmetric = hasattr(experiment.settings, "contrast_norm") and low == -high < 0
        assert (low, high) in ((0.0, 1.0), (-1.0, 1.0)) or symmetric


# --- The contract -------------------------------------------------------------------------------------

FULL_SIZE = ("declarations", "statistics", "optimisers")
"""Checks that compute nothing, and so can have networks of any size."""
UNBOUNDED = ("gan/cifar10-", "wgan/lsun64-mlp", "wgan/lsun64-gan-mlp", "wgan_gp/toy-")
"""Generators that end in a linear layer."""


_CODE = {(e.iterate, e.build): e.name for e in reversed(EXPERIMENTS)}
FIRST_OF_ITS_CODE = [
    e if _CODE[e.iterate, e.build] == e.name else pytest.param(e, marks=pytest.mark.slow) for e in EXPERIMENTS
]
"""Those that differ from one of these by values alone train in `tox -e slow`."""


def is_joint(experiment):
    """Both gradients are taken from one forward pass before either network steps."""
    return experiment.baseline == "gan" and experiment.name != "gan/mnist-printed"


def found(experiment, check):
    return list(contract.CHECKS[check][0](experiment))


OF_THEIR_OWN = {"device", "gradients", "range", "resume", "scaling", "variables"}
"""Checks with tests elsewhere, that of the device in `test_stand_in.py`."""


@by_name(EXPERIMENTS)
@pytest.mark.parametrize("check", [*FULL_SIZE, "shapes"])
def test_contract_is_kept(experiment, check, reduced):
    assert found(experiment if check in FULL_SIZE else reduced(experiment), check) == []


@by_name(FIRST_OF_ITS_CODE)
@pytest.mark.parametrize("check", sorted(set(contract.CHECKS) - OF_THEIR_OWN - {*FULL_SIZE, "shapes"}))
def test_contract_is_kept_in_training(experiment, check, reduced):
    assert found(reduced(experiment), check) == []


@by_name({e.iterate: e for e in EXPERIMENTS}.values())
def test_no_module_of_ours_holds_what_goes_on_changing(experiment, reduced):
    assert found(reduced(experiment), "variables") == []


@by_name(EXPERIMENTS)
def test_a_note_says_that_outputs_can_be_clipped(experiment, reduced):
    notes = found(reduced(experiment), "range")
    assert all(isinstance(note, contract.Note) for note in notes)
    assert bool(notes) == experiment.name.startswith(UNBOUNDED)


@by_name({e.iterate: e for e in EXPERIMENTS}.values())
def test_a_note_says_that_gradients_are_of_one_pass(experiment, reduced):
    notes = found(reduced(experiment), "gradients")
    assert all(isinstance(note, contract.Note) for note in notes)
    assert bool(notes) == is_joint(experiment)


@by_name([e if e.baseline == "tiny" else pytest.param(e, marks=pytest.mark.slow) for e in EXPERIMENTS])
def test_a_continued_run_has_the_same_bits(experiment, reduced):
    assert found(reduced(experiment), "resume") == []


def test_a_tensor_on_another_device_is_noticed(synthetic):
    players = build(DIGITS[0], "meta")
    with pytest.raises(RuntimeError, match="device"):
        DIGITS[0].iterate(DIGITS[0].settings, players, 0, synthetic(DIGITS[0], device="cpu"))


# --- One G-iteration with data ------------------------------------------------------------------------


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def blind(_, __, output):
    """A forward hook: the critic says 0 to everything."""
    return tuple(part * 0 for part in output) if isinstance(output, tuple) else output * 0


OF_A_BLIND_CRITIC = {"wasserstein": 0.0, "cross-entropy": 2 * math.log(2), "hinge": 2.0}


@pytest.mark.slow
@by_name([e for e in EXPERIMENTS if e.baseline != "tiny"])
def test_the_critics_loss_is_what_loss_curves_take_it_for(experiment, synthetic, reduced):
    kind = experiment.critic_loss(experiment.settings)
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    players.critic.register_forward_hook(blind)
    losses = experiment.iterate(experiment.settings, players, PAST_WARM_UP, synthetic(experiment))
    assert losses["critic"].item() == pytest.approx(kind.scale * OF_A_BLIND_CRITIC[kind.kind], abs=1e-5)


def weights(state, network):
    return {name: state[name] for name, _ in network.named_parameters()}


def clipped(settings, player, weights):
    """Weights after a step of the player, where clipping follows the critic's step."""
    bound = getattr(settings, "clip", 0)
    if player == "generator" or not bound or getattr(settings, "clip_when", "after") == "before":
        return weights
    only_convolutions = not hasattr(settings, "clip_when")
    return {
        name: w if only_convolutions and w.dim() != 4 else w.clamp(-bound, bound)
        for name, w in weights.items()
    }


def limited(settings, weights):
    """Weights after the last step, where it is followed by a bound on those into each linear unit."""
    bound = getattr(settings, "max_column_norm", 0)
    norms = {name: w.norm(dim=1, keepdim=True) for name, w in weights.items() if bound and w.dim() == 2}
    return {
        name: w * (norms[name].clamp(max=bound) / (1e-7 + norms[name])) if name in norms else w
        for name, w in weights.items()
    }


@by_name(FIRST_OF_ITS_CODE)
def test_each_step_touches_only_its_own_network(experiment, synthetic, trace, reduced):
    joint = is_joint(experiment)
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    networks = {"critic": players.critic, "generator": players.generator}
    # Weights and gradients that the last step of each network left behind.
    left = {name: copy.deepcopy(weights(n.state_dict(), n)) for name, n in networks.items()}
    gradients = {"critic": {}, "generator": {}}
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, synthetic(experiment))

    for step in recorded.steps:
        other = "critic" if step.player == "generator" else "generator"
        assert_same(weights(step.other_state, networks[other]), left[other])
        if not joint:
            assert_same(step.other_gradients, gradients[other])
        own = weights(step.state, networks[step.player])
        left[step.player] = clipped(experiment.settings, step.player, own)
        gradients[step.player] = step.gradients
    for name, network in networks.items():
        assert_same(weights(network.state_dict(), network), limited(experiment.settings, left[name]))
        assert_same({k: p.grad for k, p in network.named_parameters()}, gradients[name])
        assert all(p.requires_grad for p in network.parameters())


@by_name([e for e in DIGITS if e.baseline == "sngan"])
def test_generator_step_advances_only_u_in_the_critic(experiment, synthetic, trace, reduced):
    experiment = reduced(experiment)
    players = build(experiment, "cpu")
    before = {name: value.clone() for name, value in players.critic.state_dict().items()}
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    after = recorded.generator_steps[0].other_state
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith(".u")}


# --- Latents and images -------------------------------------------------------------------------------


@by_name(FIRST_OF_ITS_CODE)
def test_real_images_come_back_from_what_the_critic_sees(experiment, synthetic, trace, reduced):
    """Pixels → the experiment's scaling → `to_uint8` with its `image_range` → the same pixels."""
    experiment = reduced(experiment)
    players, draws, pixels = build(experiment, "cpu"), synthetic(experiment), []
    hand_out, noise = draws.images, Mock(wraps=draws.uniform)
    draws.uniform = noise

    def images():
        pixels.append(hand_out())
        return pixels[-1]

    draws.images = images
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, PAST_WARM_UP, draws)
    if not pixels:
        pytest.skip("data are drawn, not loaded")
    dequantised = any(call.args[0] == "dequantise" for call in noise.call_args_list)
    low, high = experiment.image_range

    def comes_back(real, x):
        if hasattr(experiment.settings, "contrast_norm"):  # all but brightness and contrast
            return torch.allclose(standardised(real.float()), standardised(x), atol=1e-4)
        error = (to_uint8(x, low, high).int() - real.int()).abs()
        if dequantised:
            floor = ((x - low) / (high - low) * 256).floor()
            return bool(error.max() <= 1) and torch.equal(floor, real.float())
        return not error.any()

    seen = [any(comes_back(real, x) for x in recorded.critic_inputs) for real in pixels]
    assert sum(seen) == len(recorded.critic_steps)


def standardised(images):
    """Every image less its mean, over its standard deviation."""
    x = images.flatten(1)
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
