"""`ganbench check` from records on disk: exit codes, which records count, JUnit, summary, JSON."""

import dataclasses
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import pytest

from benchmark import suites
from benchmark.judging import accepted, decision, junit, selection, step_summary, verdict
from benchmark.judging import check as checking
from benchmark.judging.cases import Case
from benchmark.records import identity, record
from benchmark.suites import gate_table
from benchmark.suites.gate_table import GateTable
from benchmark.suites.waivers import Waiver
from benchmark.training.numerics import FAITHFUL, PORTABLE

OTHER_ENV = "f" * 64


@pytest.fixture
def s(synthetic):
    return synthetic


@pytest.fixture
def check(ganbench, s):
    def call(*arguments, suite="small.toml"):
        return ganbench("check", suite, *arguments)

    return call


@pytest.fixture
def judged(check):
    """Exit code and the parsed JSON of a check."""

    def call(*arguments):
        code, out, _ = check(*arguments, "--json")
        return code, json.loads(out)

    return call


def accept(s, seeds=range(5), env=OTHER_ENV, **more):
    """A reference that another environment made, so that its numbers may differ."""
    records = [s.make_record(n, i, s.FIDS[n][i], env=env, **more) for n in s.FIDS for i in seeds]
    accepted.write(Path("results/reference/small.json"), "small", records)
    return records


def cases(content, **wanted):
    return [c for c in content["cases"] if all(c[key] == value for key, value in wanted.items())]


# --- Exit codes -------------------------------------------------------------------------------------------


def test_0_what_was_accepted_is_unchanged(s, check):
    accept(s)
    s.put_all()
    code, out, err = check()
    assert (code, err) == (0, "")
    assert "small against the reference: passed: 4 unchanged." in out
    assert "bit for bit the reference's: seeds 0–2" in out
    assert "41 ± 1 (n = 3)  41 ± 0.79 (n = 5)" in out
    assert "\x1b" not in out


def test_few_accepted_seeds_are_told_in_one_line(s, check):
    accept(s, seeds=range(4))
    s.put_all()
    _, _, err = check()
    told = "fewer than 5 seeds in the reference, which lets much pass: gan/digits (4), wgan/digits (4)"
    assert err.count(told) == 1


def test_few_seeds_matter_where_scores_are_judged_not_bits():
    records = [
        {"experiment": "gan/digits", "cell_id": "a", "spec": {"numerics": n}} for n in (PORTABLE, FAITHFUL)
    ]
    assert checking._few_seeds(records[:1]) == []
    assert len(checking._few_seeds(records[1:])) == 1


def test_1_a_regression(s, judged):
    accept(s)
    s.put_all(plus=3.0)
    code, content = judged("--confirm-with", "none")
    assert (code, content["exit_code"]) == (1, 1)
    (worse,) = cases(content, experiment="wgan/digits", metric="fid")
    assert (worse["outcome"], worse["mark"]) == ("regressed", "fail")
    assert worse["difference"].startswith("+3 [")
    decisions = {(d["experiment"], d["metric"]): d["outcome"] for d in content["gate"]["decisions"]}
    assert decisions["wgan/digits", "fid"] == "regressed"
    assert content["gate"]["failed"] is True


def test_1_other_bits_of_the_same_run(s, judged):
    accept(s, env="e" * 64)
    s.put_all(plus=0.001)
    code, content = judged()
    assert code == 1
    assert {c["outcome"] for c in content["cases"]} == {"nondeterministic"}


def test_1_an_experiment_of_the_reference_that_was_not_run(s, judged):
    accept(s)
    s.put_all()
    shutil.rmtree("results/runs/gan")
    code, content = judged()
    assert code == 1
    assert {c["experiment"] for c in cases(content, outcome="missing", mark="fail")} == {"gan/digits"}
    assert not cases(content, outcome="not-run")  # said once


def test_3_a_failed_run_outranks_a_regression(s, judged):
    accept(s)
    s.put_all(seeds=range(2), plus=3.0)
    s.put_unfinished("gan/digits", 2, failed="out of memory")
    code, content = judged("--confirm-with", "none")
    assert code == 3
    (failed,) = cases(content, mark="error")
    assert (failed["name"], failed["outcome"]) == ("gan/digits seed 2", "failed")
    assert "out of memory" in failed["reason"]
    assert cases(content, outcome="regressed")


def test_3_a_failed_run_also_where_nothing_can_be_judged(s, judged):
    s.put_unfinished("gan/digits", 2, failed="out of memory")
    code, content = judged()
    assert (code, len(content["cases"])) == (3, 1)


def test_a_failed_run_that_was_finished_elsewhere_is_none(s, check):
    accept(s)
    s.put_all()
    s.put_unfinished("gan/digits", 2, failed="out of memory", out=Path("lost"))
    assert check("--from", "lost", "--from", "results/runs")[0] == 0


