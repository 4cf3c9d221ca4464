"""A Ray cluster of this machine, whose nodes come and go; `ganbench` beside it; runs that wait at a gate."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.records import identity, record, store

HERE = Path(__file__).parent
TINY = HERE.parent / "baselines" / "plugin"
SUITE = """\
title = "At a gate"
experiments = {experiments}
seeds = {seeds}
gen_iters = 24
evaluate_every = 24
protocols = ["digits-2k"]
"""
OBJECTS_BYTES = 80 * 2**20


def pytest_collection_modifyitems(items):
    try:
        import ray  # noqa: F401
    except ImportError:
        for item in items:
            if item.path.parent == HERE:
                item.add_marker(pytest.mark.skip(reason="Ray is not installed: pip install -e '.[ray]'"))


class Gate:
    """Where runs of `gated` wait; each that came tells its process and its parent, which is its seat."""

    def __init__(self, folder):
        self.folder = folder

    def close(self, text=""):
        for path in self.folder.glob("*.came"):
            path.unlink()
        (self.folder / "closed").write_text(text)

    def open(self):
        (self.folder / "closed").unlink(missing_ok=True)

    def came(self):
        """Processes and their parents."""
        return [tuple(map(int, path.name.split(".")[:2])) for path in self.folder.glob("*.came")]

    def seen(self):
        return sorted(path.read_text() for path in self.folder.glob("*.came"))


class World:
    """`ganbench` in an environment with the plugin, the gate, and a temporary folder of its own."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        (folder / "gate").mkdir()
        (folder / "tmp").mkdir()
        self.gate = Gate(folder / "gate")
        shutil.copy(HERE / "gated.py", folder)
        (folder / "gated-1.0.dist-info").mkdir()
        (folder / "gated-1.0.dist-info" / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: gated\nVersion: 1.0\n"
        )
        (folder / "gated-1.0.dist-info" / "entry_points.txt").write_text(
            "[ganbench.baselines]\ngated = gated\n"
        )
        path = [str(folder), str(TINY), os.environ.get("PYTHONPATH", "")]
        self.variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "GATE": str(folder / "gate"),
            "TMPDIR": str(folder / "tmp"),
            "RAY_worker_niceness": "0",  # on a busy machine they would starve
            "RAY_TMPDIR": "/tmp",  # sockets need short names
        }

    def suite(self, name, experiments, seeds=(0,)):
        path = self.folder / f"{name}.toml"
        path.write_text(SUITE.format(experiments=list(experiments), seeds=list(seeds)).replace("'", '"'))
        return path

    def start(self, suite, out, *arguments, engine="ray"):
        """`ganbench run`, running."""
        command = [sys.executable, "-m", "benchmark", "run", suite, "--out", out, "--engine", engine]
        return self.python(
            *command[1:], "--device", "cpu", "--checkpoint-iters", 5, "--no-report", *arguments
        )

    def python(self, *arguments):
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.started.append(process)
        return process

    def run(self, *arguments, code=0, **options):
        """`start`, to its end; what it said."""
        process = self.start(*arguments, **options)
        _, said = process.communicate()
        assert process.returncode == code, said
        assert "Traceback" not in said
        return said

    def scratch(self):
        """Folders of seats that are left on this machine."""
        return list((self.folder / "tmp").glob("ganbench-*/ray/driver-*"))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.gate.open()
    for process in world.started:
        if process.poll() is None:
            process.kill()


@pytest.fixture
def gate(world):
    """A gate that is closed, until the test opens it."""
    world.gate.close()
    yield world.gate
    world.gate.open()


@pytest.fixture(scope="session")
def _cluster(world):
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ.update(world.variables)  # of the nodes' processes
    head = {"num_cpus": 0, "num_gpus": 0, "object_store_memory": OBJECTS_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def cluster(_cluster):
    """A head that runs nothing, and two machines with a core each and no GPU."""
    while len(_cluster.worker_nodes) < 2:
        _cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=OBJECTS_BYTES)
    _cluster.wait_for_nodes()
    return _cluster


def comparable(out):
    """What has to be equal of the records, as text, by experiment and seed."""
    found = [loaded.record for loaded in store.records_below(out / "runs")[0]]
    return {(r["experiment"], r["seed"]): identity.canonical(record.comparable_part(r)) for r in found}


@pytest.fixture(scope="session")
def records():
    return comparable


@pytest.fixture(scope="session")
def local(world):
    """Records of all runs of these tests by the local engine."""
    out = world.folder / "local"
    world.run(world.suite("all", ["gated/first", "gated/second"], range(3)), out, engine="local")
    return comparable(out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results ü"
