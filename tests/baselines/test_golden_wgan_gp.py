"""WGAN-GP, and DCGAN and WGAN on CIFAR-10, against improved_wgan_training's own numbers (float32 files)."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from baselines import dcgan, layers, losses, wgan, wgan_gp
from baselines.optimisers import EpsHatAdam, TensorFlowRMSprop
from baselines.variants import wgan_gp as variants
from baselines.variants import wgan_gp_conditional as conditional


def layer_names(theirs, ours, weight="Filters", bias="Biases", axes="tensorflow"):
    return {f"{theirs}.{weight}": (f"{ours}.weight", axes), f"{theirs}.{bias}": (f"{ours}.bias", "same")}


def linear_names(theirs, ours):
    return layer_names(theirs, ours, "W", "b", "transposed")


def norm_names(theirs, ours):
    return layer_names(theirs, ours, "scale", "offset", "same")


CIFAR_GENERATOR = linear_names("Generator.Input", "project")
for theirs, ours in (("2", "up1"), ("3", "up2"), ("5", "up3")):
    CIFAR_GENERATOR |= layer_names(f"Generator.{theirs}", ours)
for i in (1, 2, 3):
    CIFAR_GENERATOR |= norm_names(f"Generator.BN{i}", f"norm{i}")

PENALISED_CRITIC = linear_names("Discriminator.Output", "value")
for i in (1, 2, 3):
    PENALISED_CRITIC |= layer_names(f"Discriminator.{i}", f"down{i}")
NORMALISED_CRITIC = (
    PENALISED_CRITIC | norm_names("Discriminator.BN2", "norm2") | norm_names("Discriminator.BN3", "norm3")
)

RESNET_GENERATOR = (
    linear_names("Generator.Input", "project")
    | norm_names("Generator.OutputN", "norm")
    | layer_names("Generator.Output", "out")
)
for i in (1, 2, 3):
    theirs, ours = f"Generator.{i}", f"blocks.{i - 1}"
    RESNET_GENERATOR |= norm_names(f"{theirs}.N1", f"{ours}.norm1") | norm_names(
        f"{theirs}.N2", f"{ours}.norm2"
    )
    for layer in ("Conv1", "Conv2", "Shortcut"):
        RESNET_GENERATOR |= layer_names(f"{theirs}.{layer}", f"{ours}.{layer.lower()}")
RESNET_CRITIC = linear_names("Discriminator.Output", "value")
for i in (1, 2, 3, 4):
    for layer in ("Conv1", "Conv2", "Shortcut") if i < 3 else ("Conv1", "Conv2"):
        RESNET_CRITIC |= layer_names(f"Discriminator.{i}.{layer}", f"blocks.{i - 1}.{layer.lower()}")

CONDITIONAL_GENERATOR = dict(RESNET_GENERATOR)
for i in (1, 2, 3):
    for norm in ("1", "2"):
        for theirs, ours in (("scale", "gains"), ("offset", "offsets")):
            place = (f"blocks.{i - 1}.norm{norm}.{ours}", "same")
            CONDITIONAL_GENERATOR[f"Generator.{i}.N{norm}.{theirs}"] = place
CONDITIONAL_CRITIC = RESNET_CRITIC | linear_names("Discriminator.ACGANOutput", "classify")

SHAPE = (3, 32, 32)
VALUES = 1e-5
"""Float32 rounding of recorded values, and of gradients before the first update."""
GRADIENTS = 1e-4
"""Of gradients after an update, which carries the rounding of the weights."""


SCALES = 10.0 ** -torch.arange(12, dtype=torch.float64)
"""Elements of the optimisers' gradients get ever smaller, so that ε shows."""


def images(vectors, name):
    return vectors.input(name).reshape(-1, *SHAPE)


def check_weights(vectors, prefix, step, names, learning_rate):
    """Weights after a step, to a fiftieth of the learning rate plus float32 rounding.

    Adam turns a gradient of pure rounding noise into a full step of arbitrary sign, so only weights whose
    gradient is at least a thousandth of the largest are compared.
    """
    largest = max(g.abs().max() for g in step.gradients.values())
    compared = 0
    for theirs, (ours, axes) in names.items():
        gradient, _ = vectors.elements(f"{prefix}{theirs}", step.gradients[ours], axes)
        weight, expected = vectors.elements(f"{prefix}{theirs}", step.state[ours], axes)
        sure = np.abs(gradient) > 1e-3 * largest.item()
        compared += sure.sum()
        np.testing.assert_allclose(
            weight[sure], expected[sure], rtol=0, atol=0.02 * learning_rate + 2e-7, err_msg=theirs
        )
    assert compared > 300


