"""WGAN against WassersteinGAN's own numbers: three clipped critic steps, a generator step, the schedule."""

import pytest

from baselines import wgan
from baselines.variants import wgan as variants

# size → places of (convolution, norm) pairs in the author's order of layers
GENERATOR_LAYERS = {
    32: ["0", "1", "3", "4", "6", "7", "9"],
    64: ["0", "1", "3", "4", "6", "7", "9", "10", "12"],
}
CRITIC_LAYERS = {32: ["0", "2", "3", "5", "6", "8"], 64: ["0", "2", "3", "5", "6", "8", "9", "11"]}


def names(vectors, network, places):
    """Author's name → ours; layers come in the same order. The author's critic is −f."""
    layers = list(dict.fromkeys(n.rsplit(".", 1)[0] for n in vectors.spec if n.startswith(f"{network}/")))
    mapping = {}
    for layer, place in zip(layers, places, strict=True):
        last = network == "D" and place == places[-1]
        mapping[f"{layer}.weight"] = (f"layers.{place}.weight", "negated" if last else "same")
        if "batchnorm" in layer:
            for part in ("bias", "running_mean", "running_var"):
                mapping[f"{layer}.{part}"] = (f"layers.{place}.{part}", "same")
    return mapping


def loadable(mapping):
    return {theirs: place for theirs, place in mapping.items() if ".running" not in theirs}


@pytest.mark.parametrize("size", [32, 64])
def test_three_critic_steps_and_a_generator_step(golden, double_players, replay, trace, revise, size):
    vectors = golden(f"wgan_dcgan{size}_f64")
    generator_names = names(vectors, "G", GENERATOR_LAYERS[size])
    critic_names = names(vectors, "D", CRITIC_LAYERS[size])
    settings = revise(wgan.LSUN64.settings, batch=4, critic_schedule="constant", critic_steps=3)
    players = double_players(
        wgan.build, settings, (3, size, size), vectors, loadable(generator_names), loadable(critic_names)
    )
    recorded = trace(players)
    draws = replay(
        images=[(vectors.input(f"x{i}") + 1) * 127.5 for i in (1, 2, 3)],
        latents=[vectors.input(f"z{i}").flatten(1) for i in (1, 2, 3, 4)],
    )
    losses = wgan.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["critic"] * 3 + ["generator"]

    vectors.check("G/fake_z1", recorded.generated[0], 1e-9)
    for i, step in enumerate(recorded.critic_steps):
        real, fake = recorded.critic_outputs[2 * i : 2 * i + 2]
        vectors.check(f"c{i + 1}/errD_real", -real.mean(), 1e-9)
        vectors.check(f"c{i + 1}/errD_fake", -fake.mean(), 1e-9)
        vectors.check(f"c{i + 1}/errD", fake.mean() - real.mean(), 1e-9)
        gradient_names = loadable(critic_names)
        vectors.check_all(f"c{i + 1}/grad/", step.gradients, gradient_names, 1e-9, common_scale=True)
        vectors.check_all(f"c{i + 1}/after/", step.state, critic_names, 1e-9)
    vectors.check("c3/errD", losses["critic"], 1e-9)

    vectors.check("g/errG", losses["generator"], 1e-9)
    vectors.check("g/fake_z4", recorded.generated[3], 1e-9)
    (step,) = recorded.generator_steps
    vectors.check_all("g/grad/", step.gradients, loadable(generator_names), 1e-9, common_scale=True)
    vectors.check_all("g/after/", step.state, generator_names, 1e-9)
    vectors.check_all("g/after/", players.critic.state_dict(), critic_names, 1e-9)


@pytest.mark.parametrize(("file", "values", "gradients"), [("f64", 1e-9, 1e-9), ("f32", 3e-5, 1e-4)])
def test_mlps(golden, double_players, replay, trace, revise, file, values, gradients):
    """States are compared in float64 alone: RMSprop turns rounding of a first gradient into a full step."""
    vectors = golden(f"wgan_mlp64_{file}")
    generator_names, critic_names = ({}, {})
    for place in (0, 2, 4, 6):
        for part in ("weight", "bias"):
            ours = f"layers.{place}.{part}"
            generator_names[f"G/main.{place}.{part}"] = (ours, "same")
            critic_names[f"D/main.{place}.{part}"] = (ours, "negated" if place == 6 else "same")
    settings = revise(variants.LSUN64_MLP_MLP.settings, batch=4, critic_schedule="constant", critic_steps=3)
    assert (settings.learning_rate, settings.clip, settings.clip_when) == (5e-5, 0.01, "before")
    players = double_players(
        variants.LSUN64_MLP_MLP.build, settings, (3, 64, 64), vectors, generator_names, critic_names
    )
    recorded = trace(players)
    draws = replay(
        images=[(vectors.input(f"x{i}") + 1) * 127.5 for i in (1, 2, 3)],
        latents=[vectors.input(f"z{i}").flatten(1) for i in (1, 2, 3, 4)],
    )
    losses = variants.LSUN64_MLP_MLP.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["critic"] * 3 + ["generator"]

    vectors.check("G/fake_z1", recorded.generated[0], values)
    for i, step in enumerate(recorded.critic_steps):
        real, fake = recorded.critic_outputs[2 * i : 2 * i + 2]
        scale = max(real.abs().max(), fake.abs().max()).item()
        for name, value in (("errD_real", -real), ("errD_fake", -fake)):
            vectors.check(f"c{i + 1}/{name}", value.mean(), values, scale)
        vectors.check(f"c{i + 1}/errD", fake.mean() - real.mean(), values, scale)
        vectors.check_all(f"c{i + 1}/grad/", step.gradients, critic_names, gradients, common_scale=True)
        if file == "f64":
            vectors.check_all(f"c{i + 1}/after/", step.state, critic_names, values)
    vectors.check("c3/errD", losses["critic"], values, scale)

    vectors.check("g/errG", losses["generator"], values, scale)
    vectors.check("g/fake_z4", recorded.generated[3], values)
    (step,) = recorded.generator_steps
    vectors.check_all("g/grad/", step.gradients, generator_names, gradients, common_scale=True)
    if file == "f64":
        vectors.check_all("g/after/", step.state, generator_names, values)
        vectors.check_all("g/after/", players.critic.state_dict(), critic_names, values)


def test_rmsprop_is_the_authors(golden):
    alpha, eps, momentum, centered = golden("wgan_dcgan64_f64").result("rmsprop_defaults").tolist()
    for optimiser in (
        wgan.build(wgan.DIGITS.settings, (1, 32, 32), None).generator_optimiser,
        wgan.build(wgan.DIGITS.settings, (1, 32, 32), None).critic_optimiser,
    ):
        (group,) = optimiser.param_groups
        assert (group["alpha"], group["eps"], group["momentum"]) == (alpha, eps, momentum)
        assert group["centered"] == bool(centered)
        assert group["lr"] == 5e-5


def test_critic_schedule(golden):
    vectors = golden("wgan_schedule")
    iterations = vectors.result("gen_iteration").int().tolist()
    expected = vectors.result("Diters").int().tolist()
    assert iterations == list(range(2001))
    assert [wgan.critic_steps(wgan.LSUN64.settings, k) for k in iterations] == expected


def test_critic_updates_are_the_running_sum_of_the_schedule(golden):
    total = 0
    for k, steps in enumerate(golden("wgan_schedule").result("Diters").int().tolist()):
        assert wgan.critic_updates(wgan.LSUN64.settings, k) == total
        total += steps
