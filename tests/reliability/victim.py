"""A worker that dies on command: ``python victim.py KIND AT LOG RUN_DIR CADENCE``.

KIND: `line` at the AT-th executed line of ganbench's own code, `io` at the AT-th call that moves data to the
disk (fsync or rename; half of the file that is being synced is lost), `never`. LOG receives what had reached
the disk by then, so that `stress.py` can take away the rest as a power cut would, and, of a worker that
lives, how many lines and calls there were. SIGNAL is in the environment, as a number.
"""

import os
import signal
import stat
import sys
from pathlib import Path

import baselines
import benchmark
from benchmark.engines import worker

kind, at, log, *arguments = sys.argv[1:]
at, number = int(at), int(os.environ.get("SIGNAL", signal.SIGKILL))
OURS = tuple(str(Path(package.__file__).parent) + os.sep for package in (baselines, benchmark))
counts = {"line": 0, "io": 0}
log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
really_fsync, really_replace = os.fsync, os.replace


def count(what):
    """Whether this is the line or call to die at."""
    counts[what] += 1
    return kind == what and counts[what] == at


def note(*words):
    os.write(log_file, ("\t".join(map(str, words)) + "\n").encode())


def trace(frame, event, argument):
    """Follow ganbench's own frames line by line, and no others."""
    if not frame.f_code.co_filename.startswith(OURS):
        return None
    if event == "line" and count("line"):
        os.kill(os.getpid(), number)
    return trace


def fsync(descriptor):
    if count("io"):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.truncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    really_fsync(descriptor)
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        note("directory")
    else:
        note("file", status.st_ino, status.st_size)


def replace(source, target, **options):
    before = f"{log}.{os.getpid()}.{counts['io']}"
    if os.path.exists(target):  # noqa: PTH110 - pathlib's own replace calls this function
        os.link(target, before)
    if count("io"):
        os.kill(os.getpid(), signal.SIGKILL)
    really_replace(source, target, **options)
    note("renamed", target, before)


os.fsync, os.replace = fsync, replace
sys.settrace(trace)
code = worker.main(arguments)
sys.settrace(None)
note("counted", counts["line"], counts["io"])
sys.exit(code)
