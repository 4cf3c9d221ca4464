"""What the contract says of an iteration that does more than to train, and that it leaves no trace of it."""

import functools
import itertools
import os
import random
import sys
import threading
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

import ganbench
from benchmark.training import contract
from benchmark.training.contract import process

SHAPE = (1, 4, 4)
COUNT = {"n": 0}
CACHE = {}
NUMBERS = itertools.count()


def build(s, shape, mean_image):
    generator = nn.Sequential(nn.Linear(s.latent, 16), nn.Tanh(), nn.Unflatten(1, SHAPE))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    return ganbench.Players(generator, critic, *(SGD(p.parameters(), lr=0.01) for p in (generator, critic)))


def step(s, p, draws):
    real = draws.images() / 127.5 - 1
    critic = (p.critic(p.generator(draws.latent(s.batch)).detach()) - p.critic(real)).mean()
    descend(critic, p.critic, p.critic_optimiser)
    generator = p.critic(p.generator(draws.latent(s.batch))).square().mean()
    descend(generator, p.generator, p.generator_optimiser)
    return {"critic": critic.detach(), "generator": generator.detach()}


def descend(loss, network, optimiser):
    weights = list(network.parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
    optimiser.step()
    optimiser.zero_grad()


def doing(extra):
    """An experiment whose iteration does something more, with (losses, players, k, draws)."""

    def iterate(s, p, k, draws):
        losses = step(s, p, draws)
        return losses if (other := extra(losses, p, k, draws)) is None else other()

    return of(iterate)


def of(iterate, build=build):
    return ganbench.Experiment(
        name="mine/digits",
        dataset="digits",
        image_shape=SHAPE,
        settings=ganbench.settings(batch=4, latent=8),
        build=build,
        iterate=iterate,
    )


def faults(experiment):
    return {f.check: f.what for f in contract.examine(experiment) if not f.ok}


def test_a_plain_iteration_has_no_fault():
    assert faults(doing(lambda *_: None)) == {}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: torch.set_grad_enabled(False), "torch.set_grad_enabled"),
        (lambda: torch.set_default_dtype(torch.float64), "torch.set_default_dtype"),
        (lambda: torch.set_num_threads(3), "torch.set_num_threads"),
        (lambda: torch.use_deterministic_algorithms(False), "torch.use_deterministic_algorithms"),
        (lambda: os.chdir("/"), "os.chdir"),
    ],
)
def test_a_switch_that_stays_turned_is_told_once_and_turned_back(call, name):
    torch.use_deterministic_algorithms(True)
    before = {name: get() for name, (get, _) in process._SWITCHES.items()}

    def turning(losses, p, k, draws):
        call()

    found = list(contract.examine(doing(turning)))
    assert {name: get() for name, (get, _) in process._SWITCHES.items()} == before
    told = [f for f in found if f.what.startswith(f"{name} is called")]
    assert [f.ok for f in told] == [False]
    assert told[0].where.startswith("test_contract.py:")
    torch.use_deterministic_algorithms(False)
    assert faults(doing(lambda *_: None)) == {}


def test_a_thread_that_is_left_is_told():
    end = threading.Event()
    try:
        found = faults(doing(lambda *_: threading.Thread(target=end.wait).start()))
        assert [what for what in found.values() if what.startswith("a thread is left running")]
        assert faults(doing(lambda *_: threading.Thread(target=end.wait, daemon=True).start())) == {}
    finally:
        end.set()


def counting_global(losses, p, k, draws):
    COUNT["n"] += 1


def counting_default(losses, p, k, draws, seen=[]):  # noqa: B006
    seen.append(k)


def counting_attribute(losses, p, k, draws):
    counting_attribute.calls = getattr(counting_attribute, "calls", 0) + 1


def counting_iterator(losses, p, k, draws):
    next(NUMBERS)


class Holder:
    """Holds a number for all."""

    calls = 0


def counting_class(losses, p, k, draws):
    Holder.calls += 1


