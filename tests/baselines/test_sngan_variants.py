"""SN-GAN's further experiments: settings A–F, the constraints compared in Table 2, STL-10, sizes."""

import dataclasses

import pytest
import torch
from torch import nn

from baselines import layers, losses, sngan
from baselines.variants import sngan as variants
from baselines.variants import sngan_comparisons as comparisons

BY_NAME = {e.name.removeprefix("sngan/"): e for e in variants.EXPERIMENTS}
ROWS = {e.name.removeprefix("sngan/cifar10-cnn-"): e for e in comparisons.COMPARISONS}
SPECTRAL = [e for e in variants.EXPERIMENTS if e not in comparisons.COMPARISONS]
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def by_name(experiments):
    return pytest.mark.parametrize("experiment", experiments, ids=lambda e: e.name)


def built(experiment, device="meta"):
    with torch.device(device):
        return experiment.build(experiment.settings, experiment.image_shape, None)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


@pytest.fixture
def narrow(revise):
    """A row of Table 2 on an eighth of its channels, with batches of 4."""

    def make(row):
        settings = revise(ROWS[row].settings, width=8, critic_width=8, batch=4, generator_batch=4)
        return dataclasses.replace(ROWS[row], settings=settings)

    return make


# --- Which experiments there are ----------------------------------------------------------------------


def test_names():
    assert set(BY_NAME) == {
        "cifar10-cnn-standard",
        *(f"cifar10-cnn-{letter}" for letter in "abdef"),  # c is cifar10-cnn-standard
        "cifar10-cnn-cgl",
        "cifar10-resnet-100k",
        "stl10-cnn",
        "stl10-resnet",
        *(f"cifar10-cnn-{row}" for row in ("clip", "gan-gp", "wgan-gp", "bn", "ln", "wn", "orthonormal")),
    }
    assert not any(e.headline for e in variants.EXPERIMENTS)


# wgan_gp-sngan.md 3.4 (Table 1)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar10-cnn-a", (1e-4, 0.5, 0.9, 5)),
        ("cifar10-cnn-b", (1e-4, 0.5, 0.999, 1)),
        ("cifar10-cnn-standard", (2e-4, 0.5, 0.999, 1)),
        ("cifar10-cnn-d", (1e-3, 0.5, 0.9, 5)),
        ("cifar10-cnn-e", (1e-3, 0.5, 0.999, 5)),
        ("cifar10-cnn-f", (1e-3, 0.9, 0.999, 5)),
        ("stl10-cnn", (1e-4, 0.5, 0.999, 1)),
        ("stl10-resnet", (2e-4, 0.0, 0.9, 5)),
        ("cifar10-cnn-wgan-gp", (1e-4, 0.5, 0.9, 5)),
        ("cifar10-cnn-gan-gp", (2e-4, 0.5, 0.999, 1)),
    ],
)
def test_optimiser_settings(name, expected):
    s = BY_NAME[name].settings
    assert (s.learning_rate, s.beta1, s.beta2, s.critic_steps) == expected
    for optimiser in (built(BY_NAME[name]).generator_optimiser, built(BY_NAME[name]).critic_optimiser):
        (group,) = optimiser.param_groups
        assert (group["lr"], *group["betas"]) == expected[:3]


def test_settings_differ_in_nothing_but_the_optimiser():
    standard = BY_NAME["cifar10-cnn-standard"].settings.values()
    for letter in "abdef":
        values = BY_NAME[f"cifar10-cnn-{letter}"].settings.values()
        changed = {name for name in values if values[name] != standard[name]}
        assert changed <= {"learning_rate", "beta1", "beta2", "critic_steps"}


@by_name(comparisons.COMPARISONS)
def test_a_rows_unprinted_setting_is_said_to_be_unconfirmed(experiment):
    for name in ("learning_rate", "beta1", "beta2", "critic_steps"):
        source = experiment.settings.sources[name]
        assert source.confidence == "low"
        assert "unconfirmed" in source.where
    letter = "A" if experiment.name.endswith("wgan-gp") else "C"
    assert f"optimiser setting {letter}" in [d.what for d in experiment.deviations]


