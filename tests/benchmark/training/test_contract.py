"""What the contract says of an iteration that does more than to train, and that it leaves no trace of it."""

import copy
import functools
import itertools
import os
import random
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

import ganbench
from baselines import switches
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


def updated(s, p, draws, call=lambda network, x: network(x)):
    """As most would write it: also where weights are frozen."""
    fake, real = call(p.generator, draws.latent(s.batch)).detach(), draws.images() / 127.5 - 1
    critic = (call(p.critic, fake) - call(p.critic, real)).mean()
    ganbench.update(p.critic_optimiser, critic)
    generator = call(p.critic, call(p.generator, draws.latent(s.batch))).square().mean()
    ganbench.update(p.generator_optimiser, generator)
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
        (lambda: torch.set_float32_matmul_precision("medium"), "torch.set_float32_matmul_precision"),
        (lambda: setattr(torch.backends.cudnn, "benchmark", True), "torch.backends.cudnn.benchmark"),
    ],
)
def test_a_switch_that_stays_turned_is_told_once_and_turned_back(call, name):
    torch.use_deterministic_algorithms(True)
    before = [get() for get, _ in switches.SWITCHES.values()], Path.cwd()

    def turning(losses, p, k, draws):
        call()

    found = list(contract.examine(doing(turning)))
    assert ([get() for get, _ in switches.SWITCHES.values()], Path.cwd()) == before
    told = [f for f in found if f.what.startswith(f"{name} is changed")]
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


# --- What a network holds, and what becomes of it -----------------------------------------------------


def with_layer(layer, *, norm=False):
    """Builds players whose generator has one more layer."""

    def built(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.generator.insert(1, nn.Sequential(*([nn.BatchNorm1d(16)] if norm else []), layer()))
        return again(players)

    return built


def again(players):
    """With optimisers of the weights that the networks have come to have."""
    networks = (players.generator, players.critic)
    return ganbench.Players(*networks, *(SGD(n.parameters(), lr=0.01) for n in networks))


def plainly(s, p, k, draws):
    return step(s, p, draws)


class Counting(nn.Module):
    """Does something else after long."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def forward(self, x):
        self.n += self.training
        return x / 2 if self.n > 500 else x


class Centred(nn.Module):
    """Has a running mean that no `state_dict` has."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(16), persistent=False)

    def forward(self, x):
        if self.training:
            self.mean.lerp_(x.detach().mean(0), 0.1)
        return x - self.mean


class Hooked(nn.Linear):
    def __init__(self):
        super().__init__(16, 16)
        seen = []
        self.register_forward_hook(lambda *_: seen.append(0))


class Remembering(nn.Linear):
    """Keeps what it gave, for whoever asks for features."""

    def __init__(self):
        super().__init__(16, 16)

    def forward(self, x):
        self.features = super().forward(x)
        return self.features


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Counting, "generator.1.0.n goes on changing, and is in no checkpoint: keep it in a buffer"),
        (Centred, "other bits in generator (Sequential): generator.1.0.mean is in no checkpoint"),
        (Hooked, "the variable seen of Hooked.__init__.<locals>.<lambda> (a hook of generator.1.0) goes on"),
    ],
)
def test_what_a_module_holds_beside_its_state_is_named(layer, says):
    assert says in faults(of(plainly, with_layer(layer)))["resume"]


def test_what_a_module_overwrites_before_it_reads_it_is_no_state():
    e = of(plainly, with_layer(Remembering))
    found = [f.what for f in contract.examine(e) if f.check != "sampling" and not f.ok]
    assert found == []
    assert contract.measured(e) > 0