def test_3_a_run_that_failed_after_it_was_finished_elsewhere(s, judged):
    """The runs of a new build all crash beside those of the old one, which cannot stand for them."""
    accept(s)
    s.put_all(finished="2026-07-01T00:00:00Z")
    lost = Path("lost")
    s.put_unfinished("gan/digits", 1, failed="crashed", at="2026-06-30T23:59:59.000Z", out=lost)
    assert judged("--from", "lost", "--from", "results/runs")[0] == 0
    s.put_unfinished("gan/digits", 2, failed="crashed", at="2026-07-02T00:00:00.000Z", out=lost)
    code, content = judged("--from", "lost", "--from", "results/runs")
    assert code == 3
    (failed,) = cases(content, mark="error")
    assert (failed["name"], failed["outcome"]) == ("gan/digits seed 2", "failed")


def test_1_a_run_that_was_stopped_after_it_was_finished_elsewhere_is_not_run(s, judged):
    """Somebody's interrupted run of a new build is no run, and the accepted one no run of that build."""
    accept(s)
    s.put_all(finished="2026-07-01T00:00:00Z")
    new = {"env": "f" * 64, "out": Path("lost")}
    s.put_unfinished("gan/digits", 1, event="interrupted", at="2026-06-30T23:59:59.000Z", **new)
    assert judged("--from", "lost", "--from", "results/runs")[0] == 0
    s.put_unfinished("gan/digits", 2, event="interrupted", at="2026-07-02T00:00:00.000Z", **new)
    code, content = judged("--from", "lost", "--from", "results/runs", "--strict")
    assert code == 1
    (absent,) = cases(content, outcome="not-run")
    assert "no record of seed 2" in absent["reason"]
    for seed in range(2):
        more = {"env": "f" * 64, "out": Path("more")}
        s.put_unfinished("gan/digits", seed, event="started", at="2026-07-02T00:00:00.000Z", **more)
    code, content = judged("--from", "lost", "--from", "more", "--from", "results/runs")
    assert code == 1
    assert {c["experiment"] for c in cases(content, outcome="missing", mark="fail")} == {"gan/digits"}


@pytest.mark.parametrize("damaged", [True, False])
def test_a_broken_copy_of_a_run_that_is_there_is_nothing(damaged, s, judged):
    """As an upload that was cut off."""
    accept(s)
    s.put_all(finished="2026-07-01T00:00:00Z")
    at = "2026-07-01T00:00:01.000Z"
    broken = s.put_unfinished("gan/digits", 2, event="finished", at=at, out=Path("lost"))
    if damaged:
        (broken / "record.json").write_text("{")
    assert judged("--from", "lost", "--from", "results/runs", "--strict")[0] == 0


def test_3_a_run_that_was_damaged_after_it_was_finished_elsewhere(s, judged):
    accept(s)
    s.put_all(finished="2026-07-01T00:00:00Z")
    at = "2026-07-02T00:00:00.000Z"
    broken = s.put_unfinished("gan/digits", 2, event="finished", at=at, env="f" * 64, out=Path("lost"))
    (broken / "record.json").write_text("{")
    code, content = judged("--from", "lost", "--from", "results/runs")
    assert code == 3
    (damaged,) = cases(content, mark="error")
    assert (damaged["name"], damaged["outcome"]) == ("gan/digits seed 2", "damaged")


def test_3_divergence_where_the_reference_did_not(s, judged):
    records = accept(s)
    s.put_all(seeds=range(2))
    s.put(s.make_record("gan/digits", 2, None))
    s.put(s.make_record("wgan/digits", 2, 19.6))
    code, content = judged()
    assert code == 3
    (case,) = cases(content, outcome="diverged")
    assert (case["name"], case["mark"]) == ("gan/digits seed 2", "error")
    # It is nothing new where accepted runs diverge too: here the same run, bit for bit.
    known = [s.make_record("gan/digits", 2, None, env=OTHER_ENV), *(r for r in records if r["seed"] != 2)]
    accepted.write(Path("results/reference/small.json"), "small", known)
    assert judged()[0] == 0


def test_3_a_record_that_was_altered(s, judged):
    accept(s)
    path = s.put_all()[0] / "record.json"
    path.write_text(path.read_text().replace('"fid": 40.0', '"fid": 4.0'))
    code, content = judged()
    assert code == 3
    (case,) = cases(content, mark="error")
    assert (case["name"], case["outcome"]) == ("gan/digits seed 0", "damaged")


