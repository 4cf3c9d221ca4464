# ruff: noqa: NPY002 - the global generators are what is tested
"""Somebody's training loops, as they are written elsewhere: each continues to the same bits."""

import contextlib
import copy
import enum
import random
import time
from collections import Counter, defaultdict, deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, ReduceLROnPlateau

import ganbench
from benchmark.training import checkpoint, contract, mixed, sampling
from benchmark.training.contract.tools import Counted, iterated, players_of
from benchmark.training.trainer import Trainer

SHAPE = (1, 4, 4)


def perceptron(n, m, *last):
    return nn.Sequential(nn.Linear(n, 8), nn.LeakyReLU(0.2), nn.Linear(8, m), *last)


class Plain:
    """The usual loop; others change a part of it."""

    def __init__(self, s):
        self.s = s
        self.generator = perceptron(s.latent, 16, nn.Tanh(), nn.Unflatten(1, SHAPE))
        self.critic = nn.Sequential(nn.Flatten(), perceptron(16, 1))
        self.opt_g = Adam(self.generator.parameters(), lr=s.rate)
        self.opt_d = Adam(self.critic.parameters(), lr=s.rate)

    def noise(self, n):
        return torch.randn(n, self.s.latent)

    def seen(self, x):
        return x

    def d_step(self, real):
        with torch.no_grad():
            fake = self.generator(self.noise(len(real)))
        loss = (self.critic(self.seen(real)) - 1).square().mean() + self.critic(fake).square().mean()
        return self.stepped(self.opt_d, loss)

    def g_step(self):
        loss = (self.critic(self.seen(self.generator(self.noise(self.s.batch)))) - 1).square().mean()
        return self.stepped(self.opt_g, loss)

    def stepped(self, optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss


class Scheduled(Plain):
    """Learning-rate schedulers: of the iteration, and of the losses."""

    def __init__(self, s):
        super().__init__(s)
        self.schedulers = [MultiStepLR(self.opt_g, [1, 3], 0.5), CosineAnnealingLR(self.opt_d, 5)]
        self.plateau = ReduceLROnPlateau(self.opt_d, patience=0, threshold=10.0)

    def g_step(self):
        loss = super().g_step()
        for scheduler in self.schedulers:
            scheduler.step()
        self.plateau.step(float(loss))
        return loss


class SeveralOptimisers(Plain):
    """A second one for an encoder of images, whose code the critic is not shown."""

    def __init__(self, s):
        super().__init__(s)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, s.latent))
        self.extra = {
            "encoder": RMSprop(self.encoder.parameters(), lr=s.rate),
            "g": SGD(self.generator.parameters(), lr=s.rate, momentum=0.9),
        }

    def g_step(self):
        z = self.noise(self.s.batch)
        images = self.generator(z)
        loss = (self.encoder(images) - z).square().mean()
        for optimiser in self.extra.values():
            optimiser.zero_grad()
        loss.backward()
        for optimiser in self.extra.values():
            optimiser.step()
        return {"generator": super().g_step(), "encoder": loss}


class Clipped(Plain):
    """Gradients are clipped to a running norm, a plain value of the loop."""

    norm = 1.0

    def __init__(self, s):
        super().__init__(s)
        self.norm, self.n, self.history = 1.0, 0, []

    def stepped(self, optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            norm = nn.utils.clip_grad_norm_(group["params"], self.norm)
        self.norm = 0.9 * self.norm + 0.1 * float(norm)
        self.history = [*self.history[-2:], float(norm)]
        optimiser.step()
        return loss


class Averaged(Plain):
    """An exponential average of the generator is what is scored."""

    def __init__(self, s):
        super().__init__(s)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)

    def g_step(self):
        loss = super().g_step()
        for mean, p in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(p.detach(), 0.1)
        return loss


