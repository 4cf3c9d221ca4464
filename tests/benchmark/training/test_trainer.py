"""The training loop: evaluations, interruptions and chunks change no bit; divergence is dated exactly."""

import math
import random

import pytest
import torch

from benchmark.errors import Stopped
from benchmark.records import identity, record
from benchmark.suites import Suite
from benchmark.suites.spec import spec_without_seed
from benchmark.training import checkpoint, sampling, trainer
from benchmark.training.trainer import Cadence

BUDGET = 12
TWO_OF_FIVE = [
    "gan/digits",
    "sngan/digits",
    *(pytest.param(f"{name}/digits", marks=pytest.mark.slow) for name in ("dcgan", "wgan", "wgan_gp")),
]


@pytest.fixture(scope="module")
def uninterrupted(make_trainer, bits_of, never, tmp_path_factory):
    """The bits of each digits experiment after `BUDGET` iterations without a single evaluation."""
    found = {}

    def of(name):
        if name not in found:
            run = make_trainer(name, tmp_path_factory.mktemp("run"), evaluate_at=[0, BUDGET])
            assert run.run(never) == "done"
            found[name] = bits_of(run)
        return found[name]

    return of


@pytest.mark.parametrize("digits_experiment", TWO_OF_FIVE)
def test_evaluating_often_or_never_trains_the_same_weights(
    digits_experiment, make_trainer, bits_of, never, uninterrupted, tmp_path
):
    often = make_trainer(digits_experiment, tmp_path / "often", evaluate_at=[0, 1, 5, 10, BUDGET])
    unseen = make_trainer(digits_experiment, tmp_path / "never", evaluator=False)
    assert often.run(never) == unseen.run(never) == "done"
    expected = uninterrupted(digits_experiment)
    assert bits_of(often).tensors == bits_of(unseen).tensors == expected.tensors
    assert bits_of(often).rest == bits_of(unseen).rest == expected.rest
    assert [often.state.curve[0]["scores"], often.state.curve[-1]["scores"]] == [
        point["scores"] for point in expected.curve
    ]


def test_stopped_and_resumed_is_the_uninterrupted_run(
    digits_experiment, make_trainer, bits_of, never, stop_after, uninterrupted, tmp_path
):
    stops = sorted(random.Random(digits_experiment).sample(range(1, BUDGET), 2))
    for stop_at in stops:
        run = make_trainer(digits_experiment, tmp_path, evaluate_at=[0, BUDGET])
        assert run.run(stop_after(run, stop_at)) == "stopped"
        assert run.state.gen_iters == stop_at
    last = make_trainer(digits_experiment, tmp_path, evaluate_at=[0, BUDGET])
    assert last.watcher.of("resumed") == [{"gen_iters": stops[-1]}]
    assert last.run(never) == "done"
    assert last.watcher.trained == list(range(stops[-1] + 1, BUDGET + 1))
    assert bits_of(last) == uninterrupted(digits_experiment)
    assert last.state.sessions == 3


class Stopping:
    """The evaluator of a run that is stopped after the first batch of the evaluation at one G-iteration."""

    def __init__(self, run, at):
        self._run, self._at, self._evaluator = run, at, run.evaluator
        self.n_generated = run.evaluator.n_generated

    def scores_of(self, batches):
        if self._run.state.gen_iters == self._at:
            next(iter(batches))
            raise Stopped
        return self._evaluator.scores_of(batches)


def test_stopped_within_an_evaluation_and_resumed_is_the_uninterrupted_run(
    make_trainer, bits_of, never, uninterrupted, tmp_path
):
    for at in (0, BUDGET):
        run = make_trainer("dcgan/digits", tmp_path, evaluate_at=[0, BUDGET])
        run.evaluator = Stopping(run, at)
        assert run.run(never) == "stopped"
        assert run.state.gen_iters == at
    last = make_trainer("dcgan/digits", tmp_path, evaluate_at=[0, BUDGET])
    assert last.watcher.of("resumed") == [{"gen_iters": BUDGET}]
    assert last.run(never) == "done"
    assert bits_of(last) == uninterrupted("dcgan/digits")


