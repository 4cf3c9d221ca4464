"""`ganbench bench` as a command: files, models, exit codes. Nothing is measured here."""

import json
from pathlib import Path

import pytest

from benchmark.engines.benching import processes
from benchmark.records import environment, shipped

FILE = Path("o", "bench.json")
ACCEPTED = Path("o", "reference", "bench.json")


def measured(share=0.5, gflop=2.0, spread=0.01, per_s=20.0):
    return {
        "per_s": [per_s * (1 - spread), per_s, per_s * (1 + spread)],
        "share_of_roof": [share * (1 - spread), share, share * (1 + spread)],
        "gflop": {"convolution": gflop, "matmul": 0.0},
        "rounds": 9,
    }


@pytest.fixture
def speeds(monkeypatch):
    """What the processes measure, by experiment; a test may change it."""
    now = {}

    def everything(names, device, seconds, told):
        experiments = {}
        for name in names:
            told(name)
            made = {"gen_iters": measured(), "generated_images": measured(0.4, per_s=4000.0)}
            experiments[name] = {"start_cpu_s": 2.5, **made, **now.get(name, {})}
        scored = {"extractor": "digits-lenet", "scored_images": measured(0.1, per_s=17000.0)}
        return experiments, {"digits-2k": scored, "is-50k": {"left_out": "no weights"}}

    monkeypatch.setattr(processes, "everything", everything)
    monkeypatch.setattr(shipped, "folder", lambda: Path("none"))
    return now


def test_a_table_and_a_file(ganbench, speeds):
    code, out, err = ganbench("bench", "--out", "o")
    assert code == 0
    assert all(f"{name}/digits" in out for name in ("gan", "dcgan", "wgan", "wgan_gp", "sngan"))
    assert "20 (19.8–20.2)" in out
    assert "50 %" in out
    assert "Not measured: is-50k: no weights." in err
    (block,) = json.loads(FILE.read_text())["devices"].values()
    assert len(block["experiments"]) == 5
    assert not ACCEPTED.exists()
    ganbench("bench", "gan/mnist", "--out", "o")
    (block,) = json.loads(FILE.read_text())["devices"].values()
    assert len(block["experiments"]) == 6


def outcomes(ganbench, *arguments):
    code, out, _ = ganbench("bench", "gan/digits", "--check", "--json", "--out", "o", *arguments)
    found = {(f["name"], f["measure"]): f["outcome"] for f in json.loads(out)["findings"]}
    return code, found["gan/digits", "gen_iters"]


def test_accepted_then_slower(ganbench, speeds):
    assert ganbench("bench", "gan/digits", "--check", "--out", "o")[0] == 4
    assert ganbench("bench", "gan/digits", "--accept", "--out", "o")[0] == 0
    assert outcomes(ganbench) == (0, "unchanged")
    speeds["gan/digits"] = {"gen_iters": measured(0.3)}
    assert outcomes(ganbench) == (1, "slower")
    assert outcomes(ganbench, "--tolerance", "0.5") == (0, "unchanged")
    speeds["gan/digits"] = {"gen_iters": measured(0.3, spread=0.7)}
    assert outcomes(ganbench) == (0, "unchanged")  # rounds differ as much
    speeds["gan/digits"] = {"gen_iters": measured(0.7)}
    assert outcomes(ganbench) == (0, "faster")


def test_more_arithmetic_at_the_same_share_is_slower(ganbench, speeds):
    ganbench("bench", "gan/digits", "--accept", "--out", "o")
    speeds["gan/digits"] = {"gen_iters": measured(0.5, gflop=4.0)}
    assert outcomes(ganbench) == (1, "slower")


def test_work_without_products_has_no_share_and_is_not_compared(ganbench, speeds):
    speeds["gan/digits"] = {"gen_iters": measured(0.0, gflop=0.0)}
    ganbench("bench", "gan/digits", "--accept", "--out", "o")
    assert outcomes(ganbench) == (0, "new")


def test_what_was_not_accepted_is_new_and_alone_nothing_to_judge(ganbench, speeds, monkeypatch):
    ganbench("bench", "gan/digits", "--accept", "--out", "o")
    code, out, _ = ganbench("bench", "gan/mnist", "--check", "--out", "o")
    assert (code, "new" in out) == (0, True)  # the protocol was accepted
    content = json.loads(ACCEPTED.read_text())
    next(iter(content["devices"].values()))["protocols"].clear()
    ACCEPTED.write_text(json.dumps(content))
    code, _, err = ganbench("bench", "gan/mnist", "--check", "--out", "o")
    assert (code, "none of these was accepted" in err) == (4, True)


def test_another_model_is_refused_in_one_line_before_anything_is_measured(ganbench, speeds, monkeypatch):
    ganbench("bench", "gan/digits", "--accept", "--out", "o")
    here = environment.describe("cpu")
    monkeypatch.setattr(environment, "describe", lambda kind: {**here, "device": "Other CPU"})
    code, out, err = ganbench("bench", "gan/digits", "--check", "--out", "o")
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert f"has speeds of {here['device']}, and this is Other CPU" in err
    ganbench("bench", "gan/digits", "--accept", "--out", "o")
    assert set(json.loads(ACCEPTED.read_text())["devices"]) == {here["device"], "Other CPU"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--accept", "--check"),
        ("--tolerance", "0.1"),
        ("--reference", "x.json"),
        ("--check", "--reference", "nothing.json"),
        ("--check", "--tolerance", "1"),
        ("nothing/*",),
    ],
)
def test_usage(ganbench, speeds, arguments):
    code, _, err = ganbench("bench", *arguments, "--out", "o")
    assert code == 2
    assert len(err.splitlines()) <= 2
    assert not FILE.exists()


def with_rate(per_s, shares):
    entry = {"gen_iters": {"per_s": per_s, "share_of_roof": shares, "gflop": {}}}
    block = {"experiments": {"a": entry}, "protocols": {}}
    return json.dumps({"schema_version": 1, "devices": {"CPU": block}})


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"schema_version": 9, "devices": {}}',
        '{"schema_version": 1, "devices": {"CPU": {}}}',
        with_rate([1, 2, None], [1, 1, 1]),
        with_rate([1, 2, 3], [1, -1, 1]),
        with_rate([1, 2], [1, 1, 1]),
    ],
)
def test_a_damaged_file_is_told_and_a_report_goes_without_it(ganbench, speeds, content):
    ACCEPTED.parent.mkdir(parents=True)
    ACCEPTED.write_text(content)
    code, _, err = ganbench("bench", "--check", "--out", "o")
    assert (code, err.count("\n")) == (2, 1)
    FILE.write_text(content)
    from benchmark.cli.results import speeds_of

    assert speeds_of(Path("o")) == {}