class Conditional(Plain):
    """Networks that take (input, classes)."""

    def __init__(self, s):
        super().__init__(s)
        self.generator, self.critic = OfClass(s.latent, 16, nn.Tanh(), nn.Unflatten(1, SHAPE)), OfClass(16, 1)
        self.opt_g = Adam(self.generator.parameters(), lr=s.rate)
        self.opt_d = Adam(self.critic.parameters(), lr=s.rate)

    def d_step(self, real, classes):
        fake = self.generator(self.noise(len(real)), classes).detach()
        loss = (self.critic(real, classes) - 1).square().mean() + self.critic(fake, classes).square().mean()
        return self.stepped(self.opt_d, loss)

    def g_step(self):
        classes = torch.randint(3, (self.s.batch,))
        loss = (self.critic(self.generator(self.noise(self.s.batch), classes), classes) - 1).square().mean()
        return self.stepped(self.opt_g, loss)


class OfClass(nn.Module):
    def __init__(self, n, m, *last):
        super().__init__()
        self.of_class, self.rest = nn.Embedding(3, n), perceptron(n, m, *last)

    def forward(self, x, classes):
        return self.rest(x.flatten(1) + self.of_class(classes))


class LatentMaps(Plain):
    """z as maps [2, 2, 2]."""

    def __init__(self, s):
        super().__init__(s)
        up = nn.ConvTranspose2d(2, 1, 2, stride=2)
        self.generator = nn.Sequential(nn.Unflatten(1, (2, 2, 2)), up, nn.Tanh())
        self.opt_g = Adam(self.generator.parameters(), lr=s.rate)


class Augmented(Plain):
    """Both kinds of images are augmented, by NumPy's and Python's generators, at an adapted rate."""

    def __init__(self, s):
        super().__init__(s)
        self.p = torch.tensor(0.5)

    def seen(self, x):
        if random.random() < self.p:
            x = x.flip(3)
        self.p += 0.1 * (0.6 - self.p)
        return x + torch.from_numpy(np.random.normal(0, 0.1, x.shape)).to(x)


class Module(nn.Module):
    """A loop that is itself a module, with dropout and a parameter of its own."""

    def __init__(self, s):
        super().__init__()
        plain = Plain(s)
        self.generator, self.critic = plain.generator, nn.Sequential(nn.Dropout(0.5), plain.critic)
        self.margin = nn.Parameter(torch.ones(()))
        self.opt_g, self.opt_d = plain.opt_g, Adam([*self.critic.parameters(), self.margin], lr=s.rate)
        self.s = s

    noise, seen, d_step, stepped = Plain.noise, Plain.seen, Plain.d_step, Plain.stepped

    def g_step(self):
        loss = (self.critic(self.generator(self.noise(self.s.batch))) - self.margin).square().mean()
        return self.stepped(self.opt_g, loss)


class Loop(Plain):
    """A loop over minibatches, two to a G-iteration, that says when one is over."""

    def train(self, batches):
        for number, real in enumerate(batches):
            critic = self.d_step(real)
            if number % 2:
                yield {"critic": critic, "generator": self.g_step()}


def functions(s):
    """Functions in place of an object."""
    loop = Plain(s)
    names = ("generator", "critic", "opt_g", "opt_d", "d_step", "g_step")
    return SimpleNamespace(**{name: getattr(loop, name) for name in names})


def altered(s, **changes):
    return SimpleNamespace(**{**vars(functions(s)), **changes})


def experiment(make, *, latent=8, critic_steps=1, **about):
    values = {"batch": 4, "latent": latent, "rate": 0.01, "critic_steps": critic_steps}
    return ganbench.from_steps(
        "mine/digits", make, settings=values, dataset="digits", image_shape=SHAPE, **about
    )


EXPERIMENTS = {
    "schedulers": experiment(Scheduled),
    "several optimisers": experiment(SeveralOptimisers),
    "gradient clipping": experiment(Clipped),
    "average": experiment(Averaged, sampler="ema"),
    "conditional": experiment(Conditional, classes=3),
    "latent maps": experiment(LatentMaps),
    "augmentation": experiment(Augmented),
    "module": experiment(Module),
    "generator function": experiment(Loop, critic_steps=2),
    "functions": experiment(functions, critic_steps=3),
}
NOTES = {"schedulers": {"device"}, "gradient clipping": {"device"}, "augmentation": {"scaling", "device"}}
"""Checks that find something worth knowing."""


