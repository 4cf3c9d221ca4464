"""Mixed precision: where bfloat16 is used and where not, resumed bit by bit, apart from faithful runs."""

import pytest
import torch
from torch import nn

import baselines
from benchmark.errors import UserError
from benchmark.records import devices, identity
from benchmark.suites import Suite
from benchmark.suites.spec import spec_without_seed
from benchmark.training import checkpoint, mixed, sampling

DIGITS = ("gan/digits", "dcgan/digits", "wgan/digits", "wgan_gp/digits", "sngan/digits")
FIRST_OF_FIVE = [DIGITS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in DIGITS[1:])]


@pytest.fixture
def run(make_trainer):
    return lambda name, folder, **options: make_trainer(
        name, folder, **{"kind": mixed.MixedTrainer, "budget": 3, "evaluate_at": [0, 3], **options}
    )


@pytest.mark.parametrize("name", FIRST_OF_FIVE)
def test_stopped_and_resumed_is_the_uninterrupted_run(name, run, resumed_bitwise, tmp_path):
    whole = resumed_bitwise(run, name, tmp_path)
    assert {x.dtype for x in checkpoint.tensors_of(whole.players).values()} <= {torch.float32, torch.int64}


@pytest.mark.parametrize("name", FIRST_OF_FIVE)
def test_it_begins_like_the_faithful_run_and_goes_on_near_it(name, run, make_trainer, never, tmp_path):
    one, other = (
        run(name, tmp_path / "mixed"),
        make_trainer(name, tmp_path / "faithful", budget=3, evaluate_at=[0]),
    )
    one.run(never)
    other.run(never)
    assert one.state.curve[0]["scores"] == other.state.curve[0]["scores"]
    losses = [trainer.losses.rows(0, 1)[0] for trainer in (one, other)]
    assert losses[0] != losses[1]
    for player, loss in losses[1].items():
        # bfloat16 has 8 significant bits; WGAN-GP's penalty is a square times 10
        assert losses[0][player] == pytest.approx(loss, rel=0.1, abs=0.05)


@pytest.mark.parametrize("first", ["mixed", "faithful"])
def test_a_checkpoint_of_the_other_profile_is_passed_over(first, run, make_trainer, stop_after, tmp_path):
    makers = {"mixed": run, "faithful": make_trainer}
    before = makers.pop(first)("wgan_gp/digits", tmp_path, budget=3)
    before.run(stop_after(before, 2))
    ((_, other),) = makers.items()
    after = other("wgan_gp/digits", tmp_path, budget=3)
    assert after.state.gen_iters == 0
    name = "bf16-mixed" if first == "mixed" else "faithful"
    assert f"profile {name}" in after.watcher.of("checkpoint_unusable")[0]["reason"]


class Twice(nn.Module):
    """Calls itself, and returns what it saw inside."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x, again=True):
        if again:
            _, inner = self(x, again=False)
            y = self.linear(x)
            return y, {"inner": inner["outer"], "outer": y.dtype}
        y = self.linear(x)
        return y, {"outer": y.dtype}


def test_forward_passes_are_in_bfloat16_and_nothing_else_is():
    net, x = Twice(), torch.ones(3, 2)
    with mixed.forward_passes("cpu"):
        y, inside = net(x)
        assert not torch.is_autocast_enabled("cpu")
        assert nn.functional.linear(x, net.linear.weight).dtype == torch.float32
        y.square().sum().backward()
        bilinear = nn.MSELoss()(y @ x.T, torch.zeros(3, 3))
    assert inside == {"inner": torch.bfloat16, "outer": torch.bfloat16}
    assert {y.dtype, bilinear.dtype, net.linear.weight.grad.dtype} == {torch.float32}
    assert net(x)[1]["outer"] == torch.float32


def test_a_forward_pass_that_fails_leaves_nothing_behind():
    net = nn.Linear(2, 2)
    with mixed.forward_passes("cpu"):
        with pytest.raises(RuntimeError):
            net(torch.ones(3, 5))
        assert not torch.is_autocast_enabled("cpu")
        assert net(torch.ones(1, 2)).dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")


def test_weights_are_cast_anew_after_every_step():
    net, x = nn.Linear(1, 1, bias=False), torch.ones(1, 1)
    with mixed.forward_passes("cpu"):
        before = net(x).item()
        with torch.no_grad():
            net.weight += 1
        assert net(x).item() == pytest.approx(before + 1, abs=0.02)


def test_images_that_are_scored_are_made_in_float32(run, never, tmp_path):
    trainer = run("dcgan/digits", tmp_path)
    trainer.run(never)
    experiment, generator = baselines.get("dcgan/digits"), trainer.players.scored
    seen = []
    generator.register_forward_hook(lambda *given: seen.append(given[2].dtype))
    sampling.evaluation_images(experiment, generator, 0, 8)
    assert seen == [torch.float32]


def test_a_mixed_run_has_an_identity_of_its_own_and_leaves_that_of_others():
    suite = Suite("s", "", ("gan/digits",), (0,), 10, 5, ("digits-2k",))
    faithful, other = (
        {**spec_without_seed(suite.revised(numerics=profile), "gan/digits", "cpu"), "seed": 0}
        for profile in ("faithful", "bf16-mixed")
    )
    assert identity.cell_id(faithful) != identity.cell_id(other)
    assert identity.profile(other["numerics"]) == "bf16-mixed"
    assert set(other["sources"]) - set(faithful["sources"]) == {"benchmark/training/mixed.py"}
    machine = {"device": "a"}
    ids = [identity.env_id(machine, spec["numerics"]) for spec in (faithful, other)]
    assert ids[0] == ids[1]


def test_a_gpu_without_bfloat16_is_refused_in_a_line(monkeypatch):
    monkeypatch.setattr(devices, "why_no_gpu", lambda: "")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    suite = Suite("s", "", ("gan/digits",), (0,), 10, 5, (), numerics="bf16-mixed")
    with pytest.raises(UserError, match="Tesla T4 computes no bfloat16") as error:
        spec_without_seed(suite, "gan/digits", "cuda")
    assert "--numerics faithful" in error.value.do
    spec_without_seed(suite, "gan/digits", "cpu")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    devices.check_bfloat16("cuda")