def test_3_a_record_whose_numbers_cannot_be_squared(s, judged, ganbench):
    accept(s)
    for directory in s.put_all():
        content = json.loads((directory / "record.json").read_text())
        s.put(s.make_record(content["experiment"], content["seed"], 1e300 * (-1) ** content["seed"]))
    code, content = judged()
    assert code == 3
    found = cases(content, mark="error")
    assert {case["outcome"] for case in found} == {"damaged"}
    assert all("1e+100 at `.curve[1].scores[...][...]`" in case["reason"] for case in found)
    assert ganbench("report", "results", "--to", "report")[0] in (3, 4)


def test_4_without_records_without_reference_and_without_comparable_claims(s, check, judged):
    code, out, err = check()
    assert (code, out) == (4, "")
    assert "no current record of the suite 'small'" in err
    s.put_all()
    code, _, err = check()
    assert code == 4
    assert "no reference of the suite 'small' was accepted yet" in err
    code, content = judged("--against", "paper")
    assert (code, content["exit_code"]) == (4, 4)
    assert "no paper prints a number about these experiments" in content["conclusion"]


def test_4_where_nothing_can_be_compared(s, judged):
    accept(s, seeds=[0])
    s.put_all(seeds=[0], plus=1.0)
    code, content = judged()
    assert code == 4
    assert "nothing can be compared: one seed on each side" in content["conclusion"]
    assert judged("--strict")[0] == 1


