"""Files as nobody wrote them: never a traceback, never another number, and all others are still judged.

`GANBENCH_FUZZ_EXAMPLES` says how many each test tries: a few by default, thousands in `tox -e reliability`.
"""

import copy
import csv
import importlib.util
import io
import json
import os
import shutil
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark import suites
from benchmark.cli import main, unexpected
from benchmark.records import record, store
from benchmark.suites import plan

SYNTHETIC = Path(__file__).parents[1] / "benchmark" / "cli" / "synthetic.py"
fuzzed = settings(
    max_examples=int(os.environ.get("GANBENCH_FUZZ_EXAMPLES", "5")),
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
TEXTS = st.sampled_from(
    [
        "",
        "../../escaped",
        "/abs",
        "a" * 5000,
        "\x1b[31m",
        "\n",
        "=1",
        "{}",
        "%s",
        "nan",
        "1e999",
        "gan/digits",
    ]
) | st.text(max_size=8)
INTEGERS = (-1, 0, 1, 7, 2**31, 2**63, 2**64 - 1, 2**64, 10**20, 10**400)
FLOATS = (0.5, -0.0, 5e-324, 1e300, 1e308, -1e308, float("nan"), float("inf"))
NUMBERS = st.sampled_from([*INTEGERS, *FLOATS])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
BYTES = st.sampled_from(
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"\0" * 100, b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000]
) | st.binary(max_size=40)


@cache
def synthetic():
    spec = importlib.util.spec_from_file_location("synthetic", SYNTHETIC)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ganbench(*arguments):
    """Exit code, stdout and stderr of the command in this process, which has no unexpected error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code or 0
    if code == unexpected.EXIT_CODE:
        saved = next(word for word in err.getvalue().split() if word.endswith(".txt."))[:-1]
        pytest.fail(f"ganbench {arguments}: {Path(saved).read_text()}")
    assert code in (0, 1, 2, 3, 4)
    assert "Traceback" not in out.getvalue() + err.getvalue()
    if code == 2:
        assert err.getvalue().splitlines()[-1].startswith(("ganbench: ", "Try 'ganbench"))
    return code, out.getvalue(), err.getvalue()


@st.composite
def places(draw, content):
    """A place in JSON data, by a walk from its top that may end anywhere."""
    path, ends = [], False
    while content and isinstance(content, dict | list) and not ends:
        path.append(draw(st.sampled_from([*content] if isinstance(content, dict) else range(len(content)))))
        content = content[path[-1]]
        ends = draw(st.integers(0, 2)) == 0
    return path


@cache
def edits(text):
    """One to three changes of this JSON: a value replaced, removed or doubled."""
    where = places(json.loads(text))
    how = st.sampled_from(["replace", "remove", "double"])
    return st.lists(st.tuples(how, where, VALUES, TEXTS), min_size=1, max_size=3)


def edited(content, changes):
    """The content after `changes`, as far as their places are still there."""
    content = copy.deepcopy(content)
    for how, (*above, last), value, key in changes:
        holder = content
        try:
            for name in above:
                holder = holder[name]
            found = holder[last]
        except (LookupError, TypeError):
            continue
        if how == "remove":
            del holder[last]
        elif how == "replace":
            holder[last] = value
        elif isinstance(holder, list):
            holder.append(found)
        else:
            holder[key] = found
    return content


def sealed(content):
    """With its own SHA-256 again, where that can be computed: an attacker would."""
    try:
        return record.sealed(content)
    except (ValueError, TypeError, OverflowError, AttributeError):
        return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six records and what the commands say of five of them, without the one that is to be changed."""
    home = tmp_path_factory.mktemp("fuzz")
    with chdir(home):
        make = synthetic()
        Path("small.toml").write_text(make.SUITE)
        make.put_all()
        assert ganbench("accept", "small.toml", "--yes")[0] == 0
        (victim,) = [
            r.directory for r in store.records_below(Path("results/runs/wgan"))[0] if r.record["seed"] == 1
        ]
        content = json.loads((victim / "record.json").read_text())
        (victim / "record.json").unlink()
        yield home, victim, content, said()


def said():
    """What must not depend on another record: values in the table, by run, and gan's line of the check."""
    code, _, err = ganbench("report", "results/runs", "--to", "report", "--format", "csv,tex,json")
    assert code == 0, err
    lines = list(csv.DictReader(Path("report/results.csv").read_text().splitlines()))
    checked = json.loads(ganbench("check", "small.toml", "--from", "results/runs", "--json")[1])
    gan = [(c["name"], c["ours"], c["theirs"]) for c in checked["cases"] if c["experiment"] == "gan/digits"]
    return {(x["run_id"], x["gen_iters"], x["metric"]): x["value"] for x in lines}, gan


@fuzzed
@given(data=st.data())
def test_records(folder, data):
    home, victim, content, before = folder
    with chdir(home):
        path = victim / "record.json"
        if data.draw(st.integers(0, 4)):
            new = edited(content, data.draw(edits(json.dumps(content))))
            if data.draw(st.booleans()):
                new = sealed(new)
            path.write_text(json.dumps(new))
        else:
            path.write_bytes(data.draw(BYTES))
        try:
            values, gan = said()
            for run, value in before[0].items():
                assert values[run] == value
            assert gan == before[1]
            for arguments in (
                ["compare", "results/runs", "results/runs"],
                ["report", "small.toml", "--device", "cpu"],
                ["status", "small.toml", "--device", "cpu"],
                ["losses", victim],
                ["verify", victim, "--no-rerun"],
            ):
                ganbench(*arguments)
        finally:
            path.unlink()