def notes_on(name):
    """What is said of a loop here: torch 2.6 lets Adam count on the default device, and reads it there."""
    return NOTES.get(name, set()) | ({"device"} if adam_counts_on_the_default_device() else set())


def adam_counts_on_the_default_device():
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    adam = Adam([weight])
    with torch.device("meta"), contextlib.suppress(RuntimeError):
        adam.step()
    return adam.state[weight]["step"].device.type == "meta"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loop_keeps_to_the_contract_and_continues_to_the_same_bits(name):
    findings = list(contract.examine(EXPERIMENTS[name]))
    assert [f for f in findings if not f.ok] == []
    assert {f.check for f in findings if f.only_note} == notes_on(name)
    assert {f.check for f in findings} == set(contract.CHECKS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loop_in_mixed_precision_continues_to_the_same_bits(name):
    e = mixed.in_bfloat16(EXPERIMENTS[name])
    wanted = ("training", "determinism", "gradients", "resume", "device")
    found = {check: list(contract.CHECKS[check][0](e)) for check in wanted}
    assert {check for check, said in found.items() if said} == notes_on(name) & {"device"}
    bits = [trained_bits(one) for one in (e, EXPERIMENTS[name])]
    assert bits[0] != bits[1]


def trained_bits(e):
    return checkpoint.digest(checkpoint.tensors_of(iterated(e)[0]))


def test_what_no_checkpoint_has_is_found():
    class Hidden(Plain):
        """Its steps depend on a local variable of the loop."""

        def train(self, batches):
            for number, real in enumerate(batches):
                yield {"critic": self.d_step(real), "generator": self.g_step() + 0 * number}
                self.opt_g.param_groups[0]["lr"] = 0.01 / (1 + number)

    (found,) = contract.CHECKS["resume"][0](experiment(Hidden))
    assert "a continued run has other bits in generator" in found


def test_the_average_is_what_is_scored_and_evaluated(tmp_path):
    e = EXPERIMENTS["average"]
    players = players_of(e)
    assert players.scored is players.sampler
    for k in range(3):
        e.iterate(e.settings, players, k, Counted(e, k))
    assert not torch.equal(players.sampler[0].weight, players.generator[0].weight)
    path = checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 3})
    loaded = checkpoint.load_scored(players_of(e), checkpoint.read(path)[1])
    images = [sampling.evaluation_images(e, network, 0, 8) for network in (loaded, players.sampler)]
    assert torch.equal(*images)


def test_a_run_scores_the_average(tmp_path, never):
    e, seen = EXPERIMENTS["average"], []

    class Noting:
        n_generated = 8

        def scores_of(self, batches):
            seen.append(torch.cat([batch.images for batch in batches]))
            return {}

    images = torch.randint(256, (20, *SHAPE), dtype=torch.uint8)
    watcher = SimpleNamespace(progress=lambda *_: None, event=lambda *_, **__: None)
    given = {"seed": 0, "budget": 3, "evaluate_at": [3], "images": images, "evaluator": Noting()}
    run = Trainer(e, **given, directory=tmp_path, watcher=watcher, started=time.perf_counter())
    assert run.run(never) == "done"
    average, last = (
        sampling.evaluation_images(e, network, 0, 8)
        for network in (run.players.sampler, run.players.generator)
    )
    assert torch.equal(seen[0], average)
    assert not torch.equal(average, last)


def test_global_generators_are_those_of_the_iteration_and_put_back():
    drawn = []

    def noting(s):
        loop = functions(s)
        step = loop.g_step
        loop.g_step = lambda: (drawn.append(numbers()), step())[1]
        return loop

    def numbers():
        return torch.rand(1).item(), np.random.rand(), random.random()

    def seed_all():
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)

    e = experiment(noting)
    seed_all()
    expected = numbers()
    players = players_of(e)
    seed_all()
    for k, seed in ((3, 0), (4, 0), (3, 0), (3, 1)):
        e.iterate(e.settings, players, k, Counted(e, k, seed))
    assert drawn[0] == drawn[2]
    assert all(a != b for other in (drawn[1], drawn[3]) for a, b in zip(drawn[0], other, strict=True))
    assert numbers() == expected


