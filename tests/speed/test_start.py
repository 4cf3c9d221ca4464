"""What the start of a run costs with a process of its own, and forked: `tox -e bench`. Nothing is asserted.

Runs of no G-iteration and no scores take turns; what is compared is the CPU time of their processes.
"""

import resource
import statistics
import sys
import time

import pytest

from benchmark.engines import base, local
from benchmark.engines.forks import Forks
from benchmark.records.devices import Choice
from benchmark.suites import Suite, plan

pytestmark = [pytest.mark.bench, pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux")]
TURNS = 7


class Quiet:
    def started(self, run):
        pass

    def progressed(self, run, progress):
        pass


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_forked(tmp_path, capsys):
    suite = Suite("start", "", ("dcgan/digits",), range(2 * TURNS + 2), 0, 1, ())
    runs = iter(plan.plan(suite, tmp_path, "cpu"))
    seconds = {"own": [], "forked": []}
    engine = local.Engine([base.Slot()], Choice("cpu"), {}, {})
    forks, nothing = engine._forks, Forks()
    nothing.given_up = True
    engine.expect(2)
    while forks.is_loading:
        time.sleep(0.05)
    for turn in range(TURNS + 1):  # the first warms up
        for arm in ("own", "forked"):
            engine._forks = forks if arm == "forked" else nothing
            run, before = next(runs), children_s()
            while not engine.submit(run, Quiet()):
                list(engine.ended())
            while not (ends := list(engine.ended())):
                pass
            assert ends[0].state.name == "done"
            if turn:
                seconds[arm].append(children_s() - before)
    engine._forks = forks
    engine.kill()
    ratios = [a / b for a, b in zip(seconds["own"], seconds["forked"], strict=True)]
    with capsys.disabled():
        told = ", ".join(f"{arm} {statistics.median(values):.2f} CPU s" for arm, values in seconds.items())
        print(
            f"\nstart of a run: {statistics.median(ratios):.1f} "
            f"({min(ratios):.1f}..{max(ratios):.1f}, n = {TURNS}); {told}",
            end="",
        )
