"""Real processes: Ctrl-C and the same command again give the records of an uninterrupted run, bit for bit."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmark.records import identity, loss_file, record, store
from benchmark.training import checkpoint

ROOT = Path(__file__).parents[3]


def comparable(records):
    return {name: identity.canonical(record.comparable_part(content)) for name, content in records.items()}


def progress(directory):
    try:
        return json.loads((directory / "progress.json").read_text())
    except (OSError, ValueError):
        return {}


def run_directories(out):
    return sorted(path.parent for path in (out / "runs").rglob("spec.json"))


def in_the_middle(out):
    """The two run directories, once both train (or one is so far ahead that waiting would let it finish)."""
    found = run_directories(out)
    reached = [progress(directory).get("gen_iters", 0) for directory in found]
    return found if len(found) == 2 and (min(reached) > 2 or max(reached) > 35) else []


@pytest.fixture(scope="module")
def resumed(ganbench, small_suite, tmp_path_factory):
    """The suite two at a time, stopped by Ctrl-C in the middle of training, and the same command again."""
    out = tmp_path_factory.mktemp("resumed") / "results"
    arguments = ("run", small_suite, "--out", out, "--jobs", 2, "--device", "cpu", "--no-report")
    first = ganbench(*arguments, cwd=out.parent)
    directories = first.until(lambda: in_the_middle(out))
    first.interrupt()
    stopped = first.end()
    states = [store.state(directory) for directory in directories]
    return out, stopped, states, ganbench(*arguments, cwd=out.parent).end()


def test_ctrl_c_ends_with_130_and_runs_that_can_go_on(resumed):
    _, (code, stdout, stderr), states, _ = resumed
    assert code == 130
    assert stdout == ""
    assert "Stopped. Nothing is lost; to continue: ganbench run " in stderr
    assert "Traceback" not in stderr
    assert [state.name for state in states] == ["interrupted", "interrupted"]
    assert 0 < max(state.gen_iters for state in states) < 50


def test_the_same_command_again_continues_and_finishes(resumed):
    out, _, states, (code, _, stderr) = resumed
    assert code == 0, stderr
    continued = sum(state.gen_iters > 0 for state in states)
    assert f"2 to do ({continued} continued from a checkpoint)" in stderr
    for directory, state in zip(run_directories(out), states, strict=True):
        resumed_at = [e["gen_iters"] for e in store.events(directory) if e["event"] == "resumed"]
        assert resumed_at == [state.gen_iters] * (state.gen_iters > 0)
        assert store.read_record(directory)["timing"]["sessions"] == 1 + len(resumed_at)


@pytest.mark.slow
def test_interrupted_and_two_at_a_time_is_uninterrupted_and_one_at_a_time(resumed, uninterrupted, records):
    expected, found = records(uninterrupted[0]), records(resumed[0])
    assert set(expected) == {"gan/digits", "dcgan/digits"}
    assert comparable(found) == comparable(expected)
    for name, content in expected.items():
        for file in (*content["samples"], "losses.safetensors"):
            paths = [next((r[0] / "runs" / name).glob(f"*/{file}")) for r in (uninterrupted, resumed)]
            assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_run_directory_holds_what_the_documentation_says(uninterrupted):
    for directory in run_directories(uninterrupted[0]):
        names = {path.name for path in directory.iterdir()}
        assert names == {
            ".lock",
            "spec.json",
            "events.jsonl",
            "record.json",
            "losses.safetensors",
            "checkpoints",
            "samples",
        }
        assert [path.name for path in (directory / "checkpoints").iterdir()] == ["000000050.safetensors"]
        events = [event["event"] for event in store.events(directory)]
        assert events == ["started", "evaluated", "evaluated", "evaluated", "checkpoint", "finished"]
        grid = Image.open(directory / store.read_record(directory)["samples"][-1])
        assert grid.size[0] >= 8 * 28


KEYS = {
    "": "schema_version status run_id cell_id env_id suite experiment baseline seed gen_iters spec curve "
    "final real_data diverged_at digests first_losses samples timing peak_memory_mib provenance "
    "record_sha256",
    "spec": "spec_version suite experiment dataset gen_iters evaluate_at protocols numerics device sources "
    "seed",
    "digests": "generator_weights critic_weights losses samples",
    "timing": "wall_s startup_s train_s evaluate_s checkpoint_s cpu_s sessions checkpoints checkpoint_bytes",
    "final": "gen_iters scores",
    "provenance": "argv git ci python implementation os libc packages cpu threads gpu gpu_driver cuda cudnn "
    "environment determinism started_utc finished_utc",
}
POINT = "gen_iters critic_updates images_seen wall_s scores losses"


def test_a_record_has_exactly_the_documented_keys(uninterrupted, records):
    documentation = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    for content in records(uninterrupted[0]).values():
        for part, keys in KEYS.items():
            inner = content[part] if part else content
            assert set(inner) == set(keys.split()), part
        assert all(set(point) == set(POINT.split()) for point in content["curve"])
    for keys in (*KEYS.values(), POINT):
        assert [key for key in keys.split() if f"`{key}`" not in documentation] == []


def test_a_record_says_what_was_computed(uninterrupted, records):
    for name, content in records(uninterrupted[0]).items():
        assert (content["experiment"], content["seed"], content["gen_iters"]) == (name, 4, 50)
        assert [point["gen_iters"] for point in content["curve"]] == [0, 30, 50]
        assert content["final"] == {"gen_iters": 50, "scores": content["curve"][-1]["scores"]}
        assert set(content["final"]["scores"]["digits-2k"]) == {"is", "fid"}
        assert content["real_data"]["digits-2k"]["fid"] < content["final"]["scores"]["digits-2k"]["fid"]
        assert content["run_id"] == identity.run_id(content["spec"])
        assert content["env_id"] == identity.env_id(
            content["provenance"]["environment"], content["spec"]["numerics"]
        )
        assert content["provenance"]["determinism"]["deterministic_algorithms"] is True
        assert content["provenance"]["determinism"]["num_threads"] == 1
        assert content["provenance"]["determinism"]["autograd_multithreading"] is False
        timing = content["timing"]
        parts = [timing[key] for key in timing if key.endswith("_s") and key not in ("wall_s", "cpu_s")]
        assert sum(parts) == pytest.approx(timing["wall_s"], abs=1.5)


def test_the_weights_digest_is_that_of_the_last_checkpoint(uninterrupted, records):
    from safetensors.torch import load_file

    for name, content in records(uninterrupted[0]).items():
        (path,) = (uninterrupted[0] / "runs" / name).glob("*/checkpoints/*")
        tensors = load_file(path)
        for part in ("generator", "critic"):
            own = {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
            assert checkpoint.digest(own) == content["digests"][f"{part}_weights"]
            assert all(torch.isfinite(v).all() for v in own.values())


def test_the_file_of_losses_has_every_g_iteration_and_those_of_the_record_among_them(uninterrupted, records):
    from safetensors.numpy import load_file

    for name, content in records(uninterrupted[0]).items():
        (path,) = (uninterrupted[0] / "runs" / name).glob("*/losses.safetensors")
        columns = load_file(path)
        assert {(column.dtype.str, column.shape) for column in columns.values()} == {("<f4", (50,))}
        assert content["digests"]["losses"] == loss_file.digest(columns)
        rows = [{loss: float(columns[loss][k]) for loss in columns} for k in range(50)]
        assert content["first_losses"] == rows[:10]
        assert [point["losses"] for point in content["curve"]] == [None, rows[29], rows[49]]


def test_a_record_names_neither_host_nor_user(uninterrupted, records):
    for content in records(uninterrupted[0]).values():
        text = json.dumps(content)
        assert os.uname().nodename not in text
        assert str(Path.home()) + "/" not in text


def test_finished_runs_are_kept_and_the_command_says_so(uninterrupted, ganbench, small_suite):
    out = uninterrupted[0]
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    arguments = ("run", small_suite, "--out", out, "--device", "cpu", "--no-report")
    code, _, stderr = ganbench(*arguments, cwd=out.parent).end()
    assert code == 0
    assert "2 finished, kept as they are; 0 to do" in stderr
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")} == before


def test_json_alone_goes_to_stdout(uninterrupted, ganbench, small_suite):
    out = uninterrupted[0]
    arguments = ("run", small_suite, "--out", out, "--device", "cpu", "--reuse", "only", "--json")
    code, stdout, _ = ganbench(*arguments, cwd=out.parent).end()
    content = json.loads(stdout)
    assert code == 0
    assert content["suite"] == small_suite.stem
    assert [(run["experiment"], run["state"]) for run in content["runs"]] == [
        ("gan/digits", "done"),
        ("dcgan/digits", "done"),
    ]
    assert Path(content["report"]).exists()
    assert {(s["experiment"], s["metric"], s["n"]) for s in content["scores"]} == {
        (name, metric, 1) for name in ("gan/digits", "dcgan/digits") for metric in ("is", "fid")
    }


@pytest.mark.slow
def test_a_damaged_record_is_made_again_from_the_checkpoint(resumed, ganbench, small_suite, records):
    out = resumed[0]
    before = comparable(records(out))
    path = next((out / "runs" / "gan" / "digits").glob("*/record.json"))
    path.write_bytes(path.read_bytes()[:-100])
    arguments = ("run", small_suite, "--out", out, "--device", "cpu", "--no-report")
    code, _, stderr = ganbench(*arguments, cwd=out.parent).end()
    assert code == 0
    assert "1 finished, kept as they are; 1 to do (1 continued from a checkpoint)" in stderr
    assert comparable(records(out)) == before


@pytest.mark.slow
def test_a_killed_run_is_reported_and_the_other_finishes(ganbench, small_suite, tmp_path):
    arguments = ("run", small_suite, "--out", "results", "--jobs", 2, "--budget", 8, "--device", "cpu")
    command = ganbench(*arguments, cwd=tmp_path)
    gan = tmp_path / "results" / "runs" / "gan"
    (directory,) = command.until(
        lambda: [path.parent for path in gan.glob("*/*/events.jsonl") if path.stat().st_size]
    )
    os.kill(store.last_event(directory)["pid"], signal.SIGKILL)
    code, _, stderr = command.end()
    assert code == 3
    assert "gan/digits seed 4: failed: killed by SIGKILL, see results/runs/gan/digits/" in stderr
    assert store.state(directory).text() == "failed: killed by SIGKILL"
    (other,) = (tmp_path / "results" / "runs" / "dcgan" / "digits").iterdir()
    assert store.state(other).name == "done"
    assert re.search(r"^\[2/2\]", stderr, re.MULTILINE)


@pytest.mark.slow
def test_running_everything_again_sets_the_old_runs_aside(ganbench, small_suite, tmp_path):
    arguments = ("run", small_suite, "--experiment", "gan/*", "--budget", 0, "--device", "cpu")
    for reuse in ("missing", "never"):
        code, _, stderr = ganbench(*arguments, "--reuse", reuse, cwd=tmp_path).end()
        assert code == 0
        assert "1 to do" in stderr
        assert "do not count" not in stderr
    new, old = sorted((tmp_path / "results" / "runs" / "gan" / "digits").iterdir())
    assert old.name == f"{new.name}.old1"
    assert record.comparable_part(store.read_record(old)) == record.comparable_part(store.read_record(new))
    assert [run.directory for run in store.records_below(tmp_path / "results")[0]] == [new]