@pytest.mark.parametrize(
    ("make", "about", "says"),
    [
        (Plain, {"critic": "discriminator"}, "Plain has no network 'discriminator'"),
        (Plain, {"sampler": "ema"}, "Plain has no network 'ema'"),
        (
            lambda s: SimpleNamespace(**{**vars(functions(s)), "opt_g": None}),
            {},
            "no optimiser has the weights",
        ),
        (
            lambda s: SimpleNamespace(**{**vars(functions(s)), "g_step": lambda: None}),
            {},
            "g_step gives no loss",
        ),
        (Loop, {"critic_steps": 1}, "took 2 minibatches for a G-iteration, not critic_steps=1"),
    ],
)
def test_what_does_not_fit_is_said(make, about, says):
    findings = contract.examine(experiment(make, **about))
    assert any(says in f.what and not f.ok for f in findings)


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"prior": "uniform"}, "latents", "not of the prior 'uniform'"),
        ({"latent": 9}, "shapes", ""),
        ({"sampling_statistics": "batch"}, "statistics", "no batch norm"),
        ({"image_range": (-2.0, 2.0)}, "range", "images lie in"),
        ({"critic_updates": lambda s, k: 2 * k}, "counts", "were used"),
    ],
)
def test_a_broken_rule_is_found_with_its_place(change, check, says):
    about = {k: v for k, v in change.items() if k in ("image_range", "critic_updates")}
    values = {"batch": 4, "latent": 8, "rate": 0.01, **{k: v for k, v in change.items() if k not in about}}

    def make(s):
        return Plain(SimpleNamespace(latent=8, batch=4, rate=s.rate))

    e = ganbench.from_steps(
        "mine/digits", make, settings=values, dataset="digits", image_shape=SHAPE, **about
    )
    found = {f.check: f for f in contract.examine(e) if not f.ok}
    assert says in found[check].what
    assert found[check].where.startswith("test_own_loops.py:")


def test_gradients_that_were_left_are_found():
    class Left(Plain):
        def stepped(self, optimiser, loss):
            loss.backward()
            optimiser.step()
            return loss

    findings = {f.check: f for f in contract.examine(experiment(Left))}
    assert "call zero_grad() first" in findings["gradients"].what
    assert not findings["gradients"].ok


def test_drawing_elsewhere_is_found():
    values = ganbench.settings(batch=4, latent=8, rate=0.01)

    def build(s, shape, mean_image):
        loop = Plain(s)
        return ganbench.Players(loop.generator, loop.critic, loop.opt_g, loop.opt_d)

    def iterate(s, p, k, draws):
        loop = SimpleNamespace(**vars(p), s=s, opt_d=p.critic_optimiser, opt_g=p.generator_optimiser)
        for name in ("noise", "seen", "stepped"):
            setattr(loop, name, getattr(Plain, name).__get__(loop))
        losses = {"critic": Plain.d_step(loop, draws.images() / 127.5 - 1), "generator": Plain.g_step(loop)}
        return {name: loss.detach() for name, loss in losses.items()}

    e = ganbench.Experiment(
        name="mine/digits", dataset="digits", image_shape=SHAPE, settings=values, build=build, iterate=iterate
    )
    findings = {f.check: f for f in contract.examine(e) if not f.ok}
    assert "something is drawn elsewhere" in findings["determinism"].what
    assert "resume" in findings


class Phase(enum.IntEnum):
    FIRST = 1
    LATER = 2


