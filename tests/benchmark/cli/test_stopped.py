"""A command that is stopped: 75 after SIGTERM, so that a batch system starts it again, 130 after Ctrl-C."""

import os
import signal

import pytest

from benchmark.engines.interrupts import terminable
from benchmark.records import environment

CODES = [(signal.SIGTERM, 75), (signal.SIGINT, 130)]


@pytest.fixture
def stopped_by(monkeypatch):
    """Whatever asks for the device is stopped there."""

    def stop(number, *, inside=None):
        def resolve(_):
            with inside() if inside else terminable():
                os.kill(os.getpid(), number)
            raise AssertionError("it went on")

        monkeypatch.setattr(environment, "resolve_device", resolve)

    return stop


@pytest.mark.parametrize(("number", "code"), CODES)
def test_what_runs_nothing_is_stopped_like_what_does(number, code, ganbench, stopped_by):
    stopped_by(number)
    before = [signal.getsignal(n) for n, _ in CODES]
    assert ganbench("env")[0] == code
    assert [signal.getsignal(n) for n, _ in CODES] == before


@pytest.mark.parametrize(("number", "code"), CODES)
def test_the_signal_may_come_where_nothing_else_waits_for_it(number, code, ganbench, monkeypatch):
    monkeypatch.setattr(environment, "resolve_device", lambda _: os.kill(os.getpid(), number))
    assert ganbench("env")[0] == code
