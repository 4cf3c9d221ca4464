import random
import subprocess
import sys

import pytest

from benchmark.errors import UserError
from benchmark.report import MissingRun, write_report


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_equal_records_in_any_order_give_equal_bytes(suite, tmp_path):
    runs, missing = suite
    write_report(runs, tmp_path / "a", suite="quick", command="x", missing=missing, bibtex="@a{b}")
    shuffled, backwards = runs[:], missing[::-1]
    random.Random(1).shuffle(shuffled)
    write_report(shuffled, tmp_path / "b", suite="quick", command="x", missing=backwards, bibtex="@a{b}")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    "name", ["citations.bib", "report.md", "report.html", "results.csv", "tables.tex", "verdicts.json"]
)
def test_a_file_of_somebody_elses_is_not_replaced(name, suite, tmp_path):
    runs, _ = suite
    ours = {"suite": "q", "command": "x", "bibtex": "@software{ganbench}"}
    write_report(runs, tmp_path, **ours)
    write_report(runs, tmp_path, **ours)  # the earlier one is
    (tmp_path / name).write_text("my own words")
    with pytest.raises(UserError, match=f"{name}: is there, and of no report of ganbench"):
        write_report(runs, tmp_path, **ours)
    assert (tmp_path / name).read_text() == "my own words"


def test_files_are_those_asked_for(suite, tmp_path):
    runs, _ = suite
    asked = write_report(runs, tmp_path / "a", suite="q", command="x", formats=["csv", "tex"])
    curves = [p.name for p in asked if p.parent == tmp_path / "a/curves/print"]
    assert {f"{metric}-digits-2k.{kind}" for metric in ("is", "fid") for kind in ("pdf", "svg")} == set(
        curves
    )
    others = [p.name for p in asked if p.parent == tmp_path / "a"]
    assert others == ["tables.tex", "tables-wide.tex", "results.csv", "citations.bib"]
    everything = write_report(runs, tmp_path / "b", suite="q", command="x", bibtex="@a{b}")
    names = {p.relative_to(tmp_path / "b").as_posix() for p in everything}
    assert names == set(contents(tmp_path / "b"))
    assert names >= {
        "report.html",
        "report.md",
        "tables.tex",
        "results.csv",
        "verdicts.json",
        "citations.bib",
        "curves/is-digits-2k.svg",
        "curves/fid-digits-2k.svg",
        "curves/losses-gan-digits.svg",
    }


def test_markdown_links_every_chart_it_shows(suite, tmp_path):
    runs, missing = suite
    write_report(runs, tmp_path, suite="q", command="x", missing=missing, formats=["md"])
    text = (tmp_path / "report.md").read_text()
    charts = {p.name for p in (tmp_path / "curves").iterdir()}
    assert len(charts) == 2 + 5
    assert all(f"](curves/{name})" in text for name in charts)


@pytest.mark.parametrize("place", ["new", "../new", "../../../report"])
def test_no_report_is_written_among_the_runs(place, build, tmp_path):
    run = build.store(build.record(), tmp_path / "results", grids=False)
    target = run.directory / place
    with pytest.raises(UserError, match="among the runs"):
        write_report([run], target, suite="q", command="x", formats=["csv"])
    assert not target.exists()
    write_report([run], run.directory / "../../../../report", suite="q", command="x", formats=["csv"])


def test_unknown_format_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'html'"):
        write_report([], tmp_path, suite="q", command="x", formats=["htm"])
    with pytest.raises(UserError, match="names no format"):
        write_report([], tmp_path, suite="q", command="x", formats=[])


def test_no_record_at_all_still_says_what_was_not_run(tmp_path):
    write_report([], tmp_path, suite="q", command="x", missing=[MissingRun("gan/digits", 0, "not run")])
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "not run" in text
        assert "gan/digits" in text
    assert (tmp_path / "results.csv").read_text().startswith("suite,experiment,")


def test_importing_the_package_is_light():
    code = (
        "import sys, benchmark.report; print({'torch', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_charts_leave_matplotlib_as_it_was(suite, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 17.0}):
        write_report(suite[0], tmp_path, suite="q", command="x", formats=["md"])
        assert matplotlib.rcParams["font.size"] == 17.0
    assert "matplotlib.pyplot" not in sys.modules