class Hoarder(Plain):
    """Each step depends on what one kind of attribute has come to be; some are first made in a step."""

    def __init__(self, s):
        super().__init__(s)
        self.replay = deque(maxlen=3)
        self.array, self.count = np.asfortranarray(np.ones((2, 3))), np.int64(0)
        self.seen_levels, self.by_level = {0}, defaultdict(list)
        self.often, self.phase, self.history = Counter(), Phase.FIRST, []
        self.alias = self.history

    def g_step(self):
        loss = super().g_step()
        self.count += 1
        self.array[0, 1] += float(loss)
        self.replay.append(self.generator(self.noise(1)).detach())
        self.alias.append(float(loss))
        self.seen_levels.add(int(self.count))
        self.by_level[int(self.count) % 2].append((float(loss), None))
        self.often["steps"] += 1
        self.momentum = 0.5 * getattr(self, "momentum", 0.0) + float(loss)
        self.phase = Phase.LATER
        state = len(self.history) + len(self.seen_levels) + self.often["steps"] + self.by_level[1][0][0]
        state += self.momentum + float(self.array.sum()) + float(sum(x.sum() for x in self.replay))
        self.opt_g.param_groups[0]["lr"] = 0.01 / (1 + abs(state)) + 0.001 * float(self.count)
        return loss


def test_every_kind_of_plain_attribute_is_in_checkpoints_with_its_type(tmp_path):
    e = experiment(Hoarder)
    assert [f for f in contract.examine(e) if not f.ok] == []
    players, again = players_of(e), players_of(e)
    for k in range(3):
        e.iterate(e.settings, players, k, Counted(e, k))
    checkpoint.restore(checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 3}), again)
    old, new = (p.more["attributes"].loop for p in (players, again))
    for name in ("count", "seen_levels", "by_level", "often", "phase", "history", "momentum"):
        assert getattr(new, name) == getattr(old, name)
        assert type(getattr(new, name)) is type(getattr(old, name))
    assert new.alias is new.history
    assert new.array.flags.f_contiguous
    assert np.array_equal(new.array, old.array)
    assert new.replay.maxlen == 3
    assert all(map(torch.equal, new.replay, old.replay))


def test_tensors_within_containers_move_to_the_device():
    state = players_of(experiment(Hoarder)).more["attributes"]
    state.loop.replay.append(torch.zeros(2))
    state.loop.pairs = {"one": [(torch.zeros(2), 1.0)]}
    state.to(torch.device("meta"))
    assert state.loop.replay[0].is_meta
    assert state.loop.pairs["one"][0][0].is_meta


def test_weights_that_a_step_froze_are_still_frozen_in_a_continued_run(tmp_path):
    class Freezing(Plain):
        def g_step(self):
            loss = super().g_step()
            self.generator[0].requires_grad_(False)
            self.critic.eval()
            return loss

    e = experiment(Freezing)
    players, again = players_of(e), players_of(e)
    e.iterate(e.settings, players, 0, Counted(e, 0))
    checkpoint.restore(checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 1}), again)
    assert [p.requires_grad for p in again.generator.parameters()] == [False, False, True, True]
    assert not any(module.training for module in again.critic.modules())


@pytest.mark.parametrize(
    ("name", "other", "says"),
    [
        (
            "ema",
            lambda loop: copy.deepcopy(loop.generator),
            "self.ema was replaced by another object in g_step",
        ),
        ("generator", lambda loop: copy.deepcopy(loop.generator), "self.generator was replaced"),
        ("opt_g", lambda loop: Adam(loop.generator.parameters()), "self.opt_g was replaced"),
        ("late", lambda loop: copy.deepcopy(loop.generator), "self.late was made in g_step"),
    ],
)
def test_a_part_that_a_step_replaces_or_makes_is_an_error(name, other, says):
    class Replacing(Averaged):
        def g_step(self):
            loss = super().g_step()
            setattr(self, name, other(self))
            return loss

    e = experiment(Replacing, sampler="ema")
    with pytest.raises(ValueError, match=says):
        e.iterate(e.settings, players_of(e), 0, Counted(e, 0))