def check_penalised(vectors, s, critic, real, fake, mix):
    """The critic's values, slopes and costs, evaluated apart from any update."""
    real_value, fake_value = critic(real), critic(fake)
    each = torch.stack(
        [
            losses.gradient_penalty(critic, *(x[i : i + 1] for x in (real, fake, mix))).detach()
            for i in range(len(real))
        ]
    )
    slopes = vectors.result(f"{s}/slopes")
    atol = GRADIENTS * slopes.max().item()
    np.testing.assert_allclose(each.sqrt(), (slopes - 1).abs(), rtol=0, atol=atol, err_msg=f"{s}/slopes")
    penalty = losses.gradient_penalty(critic, real, fake, mix)
    cost = losses.wasserstein_critic_loss(real_value, fake_value) + 10 * penalty
    vectors.check(f"{s}/disc_real", real_value, VALUES)
    return fake_value, penalty, cost


def critic_states(recorded):
    """The critic as it was in the file's steps s2 and s3."""
    return [step.state for step in recorded.critic_steps]


def test_cifar_wgan_gp(golden, double_players, replay, trace, revise):
    vectors = golden("wgangp_cifar_wgangp_f32")
    settings = revise(wgan_gp.CIFAR10_CNN.settings, batch=6, critic_steps=2)
    players = double_players(wgan_gp.build_cnn, settings, SHAPE, vectors, CIFAR_GENERATOR, PENALISED_CRITIC)
    still = copy.deepcopy(players)
    recorded = trace(players)
    z, mix = vectors.input("normal0"), vectors.input("uniform0").flatten()
    draws = replay(
        images=[images(vectors, "real_int0"), images(vectors, "real_int1")],
        latents=[z, z, z],
        penalty=[mix, mix],
    )
    reported = wgan_gp.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["critic", "critic", "generator"]

    for i, step in enumerate(recorded.critic_steps):
        s = f"s{i + 1}"
        real, fake, _ = recorded.critic_outputs[3 * i : 3 * i + 3]
        vectors.check(f"{s}/disc_real", real, VALUES)
        vectors.check(f"{s}/disc_fake", fake, VALUES)
        vectors.check(f"{s}/fake_data", recorded.generated[i], VALUES)
        vectors.check(f"{s}/interpolates", recorded.critic_inputs[3 * i + 2], VALUES)
        vectors.check_all(f"{s}/grad/", step.gradients, PENALISED_CRITIC, GRADIENTS, common_scale=True)
        check_weights(vectors, f"{s}/after/", step, PENALISED_CRITIC, settings.learning_rate)
    vectors.check("s2/gradient_penalty", reported["gradient_penalty"], VALUES)
    vectors.check("s2/disc_cost", reported["critic"] + 10 * reported["gradient_penalty"], VALUES)

    vectors.check("s3/gen_cost", reported["generator"], VALUES)
    (step,) = recorded.generator_steps
    vectors.check_all("s3/grad/", step.gradients, CIFAR_GENERATOR, VALUES, common_scale=True)
    check_weights(vectors, "s3/after/", step, CIFAR_GENERATOR, settings.learning_rate)

    real, fake = images(vectors, "real_int0"), still.generator(z).detach()
    for i, state in enumerate((copy.deepcopy(still.critic.state_dict()), *critic_states(recorded))):
        s = f"s{i + 1}"
        still.critic.load_state_dict(state)
        scaled = wgan_gp.scaled(settings, real, draws)
        fake_value, penalty, cost = check_penalised(vectors, s, still.critic, scaled, fake, mix)
        vectors.check(f"{s}/disc_cost", cost, VALUES)
        vectors.check(f"{s}/fake_data", fake, VALUES)
        vectors.check(f"{s}/interpolates", torch.lerp(scaled, fake, mix[:, None, None, None]), VALUES)
        vectors.check(f"{s}/disc_fake", fake_value, VALUES)
        vectors.check(f"{s}/gradient_penalty", penalty, VALUES)
        vectors.check(f"{s}/gen_cost", losses.wasserstein_generator_loss(fake_value), VALUES)
        real = images(vectors, "real_int1")
    assert not vectors.unread