@pytest.mark.parametrize("digits_experiment", TWO_OF_FIVE)
def test_two_runs_are_equal_and_another_seed_is_not(
    digits_experiment, make_trainer, bits_of, never, uninterrupted, tmp_path
):
    again = make_trainer(digits_experiment, tmp_path / "again", evaluate_at=[0, BUDGET])
    again.run(never)
    assert bits_of(again) == uninterrupted(digits_experiment)
    other = make_trainer(digits_experiment, tmp_path / "other", seed=1, budget=0, evaluate_at=[0])
    other.run(never)
    assert bits_of(other).curve[0]["scores"] != uninterrupted(digits_experiment).curve[0]["scores"]


@pytest.mark.parametrize("chunk", [1, 5])
def test_the_size_of_a_chunk_changes_nothing(
    chunk, make_trainer, bits_of, never, uninterrupted, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "CHUNK", chunk)
    run = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET])
    run.run(never)
    assert bits_of(run) == uninterrupted("gan/digits")


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        (Cadence(wall_s=0.0), [*range(1, 13), 12]),
        (Cadence(gen_iters=4), [4, 8, 12, 12]),
        (Cadence(wall_s=math.inf), [12]),
    ],
)
def test_checkpoints_in_between_change_nothing(
    cadence, expected, make_trainer, bits_of, never, uninterrupted, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "CHUNK", 5)
    run = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET], cadence=cadence)
    run.run(never)
    written = [e["gen_iters"] for e in run.watcher.of("checkpoint")]
    assert written == expected
    assert run.state.checkpoints == len(written)
    assert run.state.checkpoint_bytes == max(p.stat().st_size for p in (tmp_path / "checkpoints").iterdir())
    assert bits_of(run) == uninterrupted("gan/digits")


def test_global_generators_stay_where_they_are(digits_experiment, make_trainer, never, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run = make_trainer(digits_experiment, tmp_path, budget=2, evaluate_at=[0, 2], evaluator=False)
    run.run(never)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_evaluation_leaves_modes_and_statistics_alone(digits_experiment, make_trainer, never, tmp_path):
    run = make_trainer(digits_experiment, tmp_path, budget=1)
    run.run(never)
    players = run.players
    tensors = checkpoint.digest(checkpoint.tensors_of(players))
    gradients = [p.grad.clone() for p in players.generator.parameters()]
    sampling.evaluation_images(run.experiment, players.generator, 0, 200)
    assert checkpoint.digest(checkpoint.tensors_of(players)) == tensors
    assert all(module.training for module in players.generator.modules())
    assert all(torch.equal(p.grad, g) for p, g in zip(players.generator.parameters(), gradients, strict=True))


def test_the_curve_has_a_point_per_evaluation(make_trainer, never, tmp_path):
    run = make_trainer("wgan_gp/digits", tmp_path, budget=4, evaluate_at=[0, 2, 4])
    run.run(never)
    settings, experiment = run.experiment.settings, run.experiment
    assert [point["gen_iters"] for point in run.state.curve] == [0, 2, 4]
    assert [point["critic_updates"] for point in run.state.curve] == [
        experiment.critic_updates(settings, k) for k in (0, 2, 4)
    ]
    assert [point["images_seen"] for point in run.state.curve] == [
        settings.batch * experiment.real_batches(settings, k) for k in (0, 2, 4)
    ]
    assert run.state.curve[0]["losses"] is None
    assert run.state.curve[1]["losses"] == run.first_losses()[1]
    columns = run.losses.columns()
    assert run.first_losses() == [{name: columns[name][k].item() for name in columns} for k in range(4)]
    assert run.watcher.of("evaluated") == run.state.curve
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in run.state.samples)