def test_a_damaged_spec_is_no_crash(s, check):
    accept(s)
    directories = s.put_all()
    for text in ("{", "[]", '{"experiment": {"name": "gan/digits"}, "seed": 1}'):
        (directories[0] / "record.json").unlink(missing_ok=True)
        (directories[0] / "spec.json").write_text(text)
        assert check()[0] == 0
    spec = s.make_spec("gan/digits", 0)
    del spec["experiment"]["settings"]
    (directories[0] / "spec.json").write_text(json.dumps(spec))
    assert check()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alpha", "2"], "--alpha: must be a number between 0 and 1, not 2.0"),
        (["--against", "papers"], "'--against'"),
        (["--confirm-with", "x"], "--confirm-with: cannot read the seeds 'x'"),
        (["--reference", "none.json"], "--reference none.json: there is no such file"),
        (["--from", "nowhere"], "'--from'"),
        (["--experiment", "dcgan/*"], "no experiment matches 'dcgan/*'"),
        (["--summary", "auto"], "--summary auto: $GITHUB_STEP_SUMMARY is not set"),
        (["--waivers", "none.toml"], "--waivers none.toml: cannot read the waivers"),
        (["--waivers", "small.toml"], "small.toml: unknown key 'evaluate_every'"),
        (["--junit", "small.toml/x.xml"], "small.toml: cannot be written"),
    ],
)
def test_2_usage(arguments, message, check, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    code, out, err = check(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_2_an_edited_reference_names_the_record(s, check):
    accept(s)
    s.put_all()
    path = Path("results/reference/small.json")
    path.write_text(path.read_text().replace('"fid": 20.4', '"fid": 29.4'))
    code, _, err = check()
    assert code == 2
    assert "the record of wgan/digits seed 1 was altered" in err


HEAVY = """
import json, sys
from benchmark.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = {"torch", "torchvision", "matplotlib", "pandas", "scipy", "numpy"}
    print(json.dumps(sorted(heavy & set(sys.modules))), file=sys.stderr)
"""


@pytest.mark.parametrize("against", ["reference", "paper"])
@pytest.mark.parametrize("summary", [(), ("--summary", "x.md")])
def test_judging_imports_nothing_heavy(summary, against, s):
    accept(s)
    s.put_all()
    arguments = ("check", "small.toml", "--against", against, "--junit", "x.xml", *summary)
    done = subprocess.run(
        [sys.executable, "-c", HEAVY, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == {"reference": 0, "paper": 4}[against]
    # A summary has the report's first screen, whose modules draw as well.
    allowed = {"matplotlib", "numpy"} if summary else set()
    assert set(json.loads(done.stderr.splitlines()[-1])) <= allowed


# --- Evidence, waivers, confirmation ----------------------------------------------------------------------


def test_strict_demands_every_seed_and_evidence(s, judged):
    accept(s)
    s.put_all(seeds=range(2))
    code, content = judged()
    assert code == 0
    assert {c["experiment"] for c in cases(content, outcome="not-run", mark="warn")} == set(s.FIDS)
    code, content = judged("--strict")
    assert code == 1
    assert len(cases(content, outcome="not-run", mark="fail")) == 2


def test_an_interrupted_run_is_named_where_its_seed_is_missing(s, judged):
    accept(s)
    s.put_all(seeds=range(2))
    s.put(s.make_record("gan/digits", 2, 42.0))
    s.put_unfinished("wgan/digits", 2)
    (case,) = cases(judged()[1], outcome="not-run")
    assert "no record of seed 2; seed 2 interrupted at 0" in case["reason"]


def test_a_regression_asks_for_the_next_seeds_and_takes_them_if_they_are_there(s, judged):
    accept(s)
    s.put_all(plus=3.0)
    code, content = judged()
    assert code == 1
    assert (
        "to be confirmed by seeds 3, 4" in cases(content, experiment="wgan/digits", metric="fid")[0]["reason"]
    )
    for name in s.FIDS:
        for seed in (3, 4):
            s.put(s.make_record(name, seed, s.FIDS[name][seed] - 4.0))
    code, content = judged()
    assert code == 0
    assert "not with more seeds" in cases(content, experiment="wgan/digits", metric="fid")[0]["reason"]


WAIVER = '[[waiver]]\ncell = "*"\nreason = "known"\nexpires = {}\n'


def test_waivers_of_the_suite_and_of_a_file(s, check, judged):
    accept(s)
    s.put_all(plus=3.0)
    s.put_unfinished("gan/digits", 2, failed="x", out=Path("elsewhere"))
    Path("w.toml").write_text(WAIVER.format('"9999-01-01"'))
    code, content = judged("--waivers", "w.toml")
    assert code == 0
    assert "regressed (waived)" in content["conclusion"]
    assert all(
        "waived: * until 9999-01-01: known" in c["reason"] for c in cases(content, outcome="regressed")
    )
    Path("small.toml").write_text(s.SUITE + WAIVER.format("2020-01-01"))
    code, content = judged("--waivers", "w.toml")
    assert code == 1
    assert [c["name"] for c in cases(content, mark="fail")] == ["* until 2020-01-01: known"]


def test_a_waiver_also_lets_a_failed_run_pass_and_an_idle_one_is_told(s, judged):
    accept(s)
    s.put_all()
    Path("w.toml").write_text(WAIVER.format("9999-01-01"))
    code, content = judged("--waivers", "w.toml")
    assert (code, content["notes"]) == (0, ["waiver not needed: * until 9999-01-01: known"])
    shutil.rmtree("results/runs/gan")
    s.put_unfinished("gan/digits", 1, failed="x")
    s.put(s.make_record("gan/digits", 0, 40.0))
    code, content = judged("--waivers", "w.toml")
    assert (code, content["notes"]) == (0, [])


def test_rules_of_the_suite_and_of_the_command_line(s, judged):
    accept(s)
    for seed, worse_by in enumerate((0.8, 1.0, 1.2)):  # 5 % of 20, p = .007 in pairs
        s.put(s.make_record("wgan/digits", seed, s.FIDS["wgan/digits"][seed] + worse_by))
    Path("small.toml").write_text(s.SUITE + '[gate]\nconfirm_with = "none"\neffects = { fid = 0.03 }\n')
    assert [c["outcome"] for c in cases(judged("--experiment", "wgan/*")[1])] == ["regressed"]
    assert judged("--experiment", "wgan/*", "--alpha", "0.0001")[0] == 0
    Path("small.toml").write_text(s.SUITE + "[gate]\neffects = { fid = 0.2 }\n")
    assert judged("--experiment", "wgan/*")[0] == 0


# --- Which records count ----------------------------------------------------------------------------------


def test_stale_records_do_not_count(s, check, judged):
    accept(s)
    s.put_all(sources={"baselines/gan.py": "0" * 64})
    code, _, err = check()
    assert code == 4
    assert "6 runs of other code" in err
    s.put_all()
    code, content = judged()
    assert (code, content["notes"]) == (0, ["6 runs of other code, settings or protocols not counted"])


@pytest.mark.parametrize(
    "other",
    [
        {"gen_iters": 41},
        {"evaluate_at": [0, 40]},
        {"protocols": []},
        {"dataset": {"name": "mnist", "title": "", "digest": "d" * 64}},
    ],
    ids=str,
)
def test_runs_of_another_budget_data_or_protocol_are_not_the_suites(other, s, check):
    accept(s)
    s.put_all(**other)
    assert check()[0] == 4


def test_a_protocol_that_has_changed_since_makes_records_stale(s, check):
    from benchmark.evaluation import protocols

    accept(s)
    s.put_all(protocols=[{**protocols.get("digits-2k").as_dict(), "n_generated": 1000}])
    code, _, err = check()
    assert (code, "6 runs of other code" in err) == (4, True)


@pytest.mark.parametrize("arguments", [(), ("--seeds", "0-2")])
def test_the_accepted_runs_do_not_outvote_what_ran_after_them(s, judged, arguments):
    s.put_all(seeds=range(5))
    accept(s, seeds=range(5))
    assert judged(*arguments)[0] == 0
    s.put_all(plus=50.0, env="a" * 64, finished="2026-12-01T00:00:00Z")
    code, content = judged(*arguments)
    assert code == 1
    assert {c["outcome"] for c in cases(content, metric="fid")} == {"regressed"}
    assert all("to be confirmed by seeds 3, 4" in c["reason"] for c in cases(content, metric="fid"))
    assert any(
        "seeds 0–2 were run in several environments; aaaaaaaa counts first" in n for n in content["notes"]
    )


def test_a_reference_with_a_record_of_other_settings_is_refused(s, check):
    records = accept(s)
    s.put_all()
    forged = json.loads(json.dumps(records[0]))
    forged["spec"]["experiment"]["settings"]["learning_rate"]["value"] = 123.0
    forged = record.sealed({k: v for k, v in forged.items() if k != "record_sha256"})
    accepted.write(Path("results/reference/small.json"), "small", [forged, *records[1:]])
    code, _, err = check()
    assert (code, "small.json: the cell_id of gan/digits seed 0 is not that of its spec" in err) == (2, True)


def test_the_reference_of_another_suite_is_told(s, judged):
    accept(s, suite="other")
    s.put_all()
    told = "the reference has records of the suite 'other', not of 'small' alone"
    assert told in judged()[1]["notes"]
    accept(s)
    assert told not in judged()[1]["notes"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_file_that_the_disk_has_no_room_for_is_named(s, check):
    s.put_all()
    what = "ganbench: /dev/full: cannot be written (No space left on device)\n"
    assert check("--junit", "/dev/full")[::2] == (2, what)


def test_a_record_whose_parts_are_not_of_its_spec_is_damaged(s, judged):
    accept(s)
    s.put_all()
    assert judged()[0] == 0

    def other_settings(content):
        content["spec"]["experiment"]["settings"]["learning_rate"]["value"] = 123.0
        content["run_id"] = identity.run_id(content["spec"], content["cell_id"])

    def cut(content):
        content["curve"] = [content["curve"][0], content["curve"][-1]]

    def unscored(content):  # it would be a seed without a result, which passes where enough others have one
        del content["curve"][2]["scores"]["digits-2k"]["fid"]

    for forge, what in ((other_settings, "cell_id"), (cut, "curve"), (unscored, "curve")):
        content = s.make_record("gan/digits", 1, s.FIDS["gan/digits"][1])
        forge(content)
        directory = s.put(record.sealed({k: v for k, v in content.items() if k != "record_sha256"}))
        code, found = judged()
        assert code == 3
        assert f"its {what} is not that of its spec" in cases(found, outcome="damaged")[0]["reason"]
        shutil.rmtree(directory)
        s.put_all()


def test_the_same_run_twice_counts_once_and_twice_different_fails(s, judged):
    accept(s)
    s.put_all()
    s.put_all(out=Path("shard"))
    assert judged("--from", "results/runs", "--from", "shard")[0] == 0
    s.put_all(out=Path("shard"), plus=0.1)
    code, content = judged("--from", "results/runs", "--from", "shard")
    assert code == 1
    assert len(cases(content, outcome="nondeterministic")) == 6


def test_another_word_about_a_protocol_makes_no_other_run(s, judged):
    """As after a correction of its note, which no identity has."""
    accept(s)
    s.put_all()
    for directory in s.put_all(out=Path("shard")):
        content = json.loads((directory / "record.json").read_text())
        content["spec"]["protocols"][0]["note"] = "said better"
        (directory / "record.json").write_text(json.dumps(record.sealed(content)))
    code, content = judged("--from", "results/runs", "--from", "shard")
    assert (code, cases(content, outcome="nondeterministic")) == (0, [])


def test_seeds_of_the_command_line(s, judged):
    accept(s)
    s.put_all(seeds=range(4))
    found = judged("--seeds", "0-3")[1]["gate"]["decisions"]
    assert all("seeds 0–3" in d["reason"] for d in found)


# --- Against the paper --------------------------------------------------------------------------------------


@pytest.fixture
def verdicts(monkeypatch, s):
    """Lets claims about our experiments come out as wanted; the rules have tests of their own."""
    from benchmark.judging.against_paper import Judged
    from benchmark.judging.verdict import Verdict

    def will_be(*outcomes, confirmed=True, metric="fid"):
        s.put_all()
        found = [
            Judged(
                type("Claim", (), {"kind": "value"})(),
                ("wgan/digits",),
                Verdict(
                    claim=f"claim-{i}",
                    outcome=outcome,
                    reason="so it is",
                    confirmed=confirmed,
                    experiment="wgan/digits",
                    metric=metric,
                    paper="21.7 ± 0.2",
                ),
            )
            for i, outcome in enumerate(outcomes)
        ]
        monkeypatch.setattr(checking, "against_paper", lambda *_, **__: found)

    return will_be


@pytest.mark.parametrize(
    ("outcomes", "confirmed", "code", "strict"),
    [
        (["reproduced"], True, 0, 0),
        (["below", "reproduced"], True, 1, 1),
        (["unstable"], True, 1, 1),
        (["below", "reproduced"], False, 0, 0),
        (["above"], True, 0, 0),
        (["inconclusive"], True, 0, 1),
        (["inconclusive"], False, 0, 0),
        (["not-comparable", "missing"], True, 4, 4),
        (["not-comparable", "reproduced"], True, 0, 0),
    ],
)
def test_exit_codes_against_the_paper(outcomes, confirmed, code, strict, verdicts, judged):
    verdicts(*outcomes, confirmed=confirmed)
    found, content = judged("--against", "paper")
    assert found == code
    assert [v["outcome"] for v in content["verdicts"]] == outcomes
    assert judged("--against", "paper", "--strict")[0] == strict


@pytest.mark.parametrize(("metric", "code"), [("is", 0), ("fid", 1)])
def test_a_waiver_names_a_metric_as_records_do_under_both_rules(metric, code, s, verdicts, judged):
    accept(s)
    verdicts("below", metric="inception_score")
    for seed in range(3):
        s.put_all(seeds=[seed], inception=4.0 + 0.01 * seed)
    # Their untrained generators have the lower score too.
    waivers = [WAIVER.format("9999-01-01") + f'metric = "{name}"\n' for name in (metric, "start")]
    Path("w.toml").write_text("".join(waivers))
    for rule in ("reference", "paper"):
        found, content = judged("--waivers", "w.toml", "--against", rule)
        failing = {
            c["outcome"]: c["metric"] for c in content["cases"] if c["outcome"] in ("below", "regressed")
        }
        assert (found, {*failing.values()}) == (code, {"is"}), rule


def test_better_than_the_paper_is_to_be_looked_at(verdicts, judged):
    verdicts("above")
    (case,) = judged("--against", "paper")[1]["cases"]
    assert (case["mark"], case["name"], case["theirs"]) == ("warn", "claim-0 wgan/digits", "21.7 ± 0.2")


def test_real_claims_are_held_against_real_experiments(s, judged):
    Path("cifar.toml").write_text(
        s.SUITE.replace('"gan/digits", "wgan/digits"', '"sngan/cifar10-cnn"').replace("digits-2k", "fid-5k")
    )
    from benchmark.evaluation import protocols

    fid = {**protocols.get("fid-5k").as_dict(), "weights_digest": "a" * 64}
    for seed in range(3):
        dataset = {"name": "cifar10", "title": "", "digest": "d" * 64}
        s.put(s.make_record("sngan/cifar10-cnn", seed, 30.0 + seed, protocols=[fid], dataset=dataset))
    from benchmark.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["check", "cifar.toml", "--against", "paper"])
    assert ended.value.code == 4  # other data, other budget: shown, not judged


# --- JUnit ----------------------------------------------------------------------------------------------


def conforms(text):
    """What the schemas of Surefire 3.0 and of Jenkins' xUnit plugin both ask of a document."""
    root = ET.fromstring(text)
    assert root.tag == "testsuite"
    assert set(root.attrib) == {"name", "time", "tests", "errors", "skipped", "failures"}
    assert [child.tag for child in root] == ["properties"] + ["testcase"] * (len(root) - 1)
    for prop in root[0]:
        assert (prop.tag, set(prop.attrib), len(prop)) == ("property", {"name", "value"}, 0)
    tests = root.findall("testcase")
    for test in tests:
        assert set(test.attrib) == {"name", "classname", "time"}
        assert len(test) <= 1
        for child in test:
            wanted = {"failure": {"type", "message"}, "error": {"type", "message"}, "skipped": {"message"}}
            assert set(child.attrib) == wanted.get(child.tag, set())
            assert child.tag in {*wanted, "system-out"}
            assert len(child) == 0
    counts = {
        tag: sum(test.find(tag) is not None for test in tests) for tag in ("error", "failure", "skipped")
    }
    assert int(root.get("tests")) == len(tests)
    assert [int(root.get(k)) for k in ("errors", "failures", "skipped")] == list(counts.values())
    assert len({(t.get("classname"), t.get("name")) for t in tests}) == len(tests)
    return tests


def test_junit_has_one_test_per_cell_metric_and_rule(s, check):
    accept(s)
    s.put_all(seeds=range(2), plus=3.0)
    s.put_unfinished("gan/digits", 2, failed="out of memory")
    assert check("--confirm-with", "none", "--junit", "new/gate.xml")[0] == 3
    tests = {t.get("name"): t for t in conforms(Path("new/gate.xml").read_text())}
    failure = tests["wgan/digits digits-2k fid"].find("failure")
    assert tests["wgan/digits digits-2k fid"].get("classname") == "small.wgan/digits"
    assert failure.get("type") == "regressed"
    assert "worse by: +3" in failure.text
    assert tests["gan/digits seed 2"].find("error").get("message").startswith("failed: out of memory")
    assert (
        tests["wgan/digits all seeds run"].find("system-out").text.startswith("not-run: no record of seed 2")
    )


def test_the_summary_has_the_seeds_that_are_judged(s, check):
    """Those that confirm are no part of what its first screen says of the suite."""
    accept(s)
    s.put_all()
    assert check("--summary", "three.md")[0] == 0
    s.put_all(seeds=range(3, 5), plus=50.0)
    check("--summary", "five.md")
    screens = [Path(f"{n}.md").read_text().split("### How far each method got")[1] for n in ("three", "five")]
    assert screens[0] == screens[1]


def test_junit_and_summary_are_written_where_there_is_nothing_to_judge(check):
    assert check("--junit", "gate.xml", "--summary", "summary.md")[0] == 4
    (test,) = conforms(Path("gate.xml").read_text())
    assert "no current record" in test.find("skipped").get("message")
    assert "nothing to judge" in Path("summary.md").read_text()


def hostile(n=1, **changes):
    text = 'a|b <img src=x> *b* `c` \n# @all ]]> & " \x00\x08\ud800\ufffe ![i](u)'
    one = Case(experiment=text, name=text, outcome="regressed", mark="fail", reason=text, ours=text)
    case_list = tuple(
        Case(**{**vars(one), "name": f"{text} {i}", "mark": "pass" if i else "fail"}) for i in range(n)
    )
    given = {
        "suite": text,
        "against": "reference",
        "cases": case_list,
        "notes": (text,),
        "exit_code": 1,
        "conclusion": text,
        "details": {},
    }
    return checking.Checked(**{**given, **changes})


def test_junit_of_hostile_text_is_xml():
    (test,) = conforms(junit.render(hostile()))
    message = test.find("failure").get("message")
    assert "a|b <img src=x>" in message
    assert not {"\x00", "\x08", "\ud800", "\ufffe"} & set(message)


# --- Summary ----------------------------------------------------------------------------------------------


def test_the_summary_is_appended_and_auto_is_githubs(s, check, monkeypatch):
    accept(s)
    s.put_all(plus=3.0)
    Path("step.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    assert check("--summary", "auto", "--confirm-with", "none")[0] == 1
    text = Path("step.md").read_text()
    assert text.startswith("before\n## ganbench check small against the reference\n")
    cases, _, overview = text.partition("### How far each method got\n")
    rows = [line for line in cases.splitlines() if line.startswith("|")]
    assert rows[2].startswith("| ❌ | regressed | ")
    assert len(rows) == 2 + 4
    # The first screen's table, with numbers in place of pictures.
    header, _, gan, wgan, real = (line for line in overview.splitlines() if line.startswith("|"))
    assert header.startswith("| Method | Experiment | FID ↓ | IS ↑ | Seeds | Curve |")
    assert gan.startswith("| GAN | gan/digits | 44.00 ± 1.00 | ")
    assert "| FID ↓ from 300 to 23 over 40 G-iterations | reached 40 G-iterations |" in wgan
    assert real.startswith("| Real images | digits | ")


def test_the_summary_of_hostile_text_is_a_table_of_text():
    text = step_summary.render(hostile())
    row = next(line for line in text.splitlines() if line.startswith("| ❌"))
    assert row.count("|") - row.count("\\|") == 8
    assert not any(mark in text for mark in ("<img", "@all", " *b*", " `c`", "\x00", "![i]", "\x08"))


@pytest.mark.parametrize("room", [step_summary.LIMIT_BYTES, 5000, 300, 0, -10])
def test_the_summary_stays_below_its_limit_and_the_worst_is_first(room):
    text = step_summary.render(hostile(5000), room)
    assert len(text.encode("utf-8", "replace")) <= max(room, 0)
    if room >= 5000:
        assert "| ❌ |" in text
        head = text.count("\n") - 2
        assert f"… {4 + 2 + 5000 + 2 - head} more in the artifact" in text


def test_a_step_that_has_said_enough_gets_no_more_than_fits(s, check):
    accept(s)
    s.put_all()
    Path("step.md").write_text("x" * (step_summary.LIMIT_BYTES - 300))
    assert check("--summary", "step.md")[0] == 0
    assert Path("step.md").stat().st_size <= step_summary.LIMIT_BYTES


# --- Suite files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[gate]\nalhpa = 0.1", "gate: unknown key 'alhpa'. Did you mean 'alpha'?"),
        ("[gate]\nalpha = 1", "gate: alpha: must be a number between 0 and 1, not 1"),
        ("[gate]\npoints = 0", "gate: points: must be a whole number of at least 1, not 0"),
        ("[gate]\neffects = { fdi = 0.1 }", "gate: effects: unknown metric 'fdi'. Did you mean 'fid'?"),
        ("[gate]\nconfirm_with = '2,9'", "gate: confirm_with: seed 2 is one that is to be confirmed"),
        ("[gate]\nconfirm_with = 3", "gate: confirm_with: 3 is neither text nor a list"),
        ("[[waiver]]\ncell = 'a'\nreason = 'b'", "waiver 1: 'expires' is missing"),
        ("[[waiver]]\ncel = 'a'", "waiver 1: unknown key 'cel'. Did you mean 'cell'?"),
        ("[waiver]\ncell = 'a'", "waiver: must be tables [[waiver]]"),
    ],
)
def test_bad_tables_of_a_suite_are_refused(table, message, s, check):
    Path("small.toml").write_text(f"{s.SUITE}\n{table}\n")
    code, out, err = check()
    assert (code, out) == (2, "")
    assert message in err


def test_seeds_for_confirmation_follow_the_suites(s):
    assert suites.load("small.toml").confirmation() == (3, 4)
    assert suites.load("small.toml").revised(seeds="5,1").confirmation() == (6, 7)
    Path("small.toml").write_text(s.SUITE + '[gate]\nconfirm_with = "8-9"\n')
    assert suites.load("small.toml").revised(seeds="0-8").confirmation() == (9,)


def test_two_outputs_are_two_files(s, check):
    s.put_all()
    Path("link.xml").symlink_to("gate.xml")
    for summary in ("gate.xml", "./gate.xml", "link.xml"):
        code, _, err = check("--junit", "gate.xml", "--summary", summary)
        assert (code, "--junit gate.xml: is the file of --summary too" in err) == (2, True)
    assert not Path("gate.xml").exists()


def test_seeds_that_would_confirm_themselves_are_told(s, check):
    accept(s)
    s.put_all()
    code, _, err = check("--confirm-with", "2-4")
    assert (code, "--confirm-with: seed 2 is one that is to be confirmed" in err) == (2, True)
    Path("small.toml").write_text(s.SUITE + '[gate]\nconfirm_with = "4"\n')
    assert "confirm nothing" not in check()[2]
    assert (
        "seed 4 of confirm_with count from the start, by --seeds, and confirm" in check("--seeds", "0-4")[2]
    )


def test_the_page_on_the_gate_names_every_outcome_and_setting():
    text = (Path(__file__).parents[3] / "docs" / "gate.md").read_text(encoding="utf-8")
    outcomes = (*get_args(decision.Outcome), *get_args(verdict.Outcome), *get_args(selection.Trouble))
    settings = [field.name for field in dataclasses.fields(GateTable)]
    settings += [field.name for field in dataclasses.fields(Waiver)]
    for word in (*outcomes, *settings, "diverged", "not-run", "expired"):
        assert f"`{word}`" in text, word
    for metric, size in gate_table.EFFECTS.items():
        share = f"{size:.1%}".replace(".0%", "%").replace("%", " %")
        assert (f"{size} nats per pixel" if metric in gate_table.PER_PIXEL else share) in text


VARIANT = """
[[variants]]
experiment = "gan/digits"
name = "slow"
settings.learning_rate = {}
"""


def test_runs_of_a_variant_with_other_settings_are_stale(ganbench, synthetic):
    """What the suite's file has changed, and runs that were left in the folder must not pass for new ones."""
    suite = Path("small.toml")
    before = suite.read_text()
    suite.write_text(before + VARIANT.format(0.001))
    suites.load("small.toml")
    synthetic.put_all()
    for seed in range(3):
        synthetic.put(synthetic.make_record("gan/digits+slow", seed, 50.0 + seed))
    code, _, stderr = ganbench("accept", "small.toml", "--yes", "--allow-dirty")
    assert code == 0, stderr
    assert ganbench("check", "small.toml")[0] == 0
    suite.write_text(before + VARIANT.format(0.5))
    code, stdout, _ = ganbench("check", "small.toml", "--json")
    said = json.loads(stdout)
    assert code == 1
    assert "3 runs of other code, settings or protocols not counted" in said["notes"]
    outcomes = {(d["experiment"], d["outcome"]) for d in said["cases"]}
    assert ("gan/digits+slow", "missing") in outcomes
    assert ("gan/digits", "unchanged") in outcomes
