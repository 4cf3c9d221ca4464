"""`ganbench compare`: folders, reference files and commits side by side."""

import base64
import io
import json
import re
import statistics
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from scipy import stats

from benchmark.judging import accepted
from benchmark.records import record


@pytest.fixture
def s(synthetic):
    return synthetic


@pytest.fixture
def compare(ganbench, s):
    def call(*arguments):
        code, out, _ = ganbench("compare", *arguments, "--json")
        assert code == 0
        return json.loads(out)

    return call


def row(content, experiment, metric="fid"):
    (found,) = (r for r in content["rows"] if (r["experiment"], r["metric"]) == (experiment, metric))
    return found


def test_a_folder_against_itself_is_equal(s, compare):
    s.put_all()
    content = compare("results", "results")
    assert len(content["rows"]) == 4
    assert {r["same_bits"] for r in content["rows"]} == {True}
    assert {(r["difference"], r["interval"]) for r in content["rows"]} == {(0, None)}


def test_difference_and_interval_are_welchs(s, compare):
    s.put_all(out=Path("a"))
    s.put_all(out=Path("b"), seeds=range(5), plus=1.5, env="f" * 64)
    found = row(compare("a", "b"), "wgan/digits")
    a, b = [20.0, 20.4, 19.6], [x + 1.5 for x in (20.0, 20.4, 19.6, 20.2, 19.8)]
    assert (found["a"]["n"], found["b"]["n"], found["same_bits"]) == (3, 5, False)
    assert found["a"]["sd"] == pytest.approx(statistics.stdev(a))
    assert found["difference"] == pytest.approx(1.5)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.90)
    assert found["interval"] == pytest.approx([expected.low, expected.high])


def test_a_run_on_both_sides_makes_them_no_two_samples(s, compare, ganbench):
    seeds = {"copies": range(5), "one": [0]}
    s.put_all(out=Path("a"))
    for side, copied in seeds.items():
        for name, fids in s.FIDS.items():
            for seed, fid in enumerate(fids):
                s.put(s.make_record(name, seed, fid + (seed not in copied)), Path(side))
        found = row(compare("a", side), "wgan/digits")
        assert (found["a"]["n"], found["b"]["n"], found["interval"]) == (3, 5, None)
        assert found["difference"] == pytest.approx(0.0 if side == "copies" else 0.8)
        assert found["copies"] == len(set(copied) & {0, 1, 2})
    assert re.search(r"wgan/digits .* \+0.8 +1 equal$", ganbench("compare", "a", "one")[1], re.MULTILINE)
    assert "or a run is on both" in page_of(ganbench, "a", "one")
    assert row(compare("a", "copies"), "wgan/digits")["same_bits"] is True


def test_why_check_has_other_numbers_is_in_the_help_and_on_the_page(ganbench):
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
    (line,) = (x for x in page.splitlines() if x.startswith("| `ganbench compare"))
    for text in (ganbench("compare", "--help")[1], line):
        said = " ".join(text.split())
        assert "`check` takes the mean of each run's last three evaluations, in pairs" in said
        assert "Welch's interval" in said


def test_what_one_side_lacks_is_listed(s, compare, ganbench):
    s.put_all(out=Path("a"))
    s.put(s.make_record("gan/digits", 0, 40.0), Path("b"))
    lacking = row(compare("a", "b"), "wgan/digits")
    assert (lacking["runs_a"], lacking["runs_b"], lacking["b"], lacking["difference"]) == (3, 0, None, None)
    assert row(compare("a", "b"), "gan/digits")["interval"] is None
    out = ganbench("compare", "a", "b")[1]
    assert "only A" in out
    assert "only B" in ganbench("compare", "b", "a")[1]


def test_other_settings_never_share_a_row_and_are_named(s, compare):
    s.put(s.make_record("gan/digits", 0, 40.0), Path("a"))
    s.put(s.make_record("gan/digits", 0, 40.0, evaluate_at=[0, 40]), Path("b"))
    content = compare("a", "b")
    assert len({r["cell"] for r in content["rows"]}) == 2
    (note,) = content["notes"]
    assert note.endswith("differ in evaluate_at ([0, 10, 20, 30, 40] | [0, 40])")


def test_other_numerics_are_named(s, compare):
    s.put(s.make_record("gan/digits", 0, 40.0), Path("a"))
    mixed = {"precision": "fp32", "profile": "bf16-mixed"}
    s.put(s.make_record("gan/digits", 0, 40.0, numerics=mixed), Path("b"))
    content = compare("a", "b")
    assert len({r["cell"] for r in content["rows"]}) == 2
    assert content["notes"][0].endswith('differ in numerics.profile (– | "bf16-mixed")')