class Hidden(nn.Module):
    """Its layers are in no `state_dict`."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(16, 16)]

    def forward(self, x):
        return self.layers[0](x)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.constant = torch.randn(16)

    def forward(self, x):
        return x + self.constant


def test_layers_that_are_not_registered_are_told():
    found = faults(of(plainly, with_layer(Hidden)))
    assert found["optimisers"].startswith("generator.1.0.layers has weights that are not the module's")
    assert "a network built anew gives other images with the same weights" in found["sampling"]


def test_images_that_follow_from_more_than_the_weights_are_told():
    found = faults(of(plainly, with_layer(Constant)))
    assert list(found) == ["sampling"]
    assert "a network built anew gives other images with the same weights: keep" in found["sampling"]


def test_a_third_network_that_only_an_optimiser_holds_is_told():
    def with_stray(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.critic_optimiser.add_param_group({"params": [*nn.Linear(1, 1).parameters()]})
        return players

    found = faults(of(plainly, with_stray))
    assert found["optimisers"] == (
        "critic_optimiser holds 2 weights of no network: give theirs in Players.more, or register it"
    )


def averaging(copied):
    """The sampler is an average of the generator; `copied` gives its tensors."""

    def built(s, shape, mean_image):
        players = with_layer(nn.Identity, norm=True)(s, shape, mean_image)
        players.sampler = copy.deepcopy(players.generator)
        return players

    def iterate(s, p, k, draws):
        losses = step(s, p, draws)
        with torch.no_grad():
            for mean, now in zip(copied(p.sampler), copied(p.generator), strict=True):
                mean.copy_(mean.lerp(now, 0.1) if mean.is_floating_point() else now)
        return losses

    return of(iterate, built)


def test_an_average_whose_running_statistics_stay_as_they_were_is_told():
    found = faults(averaging(nn.Module.parameters))
    assert found["training"].startswith("1.0.running_mean of the sampler stays as it was built")
    assert "training" not in faults(averaging(lambda network: network.state_dict().values()))


@pytest.mark.parametrize(
    "switch", [lambda p: p.generator.eval(), lambda p: p.generator[0].requires_grad_(False)]
)
def test_modes_that_stay_switched_late_are_found_where_the_speed_is_measured(switch):
    def iterate(s, p, k, draws):
        losses = updated(s, p, draws)
        if k == 2:
            switch(p)
        return losses

    late = contract.measured(of(iterate, with_layer(nn.Identity, norm=True)))
    assert "continued at G-iteration" in late.what
    assert "(train(), eval() or requires_grad_() was called before, and is kept nowhere)" in late.what
    assert not late.ok


def replacing(name, make):
    def replace(losses, p, k, draws):
        setattr(p, name, make(p))

    return doing(replace)


def adding(losses, p, k, draws):
    p.more.setdefault("ema", copy.deepcopy(p.generator))


@pytest.mark.parametrize(
    ("experiment", "says"),
    [
        (
            replacing("generator_optimiser", lambda p: SGD(p.generator.parameters(), lr=0.01)),
            "Players.generator_optimiser is replaced by another object in iterate",
        ),
        (replacing("sampler", lambda p: copy.deepcopy(p.generator)), "Players.sampler is made in iterate"),
        (doing(adding), "Players.more.ema is made in iterate"),
        (
            replacing("encoder", lambda p: nn.Linear(1, 1)),
            "Players has no 'encoder': give it in Players.more",
        ),
    ],
)
def test_what_a_continued_run_would_not_have_is_told_once(experiment, says):
    [what] = faults(experiment).values()
    assert says in what


def test_settings_that_an_iteration_changes_are_told():
    def iterate(s, p, k, draws):
        object.__setattr__(s, "latent", 8 if k < 31 else 9)
        return step(s, p, SimpleNamespace(images=draws.images, latent=lambda n: torch.ones(n, 8)))

    assert "iterate changes settings.latent: a value that changes is a function of k" in " ".join(
        faults(of(iterate)).values()
    )


def test_other_players_that_are_trained_are_told():
    last = []

    def remembered(s, shape, mean_image):
        last[:] = [build(s, shape, mean_image)]
        return last[0]

    found = faults(of(lambda s, p, k, draws: step(s, last[0], draws), remembered))
    assert "iterate changes other players than those that it is given" in found["training"]


def test_what_depends_on_the_clock_is_told():
    began = time.time()

    def iterate(s, p, k, draws):
        p.critic_optimiser.param_groups[0]["lr"] = 0.01 if time.time() < began + 3600 else 0.001
        return step(s, p, draws)

    assert "two G-iterations of the same draws differ" in faults(of(iterate))["determinism"]


def test_a_loss_that_is_late_not_finite_is_told():
    def late(losses, p, k, draws):
        return (lambda: {n: x * float("nan") for n, x in losses.items()}) if k == 2 else None

    assert "the loss 'critic' is not finite (at G-iteration 2)" in contract.measured(doing(late)).what


@pytest.mark.parametrize(
    ("layer", "check", "says"),
    [
        (lambda: nn.utils.spectral_norm(nn.Linear(16, 16)), "sampling", "torch.nn.utils.parametrizations"),
        (lambda: nn.LazyLinear(16), "shapes", "give sizes, or call the network in build"),
    ],
)
def test_what_torch_says_is_replaced_by_what_to_do(layer, check, says):
    assert says in faults(of(plainly, with_layer(layer)))[check]


# --- Latents and classes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda z, k: 0.8 * z, "latents that are not of the prior 'normal'"),
        (lambda z, k: z.clamp(-1.5, 1.5), "latents that are not of the prior 'normal'"),
        (lambda z, k: torch.arange(32.0).view(4, 8) / 10, "the same latents in every G-iteration"),
        (lambda z, k: z[:1].expand(4, -1), "minibatches of one and the same latents"),
    ],
)
def test_latents_that_are_not_those_of_scores_are_told_of_small_networks_too(change, says):
    def iterate(s, p, k, draws):
        return step(s, p, SimpleNamespace(images=draws.images, latent=lambda n: change(draws.latent(n), k)))

    assert says in faults(of(iterate))["latents"]


def test_networks_may_be_called_with_names():
    class Named(nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x)

    def named(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.generator, players.critic = Named(players.generator), Named(players.critic)
        return again(players)

    def iterate(s, p, k, draws):
        return updated(s, p, draws, lambda network, x: network(x=x))

    assert faults(of(iterate, named)) == {}


def test_codes_of_another_network_beside_latents_are_no_fault():
    def with_encoder(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.more["encoder"] = nn.Sequential(nn.Flatten(), nn.Linear(16, s.latent))
        players.generator_optimiser.add_param_group({"params": [*players.more["encoder"].parameters()]})
        return players

    def iterate(s, p, k, draws):
        real = draws.images() / 127.5 - 1
        p.generator_optimiser.zero_grad()
        (p.generator(5 * p.more["encoder"](real)) - real).square().mean().backward()
        p.generator_optimiser.step()
        return step(s, p, SimpleNamespace(images=lambda: (real + 1) * 127.5, latent=draws.latent))

    e = of(iterate, with_encoder)
    assert list(contract.CHECKS["latents"][0](e)) == []
    assert list(contract.CHECKS["optimisers"][0](e)) == []


class Conditional(nn.Module):
    def __init__(self, network, n, ignores=False, clipped=-1):
        super().__init__()
        self.network, self.of_class = network, nn.Embedding(3, n)
        self.ignores, self.clipped = ignores, clipped

    def forward(self, x, classes):
        images = self.network(x.flatten(1) + (0 if self.ignores else self.of_class(classes)))
        return (
            images if self.clipped < 0 else images * (1 + 99 * (classes == self.clipped))[:, None, None, None]
        )


def conditional(generator, critic):
    def built(s, shape, mean_image):
        players = build(s, shape, mean_image)
        players.generator = Conditional(players.generator, s.latent, **generator)
        players.critic = Conditional(players.critic, 16, **critic)
        return again(players)

    def iterate(s, p, k, draws):
        real, classes = draws.labelled_images()
        fake = p.generator(draws.latent(s.batch), classes).detach()
        critic = (p.critic(fake, classes) - p.critic(real / 127.5 - 1, classes)).mean()
        ganbench.update(p.critic_optimiser, critic)
        generator = p.critic(p.generator(draws.latent(s.batch), classes), classes).square().mean()
        ganbench.update(p.generator_optimiser, generator)
        return {"critic": critic.detach(), "generator": generator.detach()}

    return ganbench.Experiment(
        name="mine/digits",
        dataset="digits",
        image_shape=SHAPE,
        classes=3,
        settings=ganbench.settings(batch=4, latent=8),
        build=built,
        iterate=iterate,
    )


@pytest.mark.parametrize(
    ("generator", "critic", "ignoring"),
    [
        ({}, {}, []),
        ({"ignores": True}, {}, ["network that is scored"]),
        ({}, {"ignores": True}, ["critic"]),
    ],
)
def test_a_network_that_ignores_the_classes_is_noted(generator, critic, ignoring):
    notes = list(contract.CHECKS["sampling"][0](conditional(generator, critic)))
    assert notes == [
        f"the {name} ignores the classes: it gives the same for all of them" for name in ignoring
    ]
    assert all(isinstance(note, contract.Note) for note in notes)


def test_a_range_that_one_class_leaves_is_told():
    [what] = contract.CHECKS["range"][0](conditional({"clipped": 2}, {}))
    assert "% of the pixels of generated images of class 2 lie outside image_range -1 to 1" in what