@fuzzed
@given(data=st.data())
def test_references(folder, data):
    home, *_ = folder
    with chdir(home):
        content = json.loads(Path("results/reference/small.json").read_text())
        if data.draw(st.integers(0, 4)):
            new = edited(content, data.draw(edits(json.dumps(content))))
            if data.draw(st.booleans()) and isinstance(new.get("records"), list):
                new["records"] = [sealed(r) if isinstance(r, dict) else r for r in new["records"]]
            Path("reference.json").write_text(json.dumps(new))
        else:
            Path("reference.json").write_bytes(data.draw(BYTES))
        for arguments in (
            ["check", "small.toml", "--from", "results/runs", "--reference", "reference.json", "--json"],
            ["compare", "reference.json", "results/runs"],
        ):
            code, out, _ = ganbench(*arguments)
            if code in (0, 1) and "--json" in arguments:
                json.loads(out)


@fuzzed
@given(data=st.data())
def test_events_progress_and_specs(folder, data):
    home, *_ = folder
    with chdir(home):
        chosen = suites.load("small.toml").revised(seeds="0-1", patterns=("gan/*",))
        first, second = plan.plan(chosen, Path("events"), "cpu")
        shutil.rmtree("events", ignore_errors=True)
        for run in (first, second):
            run.directory.mkdir(parents=True)
            (run.directory / "spec.json").write_text(json.dumps(run.spec))
        (second.directory / "events.jsonl").write_text('{"event": "failed", "reason": "no memory"}\n')
        events = [{"event": "started", "pid": 1}, {"event": "checkpoint", "gen_iters": 5, "file": "5"}]
        lines = edited(events, data.draw(edits(json.dumps(events)) | st.just([])))
        text = b"\n".join([*(json.dumps(line).encode() for line in lines), data.draw(BYTES)])
        (first.directory / "events.jsonl").write_bytes(text)
        (first.directory / "progress.json").write_text(json.dumps(data.draw(VALUES)))
        if data.draw(st.booleans()):
            (first.directory / "spec.json").write_text(
                json.dumps(edited(first.spec, data.draw(edits(json.dumps(first.spec)))))
            )
        for verb in ("status", "plan"):
            code, out, err = ganbench(verb, "small.toml", "--out", "events", "--device", "cpu", "--json")
            assert code == 0, err
            runs = json.loads(out)["runs"] if verb == "plan" else json.loads(out)
            states = {(r["experiment"], r["seed"]): (r["state"], r["reason"]) for r in runs}
            assert states["gan/digits", 1] == ("failed", "no memory")
            assert states["wgan/digits", 0] == ("not run", "")


NUMERALS = ("1", "4", "0", "-1", "1e999", "nan", "100_000_000_000_000_000_000", "18446744073709551616")
LONG = ("0x" + "f" * 5000, "[" * 2000, "9" * 5000)
OTHERS = ("", "true", "''", "[]", "{}", "[[]]", "{ a = 1 }", "[1, 'a']", "1979-05-27")
STRINGS = (
    '"a"',
    '"\\u001b"',
    '"**"',
    '"[!]"',
    '["gan/digits", 1]',
    '"0-99999999"',
    '"folder:"',
    '"folder:\\u0000"',
    '"folder#"',
    '"paper"',
)
TOML = st.sampled_from([*NUMERALS, *LONG, *OTHERS, *STRINGS]) | st.text(max_size=10)
KEYS = (
    *("title", "experiments", "seeds", "gen_iters", "evaluate_every", "protocols"),
    *("note", "dataset", "numerics", "budgets", "gate", "waiver"),
)
TABLES = ("budgets", 'budgets."gan/digits"', "gate", "gate.effects", "[waiver]", "other")
INNER = ("gen_iters", "reason", "alpha", "effects", "points", "confirm_with", "fid", "cell", "expires")
ENTRIES = st.dictionaries(st.sampled_from(INNER), TOML)


@fuzzed
@given(
    values=st.dictionaries(st.sampled_from(KEYS), TOML, max_size=2),
    tables=st.lists(st.tuples(st.sampled_from(TABLES), ENTRIES), max_size=2),
    tail=st.just("") | st.text(max_size=10),
)
def test_suites(folder, values, tables, tail):
    home, *_ = folder
    with chdir(home):
        good = dict(line.split(" = ", 1) for line in synthetic().SUITE.splitlines())
        lines = [f"{key} = {value}" for key, value in {**good, **values}.items()]
        for name, entries in tables:
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in entries.items())]
        text = "\n".join([*lines, tail])
        Path("fuzzed.toml").write_text(text, encoding="utf-8", errors="surrogatepass")
        code, _, err = ganbench("plan", "fuzzed.toml", "--device", "cpu", "--json")
        assert code in (0, 2)
        assert len(err) < 5000
        ganbench("check", "fuzzed.toml", "--from", "results/runs")
