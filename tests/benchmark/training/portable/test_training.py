"""Runs in the profile: resumed bit by bit, never mixed with faithful ones, divergence as there."""

import math

import pytest
import torch

from benchmark.training import checkpoint

BUDGET = 4


@pytest.fixture
def run(make_trainer):
    return lambda name, folder, **options: make_trainer(
        name, folder, budget=BUDGET, **{"portable": True, "evaluate_at": [0, BUDGET], **options}
    )


@pytest.mark.parametrize("name", [pytest.param("wgan/digits", marks=pytest.mark.slow), "wgan_gp/digits"])
def test_stopped_and_resumed_is_the_uninterrupted_run(name, run, resumed_bitwise, tmp_path):
    resumed_bitwise(run, name, tmp_path)


def test_the_layout_in_memory_changes_no_bit_of_a_run(run, bits_of, never, tmp_path):
    found = []
    for layout in (torch.channels_last, torch.contiguous_format):
        one = run("dcgan/digits", tmp_path / str(layout), evaluator=False)
        one.players.generator.to(memory_format=layout)
        one.players.critic.to(memory_format=layout)
        one.run(never)
        found.append(bits_of(one))
    assert found[0].tensors == found[1].tensors
    assert found[0].losses == found[1].losses


def test_a_checkpoint_of_the_other_profile_is_passed_over(run, stop_after, tmp_path):
    faithful = run("wgan_gp/digits", tmp_path, portable=False)
    faithful.run(stop_after(faithful, 2))
    state, _ = checkpoint.read(checkpoint.available(tmp_path / "checkpoints")[0])
    assert state["numerics"] == "faithful"
    portable = run("wgan_gp/digits", tmp_path)
    assert portable.state.gen_iters == 0
    assert "profile faithful" in portable.watcher.of("checkpoint_unusable")[0]["reason"]


def test_divergence_is_dated_as_in_the_faithful_profile_and_its_nan_has_one_pattern(run, never, tmp_path):
    dated = []
    for portable in (True, False):
        one = run("wgan_gp/digits", tmp_path / str(portable), portable=portable, evaluate_at=[0])
        forward = one.draws.at

        def poisoned(k, one=one, forward=forward):
            if k == 2:
                next(one.players.critic.parameters()).data[0] = -math.inf
            return forward(k)

        one.draws.at = poisoned
        assert one.run(never) == "diverged"
        dated.append(one.state.diverged_at)
        if portable:
            last = torch.stack([column[-1] for column in one.losses.columns().values()])
            patterns = last[last.isnan()].view(torch.int32)
            assert len(patterns)
            assert (patterns == 0x7FC00000).all()
    assert dated == [3, 3]
