"""No test fails because the machine is slow. The one guard against hanging is pytest's own `timeout`."""

import time

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def wait_for(condition):
    """What `condition` returns as soon as it is true."""
    while not (value := condition()):
        time.sleep(0.02)
    return value


@pytest.fixture(scope="session")
def wait():
    return wait_for


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
