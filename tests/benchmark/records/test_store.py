"""The results folder: every state a run directory can tell, whatever a crash left in it."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from benchmark.engines.worker import Log
from benchmark.errors import UserError
from benchmark.records import locks, record, store
from benchmark.records.store import RunState

RECORD = record.sealed(
    {"schema_version": record.SCHEMA_VERSION, "status": "done", "gen_iters": 20, "diverged_at": None}
)


@pytest.fixture
def run(tmp_path):
    """A run directory that has been started."""
    directory = tmp_path / "a ü" / "runs" / "gan" / "digits" / "0123-4567"
    (directory / "checkpoints").mkdir(parents=True)
    (directory / "spec.json").write_text("{}")
    return directory


def write(directory, name, content):
    (directory / name).write_text(content if isinstance(content, str) else json.dumps(content))


def events(directory, *lines):
    (directory / "events.jsonl").write_text("".join(line + "\n" for line in lines))


def test_nothing_there_is_not_run(tmp_path):
    assert store.state(tmp_path / "none") == RunState("not run")
    assert store.state(tmp_path) == RunState("not run")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, RunState("done", 20)),
        ({"status": "diverged", "diverged_at": 7}, RunState("diverged", 7)),
        ({"status": "diverged", "diverged_at": 0}, RunState("diverged", 0)),
    ],
)
def test_a_record_finishes_a_run(changes, expected, run):
    write(run, "record.json", record.sealed({**RECORD, **changes}))
    events(run, '{"event": "failed", "reason": "an earlier attempt"}')
    assert store.state(run) == expected
    assert store.state(run).finished


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"schema_version": 2, "status": "do',
        "[]",
        "null",
        "\x00" * 40,
        record.sealed({"schema_version": 999}),
        {"schema_version": record.SCHEMA_VERSION},
        {**RECORD, "gen_iters": 21},
        {**RECORD, "extra": None},
        {**RECORD, "gen_iters": math.nan},
    ],
)
def test_a_damaged_or_foreign_record_does_not(content, run):
    write(run, "record.json", content)
    assert store.read_record(run) is None
    assert store.state(run) == RunState("interrupted", 0, "record.json is damaged or was altered")
    assert not store.state(run).finished


def test_an_interrupted_run_is_where_its_newest_checkpoint_is(run):
    for gen_iters in (5, 12):
        (run / "checkpoints" / f"{gen_iters:09d}.safetensors").touch()
    (run / "checkpoints" / ".000000099.safetensors.77.tmp").touch()
    write(run, "progress.json", {"gen_iters": 14})
    events(run, '{"event": "started"}')
    assert store.state(run) == RunState("interrupted", 12)
    assert store.state(run).text() == "interrupted at 12"


def test_a_failed_run_tells_its_reason(run):
    write(run, "progress.json", {"gen_iters": 14})
    events(run, '{"event": "started"}', '{"event": "failed", "reason": "out of memory"}')
    assert store.state(run) == RunState("failed", 14, "out of memory")
    assert store.state(run).text() == "failed: out of memory"


def test_a_failure_is_forgotten_when_the_run_was_started_again(run):
    events(run, '{"event": "failed", "reason": "out of memory"}', '{"event": "started"}')
    assert store.state(run).name == "interrupted"


def test_a_locked_run_is_running_until_its_process_is_killed(run):
    write(run, "progress.json", {"gen_iters": 14})
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from benchmark.records import locks
        with locks.hold(Path(sys.argv[1])):
            print("locked", flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        assert store.state(run) == RunState("running", 14)
        process.kill()
        process.wait()
    assert store.state(run) == RunState("interrupted", 0)


def test_looking_at_a_run_writes_nothing_and_does_not_take_its_lock(run):
    before = sorted(run.rglob("*"))
    assert store.state(run).name == "interrupted"
    assert sorted(run.rglob("*")) == before
    with locks.hold(run):
        pass
    inodes = [path.stat().st_mtime_ns for path in sorted(run.rglob("*"))]
    store.state(run)
    assert [path.stat().st_mtime_ns for path in sorted(run.rglob("*"))] == inodes


# --- Events -------------------------------------------------------------------------------------------


def test_a_line_cut_off_by_a_crash_is_passed_over(run):
    (run / "events.jsonl").write_bytes(
        b'{"event": "started"}\n\n[1]\n"text"\n{"event": "che\xff\n{"event": "evaluated"}\n{"event": "fail'
    )
    assert [event["event"] for event in store.events(run)] == ["started", "evaluated"]
    assert store.last_event(run) == {"event": "evaluated"}


def test_a_cut_off_line_does_not_swallow_the_next_event(run):
    (run / "events.jsonl").write_bytes(b'{"event": "started"}\n{"event": "che')
    Log(run, 20).event("resumed", gen_iters=3)
    Log(run, 20).event("failed", reason="ü")
    assert [event["event"] for event in store.events(run)] == ["started", "resumed", "failed"]
    assert store.state(run) == RunState("failed", 0, "ü")
    assert b"\n\n" not in (run / "events.jsonl").read_bytes()


def test_no_events_are_no_last_event(run):
    assert store.last_event(run) == {}


# --- Folders ------------------------------------------------------------------------------------------


def test_a_new_folder_is_made_with_all_above_it(tmp_path):
    out = tmp_path / "with space" / "ünïcode" / "results"
    store.open_folder(out)
    assert [path.name for path in out.iterdir()] == ["runs"]
    assert list((out / "runs").iterdir()) == []


def test_a_folder_of_ganbench_is_opened_again(tmp_path):
    for name in ("runs", "reports", "reference"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    store.open_folder(tmp_path)


@pytest.mark.parametrize("foreign", ["thesis.tex", ".git"])
def test_a_foreign_folder_is_refused_and_left_alone(foreign, tmp_path):
    (tmp_path / foreign).touch()
    with pytest.raises(UserError, match=f"holds '{re.escape(foreign)}', which is not ganbench's"):
        store.open_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [foreign]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="exists and is not a folder"):
        store.open_folder(tmp_path / "file")
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\)"):
        store.open_folder(tmp_path / "file" / "below")


@pytest.fixture
def forbidden():
    """Makes a folder with the given mode, for a user whom modes concern (root gives up its rights)."""
    root, user = Path(tempfile.mkdtemp()), os.geteuid()
    root.chmod(0o755)

    def make(mode):
        folder = root / "folder"
        folder.mkdir()
        folder.chmod(mode)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield make
    os.seteuid(user)
    (root / "folder").chmod(0o700)
    shutil.rmtree(root)


@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("below", ["", "results"])
def test_a_folder_without_permission_is_refused(mode, below, forbidden):
    with pytest.raises(UserError, match=r"cannot be written \(Permission denied\)"):
        store.open_folder(forbidden(mode) / below)


def test_runs_without_permission_are_a_user_error(forbidden):
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        store.state(forbidden(0o000) / "run")


def test_setting_aside_loses_nothing_and_hides_the_records(run):
    root = run.parents[3]
    for _ in range(2):
        run.mkdir(exist_ok=True)
        write(run, "record.json", RECORD)
        assert store.records_below(root) == [run]
        store.set_aside(run)
    assert sorted(path.name for path in run.parent.iterdir()) == ["0123-4567.old1", "0123-4567.old2"]
    assert all(store.is_set_aside(path) for path in run.parent.iterdir())
    assert all(store.read_record(path) == RECORD for path in run.parent.iterdir())
    assert store.records_below(root) == []
    assert not store.is_set_aside(run)


def test_only_readable_records_are_found(run):
    root = run.parents[3]
    other = run.with_name("89ab-cdef")
    other.mkdir()
    write(other, "record.json", "{")
    write(run, "record.json", RECORD)
    assert store.records_below(root) == [run]
