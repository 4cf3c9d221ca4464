"""Experiments on `tiny_gan` that wait at a G-iteration while a gate is closed, fail, or have a first stage.

$GATE is a folder. A run that comes to `STOP_AT` leaves a file `PID.PARENT.came` there, with what it sees of
its GPU, and waits while `closed` exists; if that has a text, until it is told to stop.
"""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import tiny_gan
import torch
from torch import nn

STOP_AT = 12


class Stacked(nn.Module):
    """A layer before a generator that is trained already."""

    def __init__(self, below, s):
        super().__init__()
        self.stem, self.pretrained = nn.Linear(s.latent, s.latent), below

    def forward(self, z):
        return self.pretrained(self.stem(z).tanh())


def stack(s, shape, mean_image):
    below = tiny_gan.build(s, shape, mean_image)
    generator = Stacked(below.generator, s)
    optimiser = torch.optim.Adam(generator.parameters(), lr=s.learning_rate)
    return replace(below, generator=generator, generator_optimiser=optimiser)


def wait_at(gate):
    told, before = [], signal.getsignal(signal.SIGTERM)

    def tell(*arguments):
        told.append(True)
        before(*arguments)

    signal.signal(signal.SIGTERM, tell)
    while gate.exists() and not (told and gate.read_text()):
        time.sleep(0.02)
    signal.signal(signal.SIGTERM, before)


def gated(s, p, k, draws):
    gate = Path(os.environ["GATE"])
    if k == STOP_AT:
        seen = f"{os.environ.get('CUDA_VISIBLE_DEVICES')} {os.environ.get('GANBENCH_GPU_SHARE')}"
        (gate / f"{os.getpid()}").write_text(seen)
        (gate / f"{os.getpid()}").rename(gate / f"{os.getpid()}.{os.getppid()}.came")
        wait_at(gate / "closed")
    return tiny_gan.iterate(s, p, k, draws)


def fails(s, p, k, draws):
    if k == 3:
        raise ArithmeticError("a fault of the run's own")
    return tiny_gan.iterate(s, p, k, draws)


FIRST = replace(tiny_gan.DIGITS, name="gated/first", iterate=gated)
SECOND = replace(FIRST, name="gated/second", build=stack, starts_from="gated/first")
FAILS = replace(tiny_gan.DIGITS, name="gated/fails", iterate=fails)
EXPERIMENTS = (FIRST, SECOND, FAILS)
