"""No test fails because the machine is slow. The one guard against hanging is pytest's own `timeout`."""

import dataclasses
import subprocess
import time

import pytest
from hypothesis import HealthCheck, settings

import baselines

settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture(scope="module", autouse=True)
def _registry():
    """What a file's tests register is forgotten after them: which files share a process is chance."""
    before = dict(baselines._registered)
    yield
    baselines._registered.clear()
    baselines._registered.update(before)


def pytest_generate_tests(metafunc):
    """`by_code`: every experiment's name; slow where it differs from an earlier one by values alone."""
    if "by_code" in metafunc.fixturenames:
        firsts = {(e.iterate, e.build): e.name for e in map(baselines.get, reversed(baselines.names()))}
        quick = set(firsts.values())
        names = [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in baselines.names()]
        metafunc.parametrize("by_code", names)


def wait_for(condition, process=None):
    """What `condition` returns as soon as it is true; fails if `process`, which makes it so, ends before."""
    while not (value := condition()):
        if process and process.poll() is not None and not condition():
            pytest.fail(f"the process ended before its time, exit code {process.returncode}")
        time.sleep(0.02)
    return value


@pytest.fixture(scope="session")
def wait():
    return wait_for


@pytest.fixture
def begin():
    """Start a process that ends with the test at the latest, however that ends."""
    processes = []

    def start(command, **options):
        processes.append(subprocess.Popen(command, **options))
        return processes[-1]

    yield start
    for process in processes:
        with process:
            process.kill()


def revised(settings, **values):
    """Settings with some values replaced for a test."""
    from baselines.spec import SUITE

    return settings.revised(**{name: (value, "test", SUITE) for name, value in values.items()})


@pytest.fixture(scope="session")
def revise():
    return revised


NARROW = {
    "width": 8,
    "critic_width": 8,
    "generator_units": 100,
    "critic_units": 8,
    "maxout_units": 8,
    "dense_units": 8,
    "bottleneck": 8,
    "output_weights": 10,
    "critic_channels": (4, 4, 8),
}
"""Reduced widths, by the names that settings give them; a setting of 0 is not in use."""


@pytest.fixture
def reduced(revise):
    """The experiment at a tiny batch, with narrow networks and otherwise as declared."""

    def reduce(experiment, batch=4):
        settings = experiment.settings
        changes = {name: small for name, small in NARROW.items() if getattr(settings, name, 0)}
        batches = ("batch", "generator_batch", "sampling_batch")
        changes |= {name: batch for name in batches if getattr(settings, name, 0)}
        return dataclasses.replace(experiment, settings=revise(settings, **changes))

    return reduce


def pytest_addoption(parser):
    parser.addoption("--require-gpu", action="store_true", help="fail tests for GPUs where there is none")


def pytest_collection_modifyitems(config, items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or config.getoption("--require-gpu"):
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