@pytest.mark.slow
def test_cifar_wgan_gp_with_rmsprop(golden, double_players, replay, trace, revise):
    """Values and gradients of the script's mode wgan-gp; then the first step of RMSProp in closed form."""
    vectors = golden("wgangp_cifar_wgangp_f32")
    experiment = variants.CIFAR10_CNN_RMSPROP
    settings = revise(experiment.settings, batch=6, critic_steps=1)
    players = double_players(experiment.build, settings, SHAPE, vectors, CIFAR_GENERATOR, PENALISED_CRITIC)
    before = {name: p.detach().clone() for name, p in players.critic.named_parameters()}
    recorded = trace(players)
    draws = replay(
        images=[images(vectors, "real_int0")],
        latents=[vectors.input("normal0")] * 2,
        penalty=[vectors.input("uniform0").flatten()],
    )
    reported = experiment.iterate(settings, players, 0, draws)
    vectors.check("s1/disc_cost", reported["critic"] + 10 * reported["gradient_penalty"], VALUES)
    (step,) = recorded.critic_steps
    vectors.check_all("s1/grad/", step.gradients, PENALISED_CRITIC, VALUES, common_scale=True)
    for name, gradient in step.gradients.items():
        expected = before[name] - 5e-5 * gradient / (0.9 + 0.1 * gradient**2 + 1e-10).sqrt()
        torch.testing.assert_close(step.state[name], expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_cifar_dcgan(golden, double_players, replay, trace, revise):
    vectors = golden("wgangp_cifar_dcgan_f32")
    settings = revise(dcgan.CIFAR10.settings, batch=6)
    players = double_players(dcgan.build_cifar, settings, SHAPE, vectors, CIFAR_GENERATOR, NORMALISED_CRITIC)
    still = copy.deepcopy(players)
    recorded = trace(players)
    z = vectors.input("normal0")
    first = dcgan.critic_step(settings, players, replay(images=[images(vectors, "real_int0")], latents=[z]))
    second = dcgan.iterate(
        settings, players, 0, replay(images=[images(vectors, "real_int1")], latents=[z, z])
    )
    assert [step.player for step in recorded.steps] == ["critic", "critic", "generator"]

    vectors.check("s1/disc_cost", first, VALUES)
    vectors.check("s2/disc_cost", second["critic"], VALUES)
    for i, step in enumerate(recorded.critic_steps):
        s = f"s{i + 1}"
        real, fake = recorded.critic_outputs[2 * i : 2 * i + 2]
        vectors.check(f"{s}/disc_real", real, VALUES)
        vectors.check(f"{s}/disc_fake", fake, VALUES)
        vectors.check_all(f"{s}/grad/", step.gradients, NORMALISED_CRITIC, VALUES, common_scale=True)
        check_weights(vectors, f"{s}/after/", step, NORMALISED_CRITIC, settings.learning_rate)
    vectors.check("s3/gen_cost", second["generator"], VALUES)
    (step,) = recorded.generator_steps
    vectors.check_all("s3/grad/", step.gradients, CIFAR_GENERATOR, VALUES, common_scale=True)
    check_weights(vectors, "s3/after/", step, CIFAR_GENERATOR, settings.learning_rate)

    real, fake = images(vectors, "real_int0"), still.generator(z).detach()
    for i, state in enumerate((copy.deepcopy(still.critic.state_dict()), *critic_states(recorded))):
        s = f"s{i + 1}"
        still.critic.load_state_dict(state)
        real_value, fake_value = still.critic(real / 127.5 - 1), still.critic(fake)
        cost = settings.critic_loss_scale * losses.standard_critic_loss(real_value, fake_value)
        vectors.check(f"{s}/fake_data", fake, VALUES)
        vectors.check(f"{s}/disc_real", real_value, VALUES)
        vectors.check(f"{s}/disc_fake", fake_value, VALUES)
        vectors.check(f"{s}/disc_cost", cost, VALUES)
        vectors.check(f"{s}/gen_cost", losses.non_saturating_generator_loss(fake_value), VALUES)
        real = images(vectors, "real_int1")
    assert not vectors.unread


def test_cifar_wgan(golden, double_players, replay, trace, revise):
    vectors = golden("wgangp_cifar_wgan_f32")
    settings = revise(wgan.CIFAR10.settings, batch=6, critic_steps=1)
    players = double_players(wgan.build_cifar, settings, SHAPE, vectors, CIFAR_GENERATOR, NORMALISED_CRITIC)
    for network in (players.generator, players.critic):
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                # TensorFlow 1.15 raises the script's 1e-5; the 1.x of 2017 did not. It shows when clipped
                # weights make variances as small.
                module.eps = 1.001e-5
    still = copy.deepcopy(players)
    recorded = trace(players)
    z, reals = vectors.input("normal0"), [images(vectors, f"real_int{i}") for i in (0, 1)]
    draws = replay(images=reals[1:], latents=[z, z, z])
    first = wgan.critic_step(settings, players, reals[0] / 127.5 - 1, draws)
    clipped = [copy.deepcopy(players.critic.state_dict())]
    second = wgan.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["critic", "critic", "generator"]
    (generator_step,) = recorded.generator_steps
    clipped.append(generator_step.other_state)

    vectors.check("s1/disc_cost", first["critic"], VALUES)
    vectors.check("s2/disc_cost", second["critic"], VALUES)
    vectors.check("s3/gen_cost", second["generator"], VALUES)
    for i, step in enumerate(recorded.critic_steps):
        s = f"s{i + 1}"
        vectors.check_all(f"{s}/grad/", step.gradients, NORMALISED_CRITIC, VALUES, common_scale=True)
        vectors.check_all(f"{s}/after/", clipped[i], NORMALISED_CRITIC, 1e-6)
    vectors.check_all("s3/grad/", generator_step.gradients, CIFAR_GENERATOR, VALUES, common_scale=True)
    vectors.check_all("s3/after/", generator_step.state, CIFAR_GENERATOR, 1e-6)

    fake = still.generator(z).detach()
    for i, state in enumerate((copy.deepcopy(still.critic.state_dict()), *clipped)):
        s = f"s{i + 1}"
        still.critic.load_state_dict(state)
        real_value, fake_value = still.critic(reals[min(i, 1)] / 127.5 - 1), still.critic(fake)
        vectors.check(f"{s}/fake_data", fake, VALUES)
        vectors.check(f"{s}/disc_real", real_value, VALUES)
        vectors.check(f"{s}/disc_fake", fake_value, VALUES)
        vectors.check(f"{s}/disc_cost", losses.wasserstein_critic_loss(real_value, fake_value), VALUES)
        vectors.check(f"{s}/gen_cost", losses.wasserstein_generator_loss(fake_value), VALUES)
    assert not vectors.unread


def test_cifar_resnet(golden, double_players, replay, trace, revise):
    vectors = golden("wgangp_resnet_uncond_f32")
    settings = revise(wgan_gp.CIFAR10_RESNET.settings, batch=8, critic_steps=1)
    players = double_players(wgan_gp.build_resnet, settings, SHAPE, vectors, RESNET_GENERATOR, RESNET_CRITIC)
    still = copy.deepcopy(players)
    recorded = trace(players)
    draws = resnet_draws(vectors, replay)
    first = wgan_gp.critic_step(settings, players, wgan_gp.scaled(settings, draws.images(), draws), draws)
    second = wgan_gp.iterate(settings, players, 25_000, draws)
    assert draws.exhausted
    check_resnet_steps(vectors, recorded, (first, second), RESNET_GENERATOR, RESNET_CRITIC, settings)

    parts = [still.generator(vectors.input(f"normal{i}")).detach() for i in range(4)]
    fake, others = torch.cat(parts[:2]), torch.cat(parts[2:])
    for i, state in enumerate((copy.deepcopy(still.critic.state_dict()), *critic_states(recorded))):
        s = f"s{i + 1}"
        still.critic.load_state_dict(state)
        cost = check_resnet_values(vectors, s, settings, still.critic, fake, f"real_int{min(i, 1)}", replay)
        vectors.check(f"{s}/disc_cost", cost, VALUES)
        vectors.check(f"{s}/gen_cost", losses.wasserstein_generator_loss(still.critic(others)), VALUES)
        drawn = (10 * vectors.input("uniform3")).floor()  # this critic has no labels
        vectors.check(f"{s}/fake_labels_last", drawn, 0)
    assert not vectors.unread


@pytest.mark.slow
def test_conditional_cifar_resnet(golden, double_players, replay, trace, revise):
    vectors, experiment = golden("wgangp_resnet_cond_f32"), conditional.CIFAR10_RESNET_CONDITIONAL
    names = CONDITIONAL_GENERATOR, CONDITIONAL_CRITIC
    settings = revise(experiment.settings, batch=8, critic_steps=1)
    players = double_players(experiment.build, settings, SHAPE, vectors, *names)
    still = copy.deepcopy(players)
    recorded = trace(players)
    of_real = [vectors.input(f"labels{i}").long() for i in (0, 1)]
    drawn = [(10 * vectors.input(f"uniform{i}")).long() for i in (2, 3)]
    draws = resnet_draws(vectors, replay, [*of_real, *drawn])
    first = conditional.conditional_critic_step(settings, players, draws)
    second = experiment.iterate(settings, players, 25_000, draws)
    assert draws.exhausted
    check_resnet_steps(vectors, recorded, (first, second), *names, settings)

    def generate(labels, which):
        normals = (vectors.input(f"normal{i}") for i in which)
        return torch.cat([still.generator(*part).detach() for part in zip(normals, labels, strict=True)])

    others, classes = generate(drawn, (2, 3)), torch.cat(drawn)
    for i, state in enumerate((copy.deepcopy(still.critic.state_dict()), *critic_states(recorded))):
        s, labels = f"s{i + 1}", of_real[min(i, 1)]
        still.critic.load_state_dict(state)
        fake = generate(labels.chunk(2), (0, 1))
        cost = check_resnet_values(vectors, s, settings, still.critic, fake, f"real_int{min(i, 1)}", replay)
        real = resnet_images(vectors, settings, f"real_int{min(i, 1)}", replay)
        class_loss = still.critic(real, labels)[:, 1].mean()
        right = still.critic.classify(still.critic.features(real)).argmax(1) == labels
        vectors.check(f"{s}/disc_acgan", class_loss, VALUES)
        vectors.check(f"{s}/disc_acgan_acc", right.double().mean(), VALUES)
        vectors.check(f"{s}/disc_cost", cost + class_loss, VALUES)
        value, cross_entropy = still.critic(others, classes).unbind(1)
        gen_cost = losses.wasserstein_generator_loss(value) + 0.1 * cross_entropy.mean()
        vectors.check(f"{s}/gen_cost", gen_cost, VALUES)
        vectors.check(f"{s}/fake_labels_last", drawn[1], 0)
    assert not vectors.unread


def resnet_draws(vectors, replay, labels=()):
    """What the script drew in two critic steps and a generator step."""
    halves = torch.cat([vectors.input("normal0"), vectors.input("normal1")])
    return replay(
        images=[images(vectors, "real_int0"), images(vectors, "real_int1")],
        labels=labels,
        latents=[halves, halves, vectors.input("normal2"), vectors.input("normal3")],
        penalty=[vectors.input("uniform1").flatten()] * 2,
        dequantise=[images(vectors, "uniform0") * 128] * 2,
    )


def resnet_images(vectors, settings, name, replay):
    """A real minibatch as the critic sees it."""
    return wgan_gp.scaled(
        settings, images(vectors, name), replay(dequantise=[images(vectors, "uniform0") * 128])
    )


def check_resnet_steps(vectors, recorded, reported, generator_names, critic_names, settings):
    """What two critic steps (at 0 and 25 000) and a generator step reported and did, with classes or not."""
    assert [step.player for step in recorded.steps] == ["critic", "critic", "generator"]
    for i, (step, found) in enumerate(zip(recorded.critic_steps, reported, strict=True)):
        s = f"s{i + 1}"
        outputs = recorded.critic_outputs[3 * i : 3 * i + 3]
        real, fake, _ = (output.reshape(8, -1)[:, 0] for output in outputs)
        penalty = 10 * found["gradient_penalty"]
        vectors.check(f"{s}/real_data", recorded.critic_inputs[3 * i], VALUES)
        vectors.check(f"{s}/fake_data", torch.cat(recorded.generated[2 * i : 2 * i + 2]), VALUES)
        vectors.check(f"{s}/disc_real", real, VALUES)
        vectors.check(f"{s}/disc_wgan_fake", fake, VALUES)
        vectors.check(f"{s}/gradient_penalty_times10", penalty, VALUES)
        vectors.check(f"{s}/disc_cost", found["critic"] + penalty + found.get("class_of_real", 0), VALUES)
        vectors.check_all(f"{s}/grad/", step.gradients, critic_names, GRADIENTS, common_scale=True)
        check_weights(vectors, f"{s}/after/", step, critic_names, settings.learning_rate)
    vectors.check("s3/gen_cost", found["generator"] + 0.1 * found.get("class_of_fake", 0), VALUES)
    (step,) = recorded.generator_steps
    vectors.check_all("s3/grad/", step.gradients, generator_names, GRADIENTS, common_scale=True)
    check_weights(vectors, "s3/after/", step, generator_names, settings.learning_rate)


def check_resnet_values(vectors, s, settings, critic, fake, real_name, replay):
    """A critic's values and slopes, evaluated apart from any update; gives its cost without classes."""
    real, mix = resnet_images(vectors, settings, real_name, replay), vectors.input("uniform1").flatten()
    fake_value, penalty, cost = check_penalised(
        vectors, s, lambda x: critic.value(critic.features(x)).squeeze(1), real, fake, mix
    )
    vectors.check(f"{s}/real_data", real, VALUES)
    vectors.check(f"{s}/fake_data", fake, VALUES)
    vectors.check(f"{s}/disc_wgan_fake", fake_value, VALUES)
    vectors.check(f"{s}/disc_wgan", cost, VALUES)
    vectors.check(f"{s}/gradient_penalty_times10", 10 * penalty, VALUES)
    return cost


def batch_norm(vectors, name, kind):
    norm = kind(5)
    norm.weight.data.copy_(vectors.input(f"{name}.scale").flatten())
    norm.bias.data.copy_(vectors.input(f"{name}.offset").flatten())
    return norm


@pytest.mark.parametrize(
    ("case", "name", "make"),
    [
        ("conv5s2", "Conv5s2", lambda: layers.SameConv2d(3, 4, 5, 2)),
        ("conv3s2odd", "Conv3s2odd", lambda: layers.SameConv2d(3, 4, 3, 2)),
        ("conv3s1", "Conv3s1", lambda: layers.plain_conv(3, 4, 3)),
        ("deconv5", "Deconv5", lambda: layers.SameConvTranspose2d(4, 3)),
        ("linear", "Linear", lambda: nn.Linear(7, 5)),
        ("bn_fc", "Bnfc", lambda: nn.BatchNorm1d(5)),
        ("bn_conv_fused", "Bnconv", lambda: nn.BatchNorm2d(5)),
        ("layernorm", "Ln", lambda: layers.layer_norm(5)),
        ("cond_bn", "Cbn", lambda: layers.ConditionalBatchNorm2d(5, 3, 1e-5)),
    ],
)
def test_tflib_layers(golden, case, name, make):
    vectors = golden("wgangp_layers_f32")
    layer = make().double()
    norms = ("bn_fc", "bn_conv_fused", "layernorm")
    kind = linear_names if case == "linear" else norm_names if case in norms else layer_names
    names = {theirs: (ours[1:], axes) for theirs, (ours, axes) in kind(name, "").items()}
    if case == "cond_bn":
        names = {"Cbn.scale": ("gains", "same"), "Cbn.offset": ("offsets", "same")}
    vectors.load(layer, names)
    x = vectors.input(f"{case}/x").requires_grad_(True)
    y = layer(x, torch.tensor([0, 2, 1, 2])) if case == "cond_bn" else layer(x)
    (gradient,) = torch.autograd.grad(y, x, vectors.input(f"{case}/gy"))
    vectors.check(f"{case}/y", y, 1e-6)
    vectors.check(f"{case}/gx", gradient, 1e-6)


@pytest.mark.parametrize(
    ("case", "make"),
    [
        ("adam_1e-4_.5_.9", lambda w: EpsHatAdam([w], 1e-4, (0.5, 0.9))),
        ("adam_2e-4_0_.9", lambda w: EpsHatAdam([w], 2e-4, (0.0, 0.9))),
        ("rmsprop_5e-5", lambda w: TensorFlowRMSprop([w], 5e-5)),
    ],
)
def test_tensorflow_optimisers(golden, case, make):
    vectors = golden("wgangp_adam_f32")
    weight = nn.Parameter(vectors.input(f"{case}/w"))
    optimiser = make(weight)
    for i in range(3):
        weight.grad = vectors.input(f"{case}/g{i}") * SCALES
        optimiser.step()
        learning_rate = optimiser.param_groups[0]["lr"]
        vectors.check(f"{case}/after{i + 1}", weight, 2e-3, scale=learning_rate)
