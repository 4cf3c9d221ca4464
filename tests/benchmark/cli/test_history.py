"""`ganbench report --history`: alone, and as a section of a report."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture
def two(tmp_path, synthetic):
    """References of a suite in two files, the second better by 5."""
    from benchmark.judging import accepted

    for name, less in (("a", 0.0), ("b", 5.0)):
        records = [
            synthetic.make_record(experiment, seed, fid - less, git=synthetic.GIT, env=name * 64)
            for experiment, fids in synthetic.FIDS.items()
            for seed, fid in enumerate(fids[:3])
        ]
        accepted.write(tmp_path / f"{name}.json", "small", records)
    return [tmp_path / "a.json", tmp_path / "b.json"]


def test_alone_it_prints_a_table_and_writes_pages(ganbench, two, synthetic):
    code, out, _ = ganbench("report", "--history", *two, "--to", "h")
    assert code == 0
    assert "41.00 ± 1.00" in out
    assert "36.00 ± 1.00" in out
    html = Path("h/history.html").read_text()
    assert html.count("<svg") == len(synthetic.FIDS)
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    assert "| gan/digits | b.json |" in Path("h/history.md").read_text()


def test_as_json(ganbench, two):
    code, out, _ = ganbench("report", "--history", two[0], "--history", two[1], "--json")
    content = json.loads(out)
    assert code == 0
    first = content["stories"][0]
    assert first["experiment"] == "gan/digits"
    assert [e["values"]["digits-2k"]["fid"] for e in first["entries"]] == [[40, 41, 42], [35, 36, 37]]
    assert first["entries"][1]["new_environment"]


def test_a_report_has_it_as_a_section(ganbench, two, synthetic):
    synthetic.put_all()
    code, _, _ = ganbench("report", "results", "--history", two[0], "--to", "r", "--format", "html,md")
    assert code == 0
    html = Path("r/report.html").read_text()
    assert 'id="history"' in html
    assert "--history" in html  # in what makes it again
    text = Path("r/report.md").read_text()
    assert "## What was accepted over time" in text
    assert all(Path("r", name).is_file() for name in re.findall(r"\]\((curves/history.*?)\)", text))
    assert "Accepted scores of gan/digits" in html


@pytest.mark.parametrize("option", ["--format csv", "--seeds 9", "--experiment x", "--budget 1"])
def test_what_means_nothing_for_a_history_alone_is_told(option, two, ganbench):
    code, _, err = ganbench("report", "--history", *two, "--to", "h", *option.split())
    assert (code, "mean nothing for a history alone" in err) == (2, True)
    assert not Path("h").exists()


def test_a_file_that_is_not_there_or_no_reference_is_the_users_error(ganbench, tmp_path):
    assert ganbench("report", "--history", "none.json")[0] == 2
    (tmp_path / "x.json").write_text("[]")
    code, _, err = ganbench("report", "--history", tmp_path / "x.json")
    assert code == 2
    assert "no reference" in err
    assert "Traceback" not in err