def test_paper_and_released_budget_of_the_resnet():
    paper, released = BY_NAME["cifar10-resnet-100k"], sngan.CIFAR10_RESNET
    assert (paper.budget.gen_iters, released.budget.gen_iters) == (100_000, 50_000)
    for k, share in ((0, 1.0), (25_000, 0.5), (50_000, 0.0)):
        assert sngan.learning_rate(released.settings, k) == pytest.approx(2e-4 * share)
        assert sngan.learning_rate(paper.settings, k) == 2e-4


# --- Sizes --------------------------------------------------------------------------------------------


# wgan_gp-sngan.md 3.1 and 3.2; offsets of the norms: 64 + 2·(128 + 256) + 512.
@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("cifar10-cnn-standard", 3_812_355, 2_935_873),
        ("cifar10-cnn-f", 3_812_355, 2_935_873),
        ("cifar10-cnn-cgl", 3_828_739, 5_860_865),
        ("cifar10-resnet-100k", 4_276_739, 1_053_824),
        *((f"cifar10-cnn-{row}", 3_812_355, 2_935_873) for row in ("clip", "gan-gp", "wgan-gp", "wn")),
        ("cifar10-cnn-orthonormal", 3_812_355, 2_935_873),
        ("cifar10-cnn-bn", 3_812_355, 2_935_873 + 1344),
        ("cifar10-cnn-ln", 3_812_355, 2_935_873 + 1344),
        # 6×6 instead of 4×4 features at the dense layers
        ("stl10-cnn", 3_812_355 + 20 * 512 * 129, 2_935_873 + 20 * 512),
    ],
)
def test_parameter_counts(name, generator, critic):
    players = built(BY_NAME[name])
    assert (parameters(players.generator), parameters(players.critic)) == (generator, critic)


def test_cgl_critic():
    players = built(BY_NAME["cifar10-cnn-cgl"])
    widths = [m.out_channels for m in modules(players.critic, nn.Conv2d)]
    assert widths == [64, 128, 128, 256, 256, 512, 512]
    assert {m.negative_slope for m in modules(players.critic, nn.LeakyReLU)} == {0.2}
    assert len(modules(players.generator, nn.BatchNorm1d)) == 1
    s = BY_NAME["cifar10-cnn-cgl"].settings
    assert (s.prior, s.loss, s.dequantise) == ("uniform", "standard", False)


@pytest.mark.parametrize("name", ["stl10-cnn", "stl10-resnet"])
def test_stl_shapes(name):
    experiment = BY_NAME[name]
    players = built(experiment)
    z = torch.zeros(2, 128, device="meta")
    images = players.generator(z)
    assert experiment.image_shape == (3, 48, 48)
    assert images.shape == (2, 3, 48, 48)
    assert players.critic(images).shape == (2,)
    assert (players.generator.widest, players.generator.side) == (512, 6)


def test_stl_resnet_blocks_are_table_5s():
    players = built(BY_NAME["stl10-resnet"])
    x = torch.zeros(2, 3, 48, 48, device="meta")
    seen = []
    for block in players.critic.blocks:
        x = block(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3), (1024, 3, 3)]
    h = torch.zeros(2, 512, 6, 6, device="meta")
    seen = []
    for block in players.generator.blocks:
        h = block(h)
        seen.append(tuple(h.shape[1:]))
    assert seen == [(256, 12, 12), (128, 24, 24), (64, 48, 48)]


def test_blocks_that_change_the_width():
    x = torch.randn(2, 4, 6, 6)
    down, flat = (kind(4, layers.plain_conv, 7) for kind in (layers.DownBlock, layers.FlatBlock))
    relu, pool = nn.functional.relu, nn.functional.avg_pool2d
    residual = down.conv2(relu(down.conv1(relu(x))))
    torch.testing.assert_close(down(x), pool(residual, 2) + pool(down.shortcut(x), 2))
    torch.testing.assert_close(flat(x), flat.shortcut(x) + flat.conv2(relu(flat.conv1(relu(x)))))
    assert flat.shortcut.kernel_size == (1, 1)


