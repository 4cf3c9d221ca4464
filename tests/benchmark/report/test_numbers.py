"""The same numbers in every format, equal to those computed here from the records."""

import html
import io
import re
import statistics

import pandas as pd
import pytest

from benchmark.report import write_report


def expected(runs, experiment, metric):
    values = [
        r.record["final"]["scores"]["digits-2k"][metric]
        for r in runs
        if r.record["experiment"] == experiment and r.record["status"] == "done"
    ]
    text = f"{statistics.fmean(values):.2f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.2f}"


@pytest.fixture(scope="module")
def written(suite, tmp_path_factory):
    runs, missing = suite
    out = tmp_path_factory.mktemp("out")
    write_report(runs, out, suite="quick", command="ganbench report quick", missing=missing)
    return runs, out


def html_rows(text):
    """Cells of every table row as text."""
    for row in re.findall(r"<tr class=.*?</tr>", text, re.S):
        cells = re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)
        yield [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in cells]


def markdown_rows(text):
    for line in text.splitlines():
        if line.startswith("| "):
            yield [re.sub(r"\\(.)", r"\1", cell) for cell in re.split(r"(?<!\\) \| ", line[2:-2])]


def latex_rows(text):
    text = re.sub(
        r"\\begin\{tabular\}\[t\]\{@\{\}l@\{\}\}(.*?)\\end\{tabular\}",
        lambda found: found[1].replace(r" \\ ", " "),
        text,
    )
    for line in text.splitlines():
        if line.endswith(r"\\"):
            yield [
                cell.replace(r"$\pm$", "±").replace(r"\_", "_").replace("--", "–")
                for cell in line.strip()[:-2].strip().split(" & ")
            ]


@pytest.mark.parametrize(
    ("file", "rows"),
    [("report.html", html_rows), ("report.md", markdown_rows), ("tables-wide.tex", latex_rows)],
)
def test_tables_show_the_records_means(written, file, rows):
    runs, out = written
    found = {row[0]: row for row in reversed(list(rows((out / file).read_text())))}
    names = {r.record["experiment"]: r.record["spec"]["experiment"]["title"] for r in runs}
    for experiment, seeds in {
        "gan/digits": "3",
        "dcgan/digits": "2 of 3 (1 diverged)",
        "wgan/digits": "2 of 3 (1 interrupted)",
        "wgan_gp/digits": "1",
    }.items():
        shown = names[experiment] if file.endswith(".tex") else experiment
        row = next(r for r in rows((out / file).read_text()) if r[0] == shown)
        assert row[1] == seeds
        assert row[5] == expected(runs, experiment, "is")
        assert row[3] == expected(runs, experiment, "fid")
    absent = next(r for r in rows((out / file).read_text()) if r[0] == "sngan/digits")
    assert absent[1].startswith("0 of 2")
    assert absent[3] == absent[5] == "not finished"
    assert found["real data"][5] == "9.71"
    assert found["real data"][3] == "1.24"


def test_a_single_seed_shows_no_spread(written):
    _, out = written
    row = next(r for r in markdown_rows((out / "report.md").read_text()) if r[0] == "wgan_gp/digits")
    assert "±" not in "".join(row)


def test_start_is_the_mean_over_the_same_seeds(written):
    runs, out = written
    start = [
        r.record["curve"][0]["scores"]["digits-2k"]["fid"]
        for r in runs
        if r.record["experiment"] == "dcgan/digits" and r.record["status"] == "done"
    ]
    row = next(r for r in markdown_rows((out / "report.md").read_text()) if r[0] == "dcgan/digits")
    assert row[2] == f"{statistics.fmean(start):.2f}"


def test_csv_is_tidy_and_exact(written):
    runs, out = written
    df = pd.read_csv(io.StringIO((out / "results.csv").read_text()), float_precision="round_trip")
    assert not df.duplicated(["experiment", "seed", "gen_iters", "protocol", "metric"]).any()
    assert len(df) == sum(len(r.record["curve"]) * 2 for r in runs)
    for run in runs:
        own = df[(df.run_id == run.record["run_id"]) & (df.metric == "fid")].sort_values("gen_iters")
        assert own.value.tolist() == [p["scores"]["digits-2k"]["fid"] for p in run.record["curve"]]
        assert own.is_final.any() == (run.record["status"] == "done")
    assert set(df[df.status == "diverged"].diverged_at) == {151}


def test_diverged_and_missing_runs_are_listed_with_their_reason(written):
    _, out = written
    rows = [r[:3] for r in markdown_rows((out / "report.md").read_text())]
    assert ["dcgan/digits", "1", "diverged (non-finite numbers) at G-iteration 151 of 300"] in rows
    assert ["wgan/digits", "2", "interrupted"] in rows
    assert ["sngan/digits", "0", "not run"] in rows
    assert ["sngan/digits", "1", "failed: out of memory &lt;b&gt;&amp;"] in rows


def test_timing_overhead_is_the_rest_over_training(written):
    _, out = written
    # gan/digits: wall 40, 41, 42; train 30, evaluate 6, startup 3 each: (123 - 90 - 18 - 9) / 90
    row = next(
        r for r in markdown_rows((out / "report.md").read_text()) if r[0] == "gan/digits" and len(r) == 9
    )
    assert row[1:7] == ["41.0", "3.0", "30.0", "6.0", "0.5", "6.7 %"]
