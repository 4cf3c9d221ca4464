"""The Ray engine on a cluster of this machine: packing, deaths of workers, machines, drivers; equal bits."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from benchmark.records import store

pytestmark = pytest.mark.ray
OBJECTS_BYTES = 80 * 2**20
TRAINED = 10
"""G-iteration of the last checkpoint before the gate (`gated.STOP_AT`)."""


def is_gone(pid):
    """Whether there is no such process, or only its entry."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def begun(out):
    """The run directories whose checkpoint before the gate has come back."""
    return [d.parent for d in (out / "runs").rglob("checkpoints") if store.checkpointed(d.parent) >= TRAINED]


@pytest.fixture
def at_the_gate(world, cluster, gate, out, wait):
    """Start the suite, and return when its runs wait at the gate and what they trained has come back."""

    def start(n, *arguments, address=cluster.address):
        suite = world.suite(f"gated-{n}", ["gated/first"], range(n))
        driver = world.start(suite, out, "--address", address, *arguments)
        wait(lambda: driver.poll() is not None or (len(begun(out)) == len(gate.came()) == n))
        assert driver.poll() is None, driver.communicate()[1]
        return driver

    return start


def kill_the_run(pid, seat, cluster):
    os.kill(pid, signal.SIGKILL)


def kill_the_seat(pid, seat, cluster):
    os.kill(seat, signal.SIGKILL)


def remove_the_machine(pid, seat, cluster):
    raylet = int(Path(f"/proc/{seat}/stat").read_text().rpartition(")")[2].split()[1])
    (there,) = [
        machine
        for machine in cluster.worker_nodes
        if raylet in [process.process.pid for process in machine.all_processes["raylet"]]
    ]
    cluster.remove_node(there, allow_graceful=False)


@pytest.mark.parametrize("death", [kill_the_run, kill_the_seat, remove_the_machine])
def test_a_run_whose_process_worker_or_machine_dies_goes_on_elsewhere(
    death, at_the_gate, world, cluster, gate, local, records, out, wait
):
    driver = at_the_gate(1)
    (came,) = gate.came()
    death(*came, cluster)
    wait(lambda: len(gate.came()) == 2)  # the second try is there while the first, if it lives, still waits
    gate.open()
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    assert f"it goes on elsewhere from {TRAINED}" in said
    assert records(out) == {key: local[key] for key in [("gated/first", 0)]}
    (directory,) = begun(out)
    events = [event["event"] for event in store.events(directory)]
    assert (events.count("started"), events.count("lost"), events.count("resumed")) == (2, 1, 1)
    assert len(store.read_record(directory)["provenance"]["retried_after"]) == 1
    wait(lambda: all(is_gone(pid) for pair in gate.came() for pid in pair))
    assert world.scratch() == []


def test_a_driver_that_was_killed_is_started_again(
    at_the_gate, world, cluster, gate, local, records, out, wait
):
    driver = at_the_gate(2)
    driver.kill()
    driver.communicate()
    gate.open()  # the runs' processes were told to stop, and do so at their next G-iteration
    processes = [pid for pair in gate.came() for pid in pair]
    wait(lambda: all(map(is_gone, processes)))
    said = world.run(world.folder / "gated-2.toml", out, "--address", cluster.address)
    assert "2 to do (2 continued from a checkpoint)" in said
    assert records(out) == {key: local[key] for key in [("gated/first", 0), ("gated/first", 1)]}
    for directory in begun(out):
        assert [e["gen_iters"] for e in store.events(directory) if e["event"] == "resumed"] == [TRAINED]
    assert world.scratch() == []


def test_ctrl_c_brings_checkpoints_home_and_leaves_no_process(
    at_the_gate, world, gate, local, records, out, wait
):
    """On a cluster that was made for this command."""
    gate.close("until they are told to stop")
    driver = at_the_gate(2, "--jobs", 2, "--quiet", address="local")
    own = [path.parent.name for path in Path("/proc").glob("[0-9]*/stat") if is_below(path, driver.pid)]
    assert len(own) > 4
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate()
    assert driver.returncode == 130, said
    assert "Stopped. Nothing is lost" in said
    assert len(said.splitlines()) == 1, said  # nothing of Ray's
    wait(lambda: all(map(is_gone, own)))
    assert world.scratch() == []
    assert [store.state(directory).name for directory in begun(out)] == ["interrupted"] * 2
    assert min(store.state(directory).gen_iters for directory in begun(out)) > TRAINED
    gate.open()
    world.run(world.folder / "gated-2.toml", out, engine="local")
    assert records(out) == {key: local[key] for key in [("gated/first", 0), ("gated/first", 1)]}


def is_below(stat, ancestor):
    """Whether a process descends from another one."""
    try:
        pid = int(stat.parent.name)
        while pid > 1:
            if pid == ancestor:
                return True
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # gone since
        pass
    return False


def test_records_are_equal_to_the_local_engines_and_the_second_stage_runs_on_another_machine(
    world, cluster, local, records, out
):
    """Of each seed one stage is run, then the machines are exchanged."""
    address = ("--address", cluster.address)
    world.run(world.suite("first", ["gated/first"], range(2)), out, *address)
    for machine in list(cluster.worker_nodes):
        cluster.remove_node(machine)
    cluster.add_node(num_cpus=2, num_gpus=0, object_store_memory=OBJECTS_BYTES)
    world.run(world.suite("both", ["gated/second", "gated/first"], range(3)), out, *address)
    assert records(out) == local
    assert world.scratch() == []


def test_a_python_error_is_not_retried(world, cluster, out):
    suite = world.suite("fails", ["gated/fails"], [0])
    said = world.run(suite, out, "--address", cluster.address, code=3)
    assert 'gated/fails seed 0: failed: ArithmeticError("a fault of the run\'s own")' in said
    (spec,) = out.rglob("spec.json")
    events = [event["event"] for event in store.events(spec.parent)]
    assert (events.count("started"), events.count("failed"), events.count("lost")) == (1, 1, 0)


def test_runs_of_half_a_gpu_share_it_two_by_two(world, cluster, gate, records, out, wait):
    """Two GPUs that are only counted: four runs of five come to the gate, two in sight of each GPU."""
    machine = cluster.add_node(num_cpus=4, num_gpus=2, object_store_memory=OBJECTS_BYTES)
    suite = world.suite("packed", ["gated/first"], range(5))
    try:
        driver = world.python(Path(__file__).parent / "packed.py", suite, out, cluster.address)
        wait(lambda: driver.poll() is not None or len(gate.came()) == 4)
        seen = Counter(gate.seen())
        gate.open()
        said, err = driver.communicate()
        assert (driver.returncode, said) == (0, "4\n"), err
    finally:
        cluster.remove_node(machine)
    assert seen == {"0 0.5": 2, "1 0.5": 2}
    assert len(records(out)) == 5
    assert world.scratch() == []


def test_no_cluster_is_one_line(world, out):
    said = world.run(world.suite("none", ["gated/first"]), out, "--address", "127.0.0.1:1", code=2)
    assert "no Ray cluster to work on" in said
    assert said.count("\n") == 1