# --- What constrains the critic -----------------------------------------------------------------------


@by_name(SPECTRAL)
def test_spectral_norm_is_the_only_norm_of_its_critics(experiment):
    critic = built(experiment).critic
    assert all(isinstance(m, layers.SNConv2d | layers.SNLinear) for m in modules(critic, WEIGHTED))
    assert not [m for m in critic.modules() if "Norm" in type(m).__name__]


@by_name(comparisons.COMPARISONS)
def test_comparisons_have_no_spectral_norm(experiment):
    players = built(experiment)
    assert not modules(players.critic, layers._SpectralNorm)
    widths = [m.out_channels for m in modules(players.critic, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512]


@pytest.mark.parametrize(
    ("row", "kind"), [("bn", nn.BatchNorm2d), ("ln", nn.GroupNorm), ("clip", None), ("wn", None)]
)
def test_norms_have_offsets_and_no_scale(row, kind):
    critic = built(ROWS[row]).critic
    norms = [m for m in critic.modules() if "Norm" in type(m).__name__]
    assert {type(m) for m in norms} == ({kind} if kind else set())
    assert not [p for m in norms for p in m.parameters()]
    # after every convolution but the first
    assert len(norms) == len(modules(critic, comparisons.Offset)) == (6 if kind else 0)
    assert isinstance(critic.layers[1], nn.LeakyReLU)


def test_layer_norm_is_per_sample():
    norm = comparisons.layer_norm(3)
    x = 5 * torch.randn(4, 3, 6, 6) + 2
    y = norm(x)
    torch.testing.assert_close(y.flatten(1).mean(1), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(y.flatten(1).std(1, correction=0), torch.ones(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(norm(x[:1]), y[:1])
    with torch.no_grad():
        norm[1].offset.copy_(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(norm(x) - y, torch.tensor([1.0, 2, 3])[:, None, None].expand_as(y))


def test_rows_of_weight_norm_have_norm_1(narrow):
    experiment = narrow("wn")
    critic = built(experiment, "cpu").critic
    for weight in comparisons.weights(critic):
        rows = comparisons.unit_rows(weight)
        assert rows.shape == weight.shape
        torch.testing.assert_close(rows.flatten(1).norm(dim=1), torch.ones(len(weight)))
    assert len(comparisons.weights(critic)) == 8
    x = torch.randn(2, *experiment.image_shape)
    before = critic(x)
    with torch.no_grad():
        for weight in comparisons.weights(critic):
            weight.mul_(7)
    torch.testing.assert_close(critic(x), before)


def test_gradient_goes_through_the_weight_norm():
    w = torch.randn(3, 2, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad((comparisons.unit_rows(w) * torch.randn(3, 2, 2, 2)).sum(), w)
    assert gradient.abs().max() > 0
    torch.testing.assert_close((gradient * w).flatten(1).sum(1), torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 2, 2, 2)])
def test_orthonormal_penalty_of_an_orthonormal_matrix_is_0(shape):
    weight = nn.init.orthogonal_(torch.empty(shape, dtype=torch.float64))
    assert losses.orthonormal_penalty([weight]).item() == pytest.approx(0, abs=1e-20)
    # (4 − 1)² for each of the singular values, 2
    rank = min(shape[0], weight[0].numel())
    assert losses.orthonormal_penalty([2 * weight, weight]).item() == pytest.approx(9 * rank)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_orthonormal_penalty_has_the_printed_formulas_gradient(shape):
    w = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    printed = (w.t() @ w - torch.eye(shape[1])).square().sum()
    ours = losses.orthonormal_penalty([w])
    assert (printed - ours).item() == pytest.approx(max(0, shape[1] - shape[0]))
    torch.testing.assert_close(torch.autograd.grad(ours, w), torch.autograd.grad(printed, w))


def test_orthonormal_critic_starts_without_penalty(narrow):
    critic = built(narrow("orthonormal"), "cpu").critic
    assert losses.orthonormal_penalty(comparisons.weights(critic)).item() == pytest.approx(0, abs=1e-8)
    assert all(not m.bias.any() for m in modules(critic, WEIGHTED))


# --- One iteration ------------------------------------------------------------------------------------


def iterated(experiment, synthetic):
    players = built(experiment, "cpu")
    with torch.no_grad():
        for m in modules(players.critic, WEIGHTED):
            m.bias.fill_(0.5)
    return players, experiment.iterate(experiment.settings, players, 0, synthetic(experiment))


def test_clipping_bounds_the_weights_of_convolutions_only(narrow, synthetic):
    players, _ = iterated(narrow("clip"), synthetic)
    for m in modules(players.critic, nn.Conv2d):
        assert m.weight.abs().max().item() == pytest.approx(0.01)
        assert m.bias.min() > 0.4
    assert players.critic.out.weight.abs().max() > 0.02


@pytest.mark.parametrize("row", [row for row in ROWS if row != "clip"])
def test_other_rows_do_not_clip(row, narrow, synthetic):
    players, _ = iterated(narrow(row), synthetic)
    assert any(m.weight.abs().max() > 0.02 for m in modules(players.critic, nn.Conv2d))


@pytest.mark.parametrize("row", ROWS)
def test_which_loss_and_penalty_a_row_has(row, narrow, synthetic, trace):
    experiment = narrow(row)
    players = built(experiment, "cpu")
    recorded = trace(players)
    reported = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    standard = (losses.standard_critic_loss, losses.non_saturating_generator_loss)
    wasserstein = (losses.wasserstein_critic_loss, losses.wasserstein_generator_loss)
    critic_loss, generator_loss = wasserstein if row == "wgan-gp" else standard
    # Outputs: G(z) of the generator's step; then real, fake and, with a penalty, between, per critic step.
    outputs = recorded.critic_outputs
    per_step = 3 if row.endswith("gp") else 2
    assert len(outputs) == 1 + experiment.settings.critic_steps * per_step
    last = outputs[-per_step:]
    torch.testing.assert_close(reported["generator"], generator_loss(outputs[0]))
    torch.testing.assert_close(reported["critic"], critic_loss(last[0], last[1]))
    penalties = {"gan-gp": {"gradient_penalty"}, "wgan-gp": {"gradient_penalty"}}
    penalties["orthonormal"] = {"orthonormal_penalty"}
    assert set(reported) == {"critic", "generator"} | penalties.get(row, set())
    assert [step.player for step in recorded.steps][:2] == ["generator", "critic"]


@pytest.mark.parametrize(
    ("row", "field"), [("gan-gp", "gradient_penalty"), ("orthonormal", "orthonormal_penalty")]
)
def test_penalty_counts_with_its_coefficient(row, field, narrow, synthetic, trace, revise):
    def gradients(coefficient):
        torch.manual_seed(1)
        experiment = narrow(row)
        players = built(experiment, "cpu")
        with torch.no_grad():
            for weight in comparisons.weights(players.critic):
                weight.mul_(3)
        recorded = trace(players)
        settings = revise(experiment.settings, **{field: coefficient})
        comparisons.comparison_step(settings, players, synthetic(experiment))
        (step,) = recorded.critic_steps
        return torch.cat([g.flatten() for n, g in step.gradients.items() if n.endswith("weight")]).double()

    small, declared, double = (gradients(c) for c in (1e-9, 1.0, 2.0))
    of_penalty = declared - small
    assert of_penalty.norm() > 1e-3 * small.norm()
    assert (double - small - 2 * of_penalty).norm() < 1e-3 * of_penalty.norm()


def test_declared_coefficients():
    assert {row: e.settings.gradient_penalty for row, e in ROWS.items() if e.settings.gradient_penalty} == {
        "gan-gp": 10,
        "wgan-gp": 10,
    }
    assert {row: e.settings.clip for row, e in ROWS.items() if e.settings.clip} == {"clip": 0.01}
    assert [row for row, e in ROWS.items() if e.settings.orthonormal_penalty] == ["orthonormal"]
    source = ROWS["orthonormal"].settings.sources["orthonormal_penalty"]
    assert source.confidence == "suite"
    assert "not printed" in source.where