@pytest.mark.parametrize("budget", [0, 1])
def test_the_smallest_budgets_are_runs_too(budget, make_trainer, never, tmp_path):
    run = make_trainer("gan/digits", tmp_path, budget=budget, evaluate_at=sorted({0, budget}))
    assert run.run(never) == "done"
    assert run.watcher.trained == list(range(1, budget + 1))
    assert [point["gen_iters"] for point in run.state.curve] == list(range(budget + 1))
    again = make_trainer("gan/digits", tmp_path, budget=budget, evaluate_at=sorted({0, budget}))
    assert again.run(never) == "done"
    assert again.state.curve == run.state.curve
    assert [len(column) for column in again.losses.columns().values()] == [1, 1] * budget


# --- Damaged checkpoints ------------------------------------------------------------------------------


def interrupted_twice(make_trainer, stop_after, folder):
    for stop_at in (4, 7):
        run = make_trainer("gan/digits", folder, evaluate_at=[0, BUDGET])
        run.run(stop_after(run, stop_at))
    return sorted((folder / "checkpoints").iterdir())


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_costs_the_time_since_the_one_before(
    make_trainer, bits_of, never, stop_after, uninterrupted, tmp_path
):
    _, newest = interrupted_twice(make_trainer, stop_after, tmp_path)
    damage(newest)
    run = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET])
    (event,) = run.watcher.of("checkpoint_unusable")
    assert event["file"] == newest.name
    assert "SHA-256" in event["reason"]
    assert run.watcher.of("resumed") == [{"gen_iters": 4}]
    run.run(never)
    assert bits_of(run) == uninterrupted("gan/digits")


def test_only_damaged_checkpoints_cost_everything_but_stop_nothing(
    make_trainer, bits_of, never, stop_after, uninterrupted, tmp_path
):
    for path in interrupted_twice(make_trainer, stop_after, tmp_path):
        damage(path)
    first = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET])
    assert first.state.gen_iters == 0
    assert first.run(stop_after(first, 2)) == "stopped"
    second = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET])
    assert second.watcher.of("resumed") == [{"gen_iters": 2}]
    second.run(never)
    assert bits_of(second) == uninterrupted("gan/digits")


def test_a_checkpoint_of_another_state_layout_is_passed_over(make_trainer, stop_after, tmp_path):
    run = make_trainer("gan/digits", tmp_path)
    run.run(stop_after(run, 2))
    checkpoint.write(tmp_path / "checkpoints", run.players, {"gen_iters": 3, "mood": "good"})
    later = make_trainer("gan/digits", tmp_path)
    assert "mood" in later.watcher.of("checkpoint_unusable")[0]["reason"]
    assert later.state.gen_iters == 2


# --- Divergence ---------------------------------------------------------------------------------------


def diverging(make_trainer, folder, at, **options):
    """A run whose critic weights become NaN before G-iteration `at` (counted from 1)."""
    run = make_trainer("gan/digits", folder, **options)
    forward = run.draws.at

    def poisoned(k):
        if k == at - 1:
            next(run.players.critic.parameters()).data.fill_(torch.nan)
        return forward(k)

    run.draws.at = poisoned
    return run


@pytest.mark.parametrize("at", [1, 3, 5])
def test_divergence_is_dated_to_its_iteration(at, make_trainer, never, tmp_path):
    run = diverging(make_trainer, tmp_path, at, evaluate_at=[0, 5, 10, BUDGET])
    assert run.run(never) == "diverged"
    assert run.state.diverged_at == at
    assert run.watcher.trained == list(range(1, 6))
    assert [point["gen_iters"] for point in run.state.curve] == [0]
    assert [event["gen_iters"] for event in run.watcher.of("diverged")] == [at]
    assert len(run.first_losses()) == at
    assert None in run.last_losses().values()
    for column in run.losses.columns().values():
        assert column.isfinite()[:-1].all()
        assert len(column) == at
    assert not run.losses.columns()["critic"][-1].isfinite()


