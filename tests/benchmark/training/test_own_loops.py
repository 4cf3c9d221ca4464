# ruff: noqa: NPY002 - the global generators are what is tested
"""Somebody's training loops, as they are written elsewhere: each continues to the same bits."""

import copy
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, ReduceLROnPlateau

import ganbench
from benchmark.training import checkpoint, contract, mixed, sampling
from benchmark.training.contract.tools import Counted, iterated, players_of

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


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loop_keeps_to_the_contract_and_continues_to_the_same_bits(name):
    findings = list(contract.examine(EXPERIMENTS[name]))
    assert [f for f in findings if not f.ok] == []
    assert {f.check for f in findings if f.only_note} == NOTES.get(name, set())
    assert {f.check for f in findings} == set(contract.CHECKS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loop_in_mixed_precision_continues_to_the_same_bits(name):
    e = mixed.in_bfloat16(EXPERIMENTS[name])
    wanted = ("training", "determinism", "gradients", "resume", "device")
    found = {check: list(contract.CHECKS[check][0](e)) for check in wanted}
    assert {check for check, said in found.items() if said} == NOTES.get(name, set()) & {"device"}
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
