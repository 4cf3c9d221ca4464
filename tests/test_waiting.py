"""What tests wait with must not hang when the thing it waits for cannot come."""

import sys

import pytest


def test_who_waits_for_a_process_that_has_ended_fails(wait, begin):
    process = begin([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(pytest.fail.Exception, match="ended before its time, exit code 3"):
        wait(lambda: False, process)


def test_what_a_process_did_last_counts(wait, begin, tmp_path):
    process = begin([sys.executable, "-c", f"open({str(tmp_path / 'done')!r}, 'w')"])
    process.wait()
    assert wait((tmp_path / "done").exists, process)


STARTED = []


def test_a_process_is_started(begin):
    STARTED.append(begin([sys.executable, "-c", "import time; time.sleep(9000)"]))


def test_it_has_ended_with_its_test():
    assert [process.returncode for process in STARTED] == [-9] * len(STARTED)