def test_a_diverged_run_does_not_go_on_when_started_again(make_trainer, never, tmp_path):
    run = diverging(make_trainer, tmp_path, 3, evaluate_at=[0, 5, BUDGET])
    run.run(never)
    again = make_trainer("gan/digits", tmp_path, evaluate_at=[0, 5, BUDGET])
    assert again.run(never) == "diverged"
    assert again.watcher.trained == []
    assert (again.state.diverged_at, again.state.curve) == (3, run.state.curve)


def test_a_generator_with_nan_diverges_at_the_evaluation(make_trainer, never, tmp_path):
    run = make_trainer("gan/digits", tmp_path, evaluate_at=[0, BUDGET])
    next(run.players.generator.parameters()).data.fill_(torch.nan)
    assert run.run(never) == "diverged"
    assert run.state.diverged_at == 0
    assert run.watcher.trained == []
    assert run.state.curve == []
    assert run.state.samples == {}


@pytest.mark.parametrize("stop_at", [3, 4, 5])
def test_the_record_of_a_divergence_does_not_depend_on_interruptions(
    stop_at, make_trainer, never, stop_after, tmp_path, monkeypatch
):
    whole = diverging(make_trainer, tmp_path / "whole", 4, evaluate_at=[0, BUDGET])
    assert whole.run(never) == "diverged"
    monkeypatch.setattr(trainer, "CHUNK", 2)
    parted = diverging(make_trainer, tmp_path / "parted", 4, evaluate_at=[0, BUDGET])
    if parted.run(stop_after(parted, stop_at)) == "stopped":
        parted = diverging(make_trainer, tmp_path / "parted", 4, evaluate_at=[0, BUDGET])
        assert parted.run(never) == "diverged"
    assert comparable(parted) == comparable(whole)


def comparable(run):
    suite = Suite("s", "", ("gan/digits",), (0,), BUDGET, BUDGET, ("digits-2k",))
    spec = {**spec_without_seed(suite, "gan/digits", "cpu"), "seed": 0}
    content = record.build(
        spec,
        env_id="e",
        state=vars(run.state),
        real_data={},
        weights={
            name: checkpoint.digest(getattr(run.players, name).state_dict())
            for name in ("generator", "critic")
        },
        losses=checkpoint.digest(run.losses.columns()),
        first_losses=run.first_losses(),
        peak_memory_mib=0.0,
        provenance={},
    )
    return identity.canonical(record.comparable_part(content))


@pytest.mark.parametrize("fids", [(3.0, 2.0, 1.0), (3.0, 1.0, 2.0), (1.0, 2.0, 3.0)])
def test_the_result_is_the_last_evaluation_whether_or_not_it_is_the_best(fids):
    suite = Suite("s", "", ("gan/digits",), (0,), 2, 1, ("digits-2k",))
    curve = [{"gen_iters": k, "scores": {"digits-2k": {"fid": fid}}} for k, fid in enumerate(fids)]
    content = record.build(
        {**spec_without_seed(suite, "gan/digits", "cpu"), "seed": 0},
        env_id="e",
        state=vars(trainer.State(gen_iters=2, curve=curve)),
        real_data={},
        weights={},
        losses="",
        first_losses=[],
        peak_memory_mib=0.0,
        provenance={},
    )
    assert content["final"] == {"gen_iters": 2, "scores": {"digits-2k": {"fid": fids[-1]}}}


# --- Initial state ------------------------------------------------------------------------------------


def test_initial_weights_depend_on_the_seed_alone(digits_experiment, make_trainer, tmp_path):
    torch.manual_seed(1)
    first = make_trainer(digits_experiment, tmp_path / "a")
    torch.manual_seed(2)
    second = make_trainer(digits_experiment, tmp_path / "b")
    other = make_trainer(digits_experiment, tmp_path / "c", seed=1)
    digests = [checkpoint.digest(t.players.generator.state_dict()) for t in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("n", [1, 4096, 5000])
def test_the_mean_image_is_exact_whatever_the_number_of_images(n):
    images = torch.randint(256, (n, 1, 2, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    exact = images.to(torch.int64).sum(0).double() / n / 255
    assert torch.equal(trainer._mean_image(images), exact.float())
