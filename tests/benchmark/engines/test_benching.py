"""What `ganbench bench` measures, with a clock that the tests turn."""

import pytest
import torch

import baselines
from benchmark.engines.benching import measure, processes, worker
from benchmark.evaluation import protocols

CPU = torch.device("cpu")


def convolution_and_product():
    x = torch.ones(2, 3, 8, 8, requires_grad=True)
    weight = torch.ones(5, 3, 3, 3)
    out = torch.nn.functional.conv2d(x, weight, padding=1)
    (torch.ones(7, 5) @ out.sum((0, 2, 3))[:, None]).sum().backward()


def test_operations_are_counted_backward_passes_too():
    flop = measure.flop(convolution_and_product)
    assert flop["convolution"] == 2 * (2 * 2 * 8 * 8 * 5 * 3 * 9)  # forward, and backward to x alone
    assert flop["matmul"] == 2 * (2 * 7 * 5)


def test_a_second_derivative_is_counted():
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    weight = torch.ones(1, 1, 3, 3, requires_grad=True)

    def penalty():
        out = torch.nn.functional.conv2d(x, weight, padding=1).square().sum()
        (gradient,) = torch.autograd.grad(out, x, create_graph=True)
        gradient.square().sum().backward()

    forward = 2 * 4 * 4 * 9
    assert measure.flop(penalty)["convolution"] >= 4 * forward


@pytest.fixture
def clock(monkeypatch):
    """Seconds of the fake clock; work adds to them."""
    now = [0.0]
    monkeypatch.setattr(measure, "_now", lambda device: now[0])
    return now


class FakeRoof:
    """A machine of 100 GFLOP/s."""

    device = CPU

    def rate(self, kind):
        return 100e9


@pytest.mark.parametrize(("each_s", "made", "seconds"), [(0.5, 1, 3.0), (0.01, 1, 0.0), (0.5, 20, 0.0)])
def test_a_share_of_the_roof_is_its_time_by_the_works(clock, monkeypatch, each_s, made, seconds):
    monkeypatch.setattr(measure, "flop", lambda step: {"convolution": 10**10, "matmul": 0})

    def work():
        clock[0] += each_s

    found = measure.measured(work, FakeRoof(), seconds, made)
    assert found["per_s"] == pytest.approx([made / each_s] * 3)
    assert found["share_of_roof"] == pytest.approx([0.1 / each_s] * 3, rel=1e-3)
    assert found["gflop"] == {"convolution": 10 / made, "matmul": 0}
    assert clock[0] >= seconds
    assert 4 <= found["rounds"] <= 40


def test_the_roof_has_two_rates_and_they_are_of_its_own_products(clock, monkeypatch):
    asked = []

    def timed(step, device, n):
        asked.append(n)
        return 1.0

    monkeypatch.setattr(measure, "timed", timed)
    roof = measure.Roof(CPU)
    assert roof.rate("convolution") == 2 * 64 * 32 * 32 * 64 * 64 * 9
    assert roof.rate("matmul") == 2 * 1024**3
    assert set(asked) == {1}


def test_every_protocol_is_measured_or_left_out_for_a_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(tmp_path / "nothing.pth"))
    measurable, left_out = processes.extractors()
    assert list(measurable.values()) == [["digits-2k"]]
    assert {"digits-2k", *left_out} == set(protocols.names())
    assert not any(str(tmp_path) in reason for reason in left_out.values())


@pytest.mark.slow
def test_a_process_that_fails_is_told_in_one_line():
    with pytest.raises(processes.UserError, match=r"^nobody/nothing: cannot be measured"):
        processes.measure({"experiment": "nobody/nothing", "device": "cpu", "seconds": 0})


@pytest.mark.parametrize(("batch", "n"), [(1, 500), (12, 504), (64, 512), (100, 500), (600, 600)])
def test_images_are_whole_minibatches(batch, n):
    assert worker.whole(batch) == n


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wgan_gp/toy-swissroll", "dcgan/mnist-conditional"])
def test_points_and_classes_are_measured_too(name):
    assert name in baselines.names()
    found = processes.measure({"experiment": name, "device": "cpu", "seconds": 0})
    assert found["gen_iters"]["per_s"][1] > 0
    assert found["generated_images"]["per_s"][1] > 0
    assert found["start_cpu_s"] > 0