def test_a_network_that_is_scored_and_never_moves_is_noted():
    class Still(Averaged):
        g_step = Plain.g_step

    (note,) = contract.CHECKS["training"][0](experiment(Still, sampler="ema"))
    assert isinstance(note, contract.Note)
    assert "the sampler, does not move" in note
    assert list(contract.CHECKS["training"][0](EXPERIMENTS["average"])) == []


class Rate:
    """State of its own that no checkpoint can ask for."""

    def __init__(self):
        self.p, self.made = 0.0, object()


class Adapted(Plain):
    def __init__(self, s):
        super().__init__(s)
        self.rates = {"of augmentation": Rate()}

    def g_step(self):
        self.rates["of augmentation"].p += 0.1
        return super().g_step()


def counting(s):
    """A function whose count is in a variable of the one around it."""
    loop, n = functions(s), 0
    step = loop.g_step

    def g_step():
        nonlocal n
        n += 1
        return step()

    loop.g_step = g_step
    return loop


def around(s):
    """Functions of an object that is not the loop."""
    loop = Adapted(s)
    names = ("generator", "critic", "opt_g", "opt_d", "d_step", "g_step")
    return SimpleNamespace(**{name: getattr(loop, name) for name in names})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (Adapted, "self.rates (dict) goes on changing, and is in no checkpoint: give its class state_dict"),
        (counting, "the variable n of counting.<locals>.g_step goes on changing"),
        (around, "self.g_step (method) goes on changing"),
    ],
)
def test_state_that_no_checkpoint_has_is_named_though_it_acts_late(make, says):
    faults = [f.what for f in contract.examine(experiment(make)) if not f.ok]
    assert any(says in what for what in faults)
    assert next(iter(contract.CHECKS["resume"][0](experiment(make)))) in faults


def test_what_is_constant_in_a_run_or_kept_elsewhere_is_no_lost_state():
    class Timed(Averaged):
        def __init__(self, s):
            super().__init__(s)
            self.began = SimpleNamespace(at=time.perf_counter())
            self.networks = (SimpleNamespace(both=[self.generator, self.ema]), 1.0)
            self.history = []
            self.note = lambda loss, history=self.history: history.append(float(loss))

        def g_step(self):
            loss = super().g_step()
            self.note(loss)
            return loss

    assert [f for f in contract.examine(experiment(Timed)) if not f.ok] == []


def test_images_are_judged_as_they_are_scored():
    class Denormalised(nn.Module):
        def forward(self, x):
            return x if self.training else (x + 1) / 2

    def ending_in(*last, **about):
        def make(s):
            loop = Plain(s)
            loop.generator.extend(last)
            return loop

        return list(contract.CHECKS["range"][0](experiment(make, **about)))

    (what,) = ending_in(Denormalised())
    assert "images lie in" in what
    assert ending_in(Denormalised(), image_range=(0.0, 1.0)) == []


def test_a_generator_nearly_all_of_whose_pixels_are_clipped_is_a_fault():
    class Bytes(nn.Module):
        def forward(self, x):
            return (x + 1) * 127.5

    def make(s):
        loop = Plain(s)
        loop.generator.append(Bytes())
        return loop

    (what,) = contract.CHECKS["range"][0](experiment(make))
    assert not isinstance(what, contract.Note)
    assert what.startswith("100% of the pixels")
    assert list(contract.CHECKS["range"][0](experiment(make, image_range=(0.0, 255.0)))) == []


def test_an_optimiser_with_lists_of_tensors_is_told_with_a_remedy():
    class Quasi(Plain):
        def __init__(self, s):
            super().__init__(s)
            self.opt_g = LBFGS(self.generator.parameters(), max_iter=2)

        def g_step(self):
            z = self.noise(self.s.batch)

            def closure():
                self.opt_g.zero_grad()
                loss = self.critic(self.generator(z)).square().mean()
                loss.backward()
                return loss

            return self.opt_g.step(closure)

    (what,) = contract.CHECKS["resume"][0](experiment(Quasi))
    assert "generator_optimiser (LBFGS) keeps 'old_dirs' as a list of tensors" in what