def test_seeds_of_other_code_are_not_averaged(s, compare):
    s.put_all(finished="2026-01-01T00:00:00Z")
    s.put_all(sources={"x": "0" * 64}, plus=5.0, finished="2026-02-01T00:00:00Z", seeds=range(2))
    content = compare("results", "results")
    assert row(content, "wgan/digits")["a"]["mean"] == pytest.approx(25.2)
    assert sum("of 2 codes the one that ran last counts" in note for note in content["notes"]) == 4


def test_diverged_runs_are_counted(s, ganbench):
    s.put_all(seeds=range(2))
    s.put(s.make_record("gan/digits", 2, None))
    assert "40.5 ± 0.71 (n = 2), 1 diverged" in ganbench("compare", "results", "results")[1]


def git(*arguments):
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def test_reference_files_and_commits(s, compare, ganbench):
    git("init", "-q")
    for plus in (0.0, 1.0):
        records = [s.make_record("gan/digits", i, x + plus) for i, x in enumerate((40.0, 41.0, 42.0))]
        accepted.write(Path("results/reference/small.json"), "small", records)
        git("add", "results/reference")
        git("commit", "-q", "-m", "x")
    path = "results/reference/small.json"
    assert row(compare(f"HEAD~1:{path}", path), "gan/digits")["difference"] == pytest.approx(1)
    assert row(compare(f"HEAD:{path}", path), "gan/digits")["same_bits"] is True
    code, out, err = ganbench("compare", f"HEAD~7:{path}", path)
    assert (code, out) == (2, "")
    assert f"HEAD~7:{path}" in err


@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        ("nowhere", 2, "nowhere: there is no such folder or file"),
        ("empty", 4, "empty: no records"),
        ("small.toml", 2, "small.toml: is no reference of ganbench"),
        ("--output=x:y", 2, "No such option"),
    ],
)
def test_what_cannot_be_compared(what, code, message, s, ganbench):
    s.put_all()
    Path("empty").mkdir()
    found, out, err = ganbench("compare", "results", what)
    assert (found, out) == (code, "")
    assert message in err


def page_of(ganbench, a, b, file="c.html"):
    code, out, err = ganbench("compare", a, b, "--html", file)
    assert (code, err) == (0, "")
    assert file in out
    return Path(file).read_text()


def test_the_page_is_one_file_with_the_terminals_numbers(s, ganbench):
    s.put_all(out=Path("a"))
    s.put_all(out=Path("b"), seeds=range(5), plus=1.5, env="f" * 64)
    html = page_of(ganbench, "a", "b")
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    assert "<script" not in html
    shown = [
        re.sub("<[^>]+>", "", cell)
        for line in re.findall(r"<tr.*?</tr>", html)
        for cell in re.findall(r"<t[dh].*?</t[dh]>", line)
    ]
    table = ganbench("compare", "a", "b", "--json")[1]
    for found in json.loads(table)["rows"]:
        assert f"{found['difference']:+.3g} [{found['interval'][0]:.3g}, {found['interval'][1]:.3g}]" in shown
    assert (
        "2 cells; 4 scores on both sides, 0 of them of runs that are equal bit for bit. 2 of 4 intervals"
        in html
    )
    assert html.count("<svg") == 2
    for svg in re.findall("<svg.*?</svg>", html, re.S):
        assert all(f">{name}</text>" in svg for name in s.FIDS)


def test_samples_of_the_same_seed_stand_next_to_each_other(s, ganbench):
    for side, grey in (("a", 10), ("b", 200)):
        for folder in s.put_all(out=Path(side)):
            content = json.loads(Path(folder, "record.json").read_text())
            name = "samples/000000040.png"
            digests = content["digests"] | {"samples": {name: "0" * 64}}
            content = record.sealed(content | {"samples": [name], "digests": digests})
            Path(folder, "record.json").write_text(json.dumps(content))
            Path(folder, "samples").mkdir()
            Image.new("L", (16, 16), grey).save(Path(folder, name))
    html = page_of(ganbench, "a", "b")
    images = re.findall(r'<img src="data:image/png;base64,(.*?)".*?<figcaption>(.*?)</figcaption>', html)
    assert [caption.split(":")[0] for _, caption in images] == ["A", "B"] * 2
    greys = [Image.open(io.BytesIO(base64.b64decode(data))).getpixel((0, 0)) for data, _ in images]
    assert greys == [10, 200] * 2


def test_names_with_markup_do_nothing_on_the_page(s, ganbench):
    evil = "a<img src=x onerror=alert(1)>"
    s.put_all(out=Path(evil))
    html = page_of(ganbench, evil, evil)
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html


def test_a_page_is_not_replaced_unless_asked(s, ganbench):
    s.put_all()
    Path("c.html").write_text("mine")
    code, _, err = ganbench("compare", "results", "results", "--html", "c.html")
    assert code == 2
    assert "--html c.html: exists already" in err
    assert Path("c.html").read_text() == "mine"
    assert ganbench("compare", "results", "results", "--html", "c.html", "--force")[0] == 0
    assert ganbench("compare", "results", "results", "--html", "c.txt")[0] == 2