@pytest.mark.parametrize(
    ("held", "change"),
    [
        (np.zeros(2000), lambda held: np.add.at(held, 1000, 1)),
        (torch.Generator(), lambda held: torch.rand(1, generator=held)),
        (np.random.default_rng(0), lambda held: held.random()),
        (random.Random(0), lambda held: held.random()),
        (Holder(), lambda held: vars(held).update(n=vars(held).get("n", 0) + 1)),
        (deque(range(3), maxlen=3), lambda held: held.rotate()),
        (nn.Linear(1, 1), lambda held: held.weight.data.add_(1)),
        ([{"a": (0, [])}], lambda held: held[0]["a"][1].append(0)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_objects_of_a_module_hold_is_told(held, change, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "HELD", held, raising=False)

    def changing(losses, p, k, draws):
        change(held)

    assert "the variable HELD changes with every G-iteration" in " ".join(process.variables(doing(changing)))


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        (counting_global, "the variable COUNT"),
        (counting_default, "a default of counting_default"),
        (counting_attribute, "what counting_attribute holds"),
        (counting_iterator, "the variable NUMBERS"),
        (counting_class, "the class Holder"),
    ],
)
def test_what_is_held_outside_of_the_players_is_told_though_it_acts_late(extra, what):
    [said] = process.variables(doing(extra))
    assert said == f"{what} changes with every G-iteration, and is in no checkpoint: keep it in Players.more"


def test_a_variable_of_a_closure_is_told():
    state = torch.zeros(1)

    def iterate(s, p, k, draws):
        state.add_(1)
        return step(s, p, draws)

    assert [x[:22] for x in faults(of(iterate)).values()] == ["the variable state of "]
    given = functools.partial(lambda s, p, k, draws, more: (more.append(k), step(s, p, draws))[1], more=[])
    assert "resume" not in faults(of(given))


def test_what_the_first_iterations_fill_is_no_state():
    def filling(losses, p, k, draws):
        CACHE.setdefault(k % 2, torch.ones(3))

    CACHE.clear()
    assert list(process.variables(doing(filling))) == []


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (lambda losses: None, "iterate returns None, not a dict of losses"),
        (lambda losses: {n: x.item() for n, x in losses.items()}, "the loss 'critic' is of type float"),
        (lambda losses: {n: torch.ones(3) for n in losses}, "the loss 'critic' has the shape [3]"),
    ],
)
def test_losses_of_another_kind_are_told_once_and_for_what_they_are(returned, says):
    found = faults(doing(lambda losses, *_: lambda: returned(losses)))
    assert [what for what in found.values() if says in what] == list(found.values())
    assert len(found) == 1


def test_what_no_checkpoint_can_hold_is_told_with_its_name():
    def counting(losses, p, k, draws):
        p.more["n"] = 1

    [said] = faults(doing(counting)).values()
    assert "Players.more['n'] is of type int: give an object with state_dict and load_state_dict" in said


def test_an_iteration_that_ends_the_process_or_returns_nan_is_a_fault_like_others():
    def leaving(*_):
        raise SystemExit("bye")

    assert faults(doing(leaving)) == {"counts": "SystemExit: bye"}
    nan = faults(doing(lambda losses, *_: lambda: {n: x * float("nan") for n, x in losses.items()}))
    assert "not finite" in nan["training"]
    assert "determinism" not in nan


def test_what_comes_late_is_found_where_the_speed_is_measured():
    def failing(losses, p, k, draws):
        if k == 7:
            raise ValueError("attention")

    def other(losses, p, k, draws):
        return (lambda: losses | {"gp": losses["critic"]}) if k == 9 else None

    late, names = (contract.measured(doing(extra)) for extra in (failing, other))
    assert (late.check, late.what, late.ok) == ("training", "ValueError: attention (at G-iteration 7)", False)
    assert "iterate returns the losses critic, generator, gp after critic, generator (at G-it" in names.what
    assert contract.measured(doing(lambda *_: None)) > 0


def test_what_an_iteration_prints_is_no_output_of_a_command(capsys):
    assert faults(doing(lambda *_: print("hello"))) == {}
    said = capsys.readouterr()
    assert said.out == ""
    assert "hello" in said.err


def test_dropout_is_named_and_leaves_the_gradients_unjudged():
    def with_dropout(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.critic.insert(1, nn.Dropout(0.5))
        return players

    findings = {
        f.check: f for f in contract.examine(of(lambda s, p, k, draws: step(s, p, draws), with_dropout))
    }
    assert "is drawn by nn.Dropout: draws.keep gives masks" in findings["determinism"].what
    assert (findings["gradients"].ok, findings["gradients"].only_note) == (True, True)


def test_real_images_that_are_overwritten_are_no_longer_taken_for_those_that_were_drawn():
    def overwriting(s, p, k, draws):
        return step(s, p, SimpleNamespace(images=lambda: draws.images().zero_(), latent=draws.latent))

    [note] = (f for f in contract.examine(of(overwriting)) if f.check == "scaling")
    assert "no real minibatch reaches the critic as it is" in note.what


def test_weights_that_are_frozen_on_the_way_are_told_where_a_run_is_continued():
    def with_more(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.more["judge"] = nn.Linear(1, 1)
        return players

    def iterate(s, p, k, draws):
        if k == 1:
            p.more["judge"].requires_grad_(False)
        return step(s, p, draws)

    (what,) = contract.CHECKS["resume"][0](of(iterate, with_more))
    assert "other requires_grad in more.judge" in what
