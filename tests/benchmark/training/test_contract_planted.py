"""Faults planted in somebody's module, each told by the check about it; and what is unusual, but right."""

import contextlib
import importlib
import sys
import warnings

import pytest
import torch

from benchmark.training import contract
from benchmark.training.contract import process

LOOP = """
import datetime, os, random, socket, threading, uuid
import numpy as np
import torch
import ganbench
from time import time
from functools import lru_cache
from concurrent.futures import ThreadPoolExecutor
from torch import nn
from torch.optim import SGD
TOP = 0


@lru_cache
def cached():
    return torch.rand(1)


class Mine:
    shared = None

    def __init__(self, s):
        self.s, self.n = s, 0
        self.generator = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))
        self.critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
        self.opt_g = SGD(self.generator.parameters(), lr=0.1)
        self.opt_d = SGD(self.critic.parameters(), lr=0.1)
        pass  # init

    def d_step(self, real):
        scale = 1.0
        pass  # critic
        fake = self.generator(torch.randn(len(real), 8)).detach()
        loss = scale * (self.critic(fake) - self.critic(real)).mean()
        self.opt_d.zero_grad()
        loss.backward()
        self.opt_d.step()
        return loss

    def g_step(self):
        loss = self.critic(self.generator(torch.randn(self.s.batch, 8))).square().mean()
        self.opt_g.zero_grad()
        loss.backward()
        self.opt_g.step()
        self.n += 1
        pass  # end
        return loss

    def push(self, by):
        for p in self.critic.parameters():
            p.data.mul_(by).add_(by)


EXPERIMENTS = [
    ganbench.from_steps(
        "mine/digits", Mine, settings={"batch": 4, "latent": 8}, dataset="digits", image_shape=(1, 4, 4)
    )
]
"""
CONDITIONAL = """
import torch
import ganbench
from torch import nn
from torch.optim import SGD


class OfClass(nn.Module):
    def __init__(self, n, *rest):
        super().__init__()
        self.of, self.rest = nn.Embedding(4, n), nn.Sequential(*rest)

    def forward(self, x, classes):
        return self.rest(x.flatten(1) + self.of(classes))


def build(s, shape, mean_image):
    generator = OfClass(8, nn.Linear(8, 16), nn.Tanh(), nn.Unflatten(1, shape))
    critic = OfClass(16, nn.Linear(16, 1), nn.Flatten(0))
    players = ganbench.Players(generator, critic, *(SGD(n.parameters(), lr=0.1) for n in (generator, critic)))
    pass  # built
    return players


def iterate(s, p, k, draws):
    real, of_real = draws.labelled_images()
    real, of_fake, asked = real / 127.5 - 1, draws.labels(len(real)), draws.labels(s.batch)
    pass  # labels
    fake = p.generator(draws.latent(len(real)), of_fake).detach()
    pass  # critic
    critic = (p.critic(fake, of_fake) - p.critic(real, of_real)).mean()
    ganbench.update(p.critic_optimiser, critic)
    generator = p.critic(p.generator(draws.latent(s.batch), asked), asked).square().mean()
    ganbench.update(p.generator_optimiser, generator)
    losses = {"critic": critic.detach(), "generator": generator.detach()}
    pass  # end
    return losses


EXPERIMENTS = (
    ganbench.Experiment(
        name="mine/digits",
        dataset="digits",
        image_shape=(1, 4, 4),
        classes=4,
        settings=ganbench.settings(batch=4, latent=8),
        build=build,
        iterate=iterate,
    ),
)
"""
AVERAGED = """
import copy
import torch
import ganbench
from torch import nn
from torch.optim import SGD


def make():
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))


def build(s, shape, mean_image):
    generator, critic = make(), nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    average = copy.deepcopy(generator).requires_grad_(False)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 8))
    g, c, e = (SGD(n.parameters(), lr=0.1) for n in (generator, critic, encoder))
    return ganbench.Players(generator, critic, g, c, sampler=average, more={"encoder": encoder, "e": e})


def iterate(s, p, k, draws):
    fake, real = p.generator(draws.latent(s.batch)).detach(), draws.images() / 127.5 - 1
    critic = (p.critic(fake) - p.critic(real)).mean()
    ganbench.update(p.critic_optimiser, critic)
    z = draws.latent(s.batch)
    images = p.generator(z)
    generator = p.critic(images).square().mean()
    ganbench.update(p.generator_optimiser, generator)
    encoder = (p.more["encoder"](images.detach()) - z).square().mean()
    ganbench.update(p.more["e"], encoder)
    own, now = p.sampler.state_dict(), p.generator.state_dict()
    for name in own:
        own[name].copy_(own[name].lerp(now[name], 1e-5) if own[name].is_floating_point() else now[name])
    return {"critic": critic.detach(), "generator": generator.detach()}


EXPERIMENTS = (
    ganbench.Experiment(
        name="mine/digits",
        dataset="digits",
        image_shape=(1, 4, 4),
        settings=ganbench.settings(batch=4, latent=8),
        build=build,
        iterate=iterate,
    ),
)
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The experiment of a module of somebody's, in whose text something is put in another's place."""

    def make(text, *changes):
        for old, new in changes:
            marked = f"pass  # {old}"
            assert old in text
            text = text.replace(marked if marked in text else old, new, 1)
        (tmp_path / "planted_module.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module("planted_module").EXPERIMENTS[0]

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield make
    sys.modules.pop("planted_module", None)


def said(experiment, check):
    """What a check says, with what it says of the process."""
    changed = []
    with warnings.catch_warnings(), process.kept(changed), contextlib.suppress(StopIteration):
        warnings.simplefilter("ignore")
        found = list(contract.CHECKS[check][0](experiment))
    return found + changed


@pytest.mark.parametrize("text", [LOOP, CONDITIONAL, AVERAGED])
def test_without_a_fault_nothing_is_said(planted, text):
    e = planted(text)
    assert [f.what for f in contract.examine(e) if f.what] == []
    assert contract.measured(e) > 0


OF_A_PROCESS = {
    "critic|scale += 0.001 * (os.getpid() % 9 + 1)": "follows from os.getpid()",
    "critic|scale += len(socket.gethostname())": "follows from socket.gethostname()",
    "critic|scale += float(os.environ.get('NOISE', 0))": "follows from os.environ['NOISE']",
    "critic|scale += len(os.environ['HOME'])": "follows from os.environ['HOME']",
    "critic|scale += int(time()) // 86400 % 7": "follows from time.time()",
    "critic|scale += datetime.datetime.now().toordinal() % 7": "follows from datetime.now()",
    "critic|scale += os.cpu_count()": "follows from os.cpu_count()",
    "TOP = 0|TOP = os.getpid()": "the variable TOP is not the same there",
    "TOP = 0|TOP = random.random()": "the variable TOP is not the same there",
    "TOP = 0|TOP = len(os.environ.get('RANK', ''))": "the variable TOP is not the same there",
    "critic|scale += float(cached())": "another one in another process: something that its modules hold",
    "critic|Mine.shared = Mine.shared or random.random(); scale += Mine.shared": "the class Mine",
}


@pytest.mark.parametrize("change", OF_A_PROCESS)
def test_what_depends_on_the_process_is_told_with_what_it_asked_for(planted, change):
    uses_top = [("critic", "scale += TOP")] if "TOP" in change else []
    e = planted(LOOP, change.split("|"), *uses_top)
    said(e, "counts")  # what is filled once is full, by another G-iteration
    assert OF_A_PROCESS[change] in " ".join(said(e, "determinism"))


@pytest.mark.parametrize(
    "end",
    [
        "t = [threading.Thread(target=self.push, args=(x,)) for x in (0.9, 1.1)]; "
        "[x.start() for x in t]; [x.join() for x in t]",
        "t = threading.Thread(target=self.push, args=(0.9,)); t.start(); self.push(1.1); t.join()",
        "with ThreadPoolExecutor(2) as pool: [pool.submit(self.push, x) for x in (0.9, 1.1)]",
    ],
)
def test_threads_that_race_are_told(planted, end):
    racing = planted(LOOP, ("end", end))
    tries = (" ".join(said(racing, "determinism")) for _ in range(20))  # who is first is chance
    assert any("follows from the order of threads" in found for found in tries)


RIGHT = [
    "init|self.began, self.run = time(), uuid.uuid4().hex",
    "end|print(os.getpid(), os.environ.get('DEBUG'), time())",
    "end|t = threading.Thread(target=lambda: None); t.start(); t.join()",
    "critic|with ThreadPoolExecutor(2) as pool: real = torch.cat([*pool.map(torch.clone, real.chunk(2))])",
    "TOP = 0|torch.manual_seed(3); TOP = torch.rand(1)",
    "TOP = 0|STARTED, RUN = time(), uuid.uuid4()",
    "'latent': 8}|'latent': 8, 'rate': float(os.environ.get('RATE', 1))}",
    "init|nn.init.zeros_(self.generator[0].weight)",
]


@pytest.mark.parametrize("change", RIGHT)
def test_what_is_only_asked_for_is_no_fault(planted, change):
    e = planted(LOOP.replace('"latent": 8}', "'latent': 8}"), change.split("|"))
    assert [f.what for f in contract.examine(e) if not f.ok] == []


def test_an_import_that_has_side_effects_is_left_alone(planted):
    e = planted(LOOP, ("TOP = 0", "import sys; assert not hasattr(sys, 'once'); sys.once = 1"))
    try:
        assert said(e, "determinism") == []
        assert sys.modules["planted_module"].EXPERIMENTS[0] is e
    finally:
        del sys.once


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        (
            "critic|torch.set_num_threads(4); torch.set_num_threads(1)",
            "counts",
            "set_num_threads(4) is called",
        ),
        ("critic|np.random.seed(0)", "variables", "numpy.random.seed(0) is called in every G-iteration"),
        ("critic|torch.manual_seed(5)", "variables", "torch.manual_seed(5) is called in every G-iteration"),
        (
            "end|self.history = [*getattr(self, 'history', []), loss]",
            "variables",
            "self.history keeps the graph of every G-iteration",
        ),
        ("end|open('last.pt', 'w').close()", "counts", "files are left in the current folder: last.pt"),
        (
            "critic|real = real * 2 - 1",
            "scaling",
            "images reach the critic in -3 to 1, but",
        ),
        (
            "critic|real = (real + 1) / 2",
            "scaling",
            "images reach the critic in 0 to 1, but",
        ),
        ("critic|real = -real", "scaling", "images reach the critic in 1 to -1, but"),
        (
            "critic|real = real * (1 + torch.rand(()))",
            "scaling",
            "no real minibatch reaches the critic as it is",
        ),
        ("critic|real = real.flip(3)", "scaling", "no real minibatch reaches the critic as it is"),
        (
            "critic|self.first = real = getattr(self, 'first', real)",
            "scaling",
            "no real minibatch reaches the critic as it is",
        ),
        (
            "critic|\n        with torch.autocast('cpu', torch.bfloat16): self.critic(real)",
            "scaling",
            "networks are called under torch.autocast",
        ),
    ],
)
def test_what_a_loop_should_not_do_is_told(planted, change, check, says, monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert says in " ".join(said(planted(LOOP, change.split("|")), check))
    finally:
        torch.set_num_threads(threads)


NOTHING = [
    "critic|bad = (of_real + 1 + draws.labels(4) % 3) % 4; p.critic(real, bad)",
    "labels|of_fake = asked = of_real",
    "built|nn.init.zeros_(generator.of.weight); nn.init.zeros_(critic.of.weight)",
]


@pytest.mark.parametrize(
    ("changes", "check", "says"),
    [
        (
            ["critic|of_fake = (of_fake + 1) % 4"],
            "scaling",
            "generated images with other classes than theirs",
        ),
        (["critic|of_real = (of_real + 1) % 4"], "scaling", "real images with other classes"),
        (["labels|of_fake, asked = of_fake * 0, asked * 0"], "latents", "is never asked for class"),
        (
            ["labels|of_fake, asked = of_fake.clamp(max=2), asked.clamp(max=2)"],
            "latents",
            "asked for class 3",
        ),
        (["self.of(classes)|self.of(classes % 3)"], "sampling", "classes 0 and 3 are the same image"),
        (["x.flatten(1)|x.flatten(1) * len(x)"], "sampling", "depends on how many are sampled with it"),
        (
            ["x.flatten(1)|x.flatten(1) * torch.tensor([[0.0, 1] * (x[0].numel() // 2)])"],
            "sampling",
            "4 of 8 values of z make no difference, first z[:, 0]",
        ),
        (["x.flatten(1)|x.flatten(1) * (x.dim() > 2)"], "sampling", "that is scored ignores the latents"),
        *([[change], "scaling", ""] for change in NOTHING),
        *([[change], "latents", ""] for change in NOTHING),
        *([[change], "sampling", ""] for change in NOTHING),
    ],
)
def test_latents_and_classes_are_those_that_were_asked_for(planted, changes, check, says):
    found = said(planted(CONDITIONAL, *(change.split("|") for change in changes)), check)
    assert says in " ".join(found)
    assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("losses |= {n: x * float('nan') for n, x in losses.items() if k >= 60}", "not finite"),
        ("[1, 2, 3, 4, 5][k // 20]", "list index out of range (at G-iteration 100)"),
        ("losses |= {'late': critic.detach()} if k > 150 else {}", "after critic, generator (at G-iteration"),
        ("draws.labelled_images() if k >= 200 else None", "real_batches says 1, but 2 were used"),
        ("p.generator.requires_grad_(k < 300)", "continued at G-iteration 397"),
    ],
)
def test_what_depends_on_a_later_number_is_told_where_the_speed_is_measured(planted, end, says):
    assert says in contract.measured(planted(CONDITIONAL, ("end", end))).what


def test_gradients_that_every_second_iteration_keeps_are_told(planted):
    kept = ("ganbench.update(p.critic_optimiser, critic)", "critic.backward(); p.critic_optimiser.step()")
    e = planted(AVERAGED, kept, ("    z =", "    if k % 2: p.critic_optimiser.zero_grad()\n    z ="))
    assert "continued at G-iteration 397 has other bits" in contract.measured(e).what


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        (
            "for name in own:|for name in list(own)[:1]:",
            "training",
            "1.weight of the sampler stays",
        ),
        ("for name in own:|for name in ('0.weight', '0.bias'):", "training", "1.weight of the sampler stays"),
        (
            "average = copy.deepcopy(generator)|average = make()",
            "training",
            "sampler begins with other values",
        ),
        ('ganbench.update(p.more["e"], encoder)|0', "training", "more.encoder does not move"),
        (
            'ganbench.update(p.more["e"], encoder)|encoder.backward(); p.more["e"].step()',
            "gradients",
            "gradients that were left from before the G-iteration",
        ),
    ],
)
def test_averages_and_third_players_are_told(planted, change, check, says):
    assert says in " ".join(said(planted(AVERAGED, change.split("|")), check))
