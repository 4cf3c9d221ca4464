"""One hostile text in every field of a record that may hold text: what each verb and format makes of it."""

import copy
import csv
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmark import suites
from benchmark.judging import accepted
from benchmark.records import record, store
from benchmark.suites import plan

HOSTILE = (
    "=HYPERLINK(1)\x1b[31m\x9b1m\u202e\u2028<script>alert(1)</script>\\input{/etc/passwd}%$#&_^~|`*[a](b)"
    "\"'}{@all\n@misc{forged, title={x}}\r\n::error::forged\n"
)


def unseen(text):
    kinds = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
    return {ch for ch in text if ch not in "\n\t" and unicodedata.category(ch) in kinds}


def spoilt(content):
    """The record, sealed, with the text wherever its schema lets a text be."""
    content = copy.deepcopy(content)
    spec, provenance = content["spec"], content["provenance"]
    experiment = spec["experiment"]
    for key in ("title", "summary", "dataset"):
        experiment[key] = HOSTILE
    experiment["paper"] = dict.fromkeys(("key", "citation", "arxiv", "bibtex"), HOSTILE)
    experiment["deviations"] = [dict.fromkeys(("what", "why", "effect"), HOSTILE)]
    experiment["settings"][HOSTILE] = {"value": HOSTILE, "source": HOSTILE, "confidence": HOSTILE}
    for key in ("arithmetic", "source", "confidence"):
        experiment["budget"][key] = HOSTILE
    spec["dataset"]["title"] = spec["dataset"]["name"] = HOSTILE
    for protocol in spec["protocols"]:
        protocol |= {"title": HOSTILE, "note": HOSTILE, "extractor": HOSTILE}
    content["suite"] = spec["suite"] = HOSTILE
    for point in content["curve"]:
        point["losses"] = {HOSTILE: 1.0}
    provenance |= {"os": HOSTILE, "cpu": HOSTILE, "libc": HOSTILE, "gpu": HOSTILE, "argv": [HOSTILE]}
    provenance["git"] = {"sha": HOSTILE, "dirty": True, "diff_sha256": HOSTILE}
    provenance["environment"] = dict.fromkeys((*provenance["environment"], "device", "torch"), HOSTILE)
    provenance["packages"] = {"torch": HOSTILE, HOSTILE: HOSTILE}
    return record.sealed({key: value for key, value in content.items() if key != "record_sha256"})


@pytest.fixture
def results(synthetic):
    """Hostile records of two experiments with three seeds."""
    for experiment, fids in synthetic.FIDS.items():
        for seed in range(3):
            synthetic.put(spoilt(synthetic.make_record(experiment, seed, fids[seed])))
    return Path("results")


def test_the_report_shows_it_and_obeys_none_of_it(results, ganbench):
    code, out, err = ganbench("report", results, "--to", "report")
    assert code == 0, err
    assert not unseen(out + err)
    texts = [path for path in Path("report").rglob("*.*") if path.suffix != ".pdf"]
    files = {path.name: path.read_text(encoding="utf-8") for path in texts}
    assert {"report.html", "report.md", "tables.tex", "results.csv", "citations.bib"} <= files.keys()
    for name, text in files.items():
        assert not unseen(text), name
        if name.endswith(".svg"):
            ET.fromstring(text)
    assert "<script>alert" not in files["report.html"] + files["report.md"].split("## Citations")[0]
    for name in ("tables.tex", "citations.bib"):
        assert r"\input{" not in files[name]
    entries = re.findall(r"(?m)^\s*@\w+\{", files["citations.bib"])
    assert len(entries) == 1  # ours
    assert "@" not in files["citations.bib"].split("@misc{ganbench-")[0]
    for line in csv.reader(files["results.csv"].splitlines()):
        assert not [cell for cell in line if cell.startswith(("=", "+", "@"))]
    assert not re.search(r"(?<!\\)\[a(?<!\\)\]\(b\)", files["report.md"].split("## Citations")[0])
    assert not re.search(r"(?m)^::error", out + err)


def test_pages_of_comparisons_and_of_history_show_it_too(results, ganbench):
    records = [run.record for run in store.records_below(Path(results))[0]]
    accepted.write(Path("hostile.json"), "small", records)
    for arguments, page in (
        (["compare", results, results, "--html", "compared.html"], "compared.html"),
        (["report", "--history", "hostile.json", "--to", "h"], "h/history.html"),
    ):
        code, out, err = ganbench(*arguments)
        assert code == 0, err
        text = Path(page).read_text(encoding="utf-8")
        assert not unseen(text + out + err)
        assert "<script>alert" not in text


def test_verbs_that_judge_print_it_as_text(results, ganbench):
    for arguments in (
        ["check", "small.toml", "--from", results, "--junit", "a.xml", "--summary", "a.md"],
        [
            "check",
            "small.toml",
            "--against",
            "paper",
            "--from",
            results,
            "--junit",
            "b.xml",
            "--summary",
            "b.md",
        ],
        ["check", "small.toml", "--from", results, "--json"],
        ["compare", results, results],
        ["compare", results, results, "--json"],
        ["verify", results],
        ["verify", results, "--json"],
        ["losses", results],
        ["accept", "small.toml", "--from", results],
    ):
        code, out, err = ganbench(*arguments)
        assert code in (0, 1, 2, 3, 4), (arguments, err)
        assert not unseen(out + err), arguments
        assert not re.search(r"(?m)^::error", out + err), arguments
        if "--json" in arguments and out:
            json.loads(out)
    for name in ("a.xml", "b.xml"):
        ET.parse(name)
    for name in ("a.md", "b.md"):
        text = Path(name).read_text(encoding="utf-8")
        assert not unseen(text)
        assert not re.search(r"<script>|(?<!\\)@all|^::error", text)


def test_a_reason_in_the_log_cannot_command_the_terminal(ganbench):
    chosen = suites.load("quick").revised(patterns=("gan/*",), seeds="0")
    (run,) = plan.plan(chosen, Path("results"), "cpu")
    run.directory.mkdir(parents=True)
    (run.directory / "spec.json").write_text(json.dumps(run.spec))
    event = {"event": "failed", "utc": "2026-11-01T00:00:00Z", "reason": HOSTILE}
    (run.directory / "events.jsonl").write_text(json.dumps(event) + "\n")
    arguments = ("--experiment", "gan/*", "--seeds", "0", "--device", "cpu")
    for verb in ("status", "plan"):
        for more in ((), ("--json",)):
            code, out, err = ganbench(verb, *arguments, *more)
            assert code == 0
            assert not unseen(out + err)
            assert not re.search(r"(?m)^(::error|@misc)", out + err)
    assert "HYPERLINK" in ganbench("status", *arguments)[1]
    assert json.loads(ganbench("status", *arguments, "--json")[1])[0]["reason"] == HOSTILE
