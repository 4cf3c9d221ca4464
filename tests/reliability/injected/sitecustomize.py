"""Python loads this at its start when the folder is on its path: the fault that GANBENCH_FAULT names.

`no-space-for:TEXT`: writing fails with ENOSPC for every file whose path contains TEXT.
`unexpected`: the system does not say how many cores there are.
`clock-backwards`: each look of a worker at the wall clock gives an earlier time.
"""

import errno
import io
import os
import sys
import time

kind, _, argument = os.environ.get("GANBENCH_FAULT", "").partition(":")

if kind == "no-space-for":
    really_open = io.open

    def fail_to_open(file, mode="r", *arguments, **options):
        if not isinstance(file, int) and argument in str(file) and set(mode) & set("wa+"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(file))
        return really_open(file, mode, *arguments, **options)

    io.open = fail_to_open

elif kind == "unexpected":

    def unknown(_):
        raise RuntimeError("a fault that nobody thought of")

    os.sched_getaffinity = unknown

elif kind == "clock-backwards" and "benchmark.engines.worker" in sys.orig_argv:
    import datetime

    class Backwards(datetime.datetime):
        """Every `now` is an hour before the last one."""

        hours = 0

        @classmethod
        def now(cls, tz=None):
            cls.hours += 1
            return super().now(tz) - datetime.timedelta(hours=cls.hours)

    datetime.datetime = Backwards
    time.time = lambda: Backwards.now().timestamp()
