import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scipy.stats import ttest_ind

from benchmark.escape import latex as escape
from benchmark.judging import accepted
from benchmark.judging.best import best
from benchmark.records.cells import group
from benchmark.report import LoadedRecord, write_report
from benchmark.report.naming import display_names
from benchmark.suites import experiments

WIDE = ("tables.tex", "tables-wide.tex")


def written(records, tmp_path_factory, suite):
    runs, missing = records
    out = tmp_path_factory.mktemp("tex")
    papers = [r.record["spec"]["experiment"]["paper"] for r in runs]
    bib = experiments.bibtex(paper for paper in papers if isinstance(paper, dict))
    write_report(runs, out, suite=suite, command="x", missing=missing, formats=["tex"], bibtex=bib)
    return out


@pytest.fixture(scope="module")
def plain(suite, tmp_path_factory):
    """Scores of hostile names."""
    return written(suite, tmp_path_factory, "q")


@pytest.fixture(scope="module")
def verdicts(judged, tmp_path_factory):
    return written(judged, tmp_path_factory, "a_b%")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The five methods on digits, as they were accepted."""
    records = accepted.read(Path(__file__).parents[3] / "results/reference/quick.json")
    folder = tmp_path_factory.getbasetemp() / "nowhere"
    return written(([LoadedRecord(r, folder) for r in records], []), tmp_path_factory, "quick")


def tables(folder, name="tables.tex"):
    return re.split(r"(?=\\begin\{table)", (folder / name).read_text())[1:]


def test_special_characters_are_escaped():
    assert escape("a_b 50% & $x$ #{}") == r"a\_b 50\% \& \$x\$ \#\{\}"
    assert escape("\\^~<|>") == (
        r"\textbackslash{}\textasciicircum{}\textasciitilde{}"
        r"\textless{}\textbar{}\textgreater{}"
    )
    assert escape("1\u202f000 ± 2\nx") == r"1\,000 $\pm$ 2 x"


@pytest.mark.parametrize("name", WIDE)
def test_the_caption_is_short_and_the_note_has_spread_test_protocol_and_comparability(plain, name):
    scores = next(t for t in tables(plain, name) if "scores-1" in t)
    caption = re.search(r"\\caption\{(.*)\}", scores)[1]
    assert caption == "FID and IS on digits after 300 generator iterations."
    note = scores.partition(r"\parbox")[2]
    for part in (
        "sample standard deviation over the n training seeds",
        "one-sided Welch tests over seeds",
        "digits-2k",
        r"2\,000 generated vs 1\,000 held-out",
        "not comparable with published numbers",
        "dcgan/\\allowbreak{}digits: diverged for seed 1",
    ):
        assert part in note


def test_methods_have_the_papers_names_and_are_cited(shipped):
    (scores,) = tables(shipped)
    bib = (shipped / "citations.bib").read_text()
    for name, key in (("WGAN-GP", "gulrajani2017wgangp"), ("SN-GAN", "miyato2018sngan")):
        assert rf"    {name}~\cite{{{key}}} & 5 & " in scores
    assert "digits &" not in scores
    assert set(re.findall(r"\\cite\{(.*?)\}", scores)) <= set(re.findall(r"@\w+\{(.*?),", bib))


def test_names_tell_apart_what_one_method_has_several_of(judged):
    runs, missing = judged
    cells = {cell.label: cell for cell in group(runs, missing).cells}
    names = display_names(list(cells.values()))
    assert names["sngan/cifar10-cnn"] == "SN-GAN, standard CNN, hinge loss"
    assert names["wgan/cifar10"] == "WGAN"
    assert names["wgan_gp/cifar10-cnn-rmsprop"] == "WGAN-GP, DCGAN-like networks (Fig. 3, RMSProp)"
    assert names["sngan/cifar10-cnn-bn"] == "Batch norm"
    assert len(set(names.values())) == len(names)


def test_only_what_a_test_supports_is_bold(shipped):
    (scores,) = tables(shipped)
    values = {}
    for record in accepted.read(Path(__file__).parents[3] / "results/reference/quick.json"):
        values.setdefault(record["experiment"], []).append(record["final"]["scores"]["digits-2k"]["fid"])
    # The rule, by SciPy's own test.
    first = min(values, key=lambda name: sum(values[name]))
    p = sorted(
        ttest_ind(values[first], own, equal_var=False, alternative="less").pvalue
        for name, own in values.items()
        if name != first
    )
    assert max(x * (len(p) - i) for i, x in enumerate(p)) < 0.05
    row = next(line for line in scores.splitlines() if line.lstrip().startswith("SN-GAN"))
    assert first == "sngan/digits"
    assert row.count(r"\textbf{") == 2
    assert scores.count(r"\textbf{") == 2


BETTER_BY_NOTHING_PRINTED = {"is": (2.0001, 2.0002), "fid": (40.0, 20.0)}
"""Of two methods by metric: IS is better at every seed, and has the same digits."""


@pytest.mark.parametrize("name", WIDE)
def test_what_is_printed_alike_is_not_bold(name, build, tmp_path):
    runs = []
    for k, experiment in enumerate(("gan/digits", "dcgan/digits")):
        for seed in range(3):
            r = build.record(experiment, seed)
            own = {m: both[k] + 1e-6 * seed for m, both in BETTER_BY_NOTHING_PRINTED.items()}
            for point in (*r["curve"], r["final"]):
                point["scores"] = {build.protocol["name"]: dict(own)}
            runs.append(LoadedRecord(r, tmp_path / "nowhere"))
    alike = [[x + 1e-6 * seed for seed in range(3)] for x in BETTER_BY_NOTHING_PRINTED["is"]]
    assert best(dict(enumerate(alike)), higher=True) == 1
    write_report(runs, tmp_path, suite="q", command="x", missing=[], formats=["tex"])
    (scores,) = (t for t in tables(tmp_path, name) if "scores-1" in t)
    assert re.findall(r"\\textbf\{(.*?) ", scores) == ["20.00"]
    assert scores.count(r"2.00 $\pm$ 0.00 ") == 2
    assert "or another mean is printed alike" in scores


@pytest.mark.parametrize("lost", [0, 1, 2, 5])
@pytest.mark.parametrize("loser", ["gan/digits", "dcgan/digits"])
def test_survivors_are_not_bold_and_no_method_is_better_than_them(loser, lost, build, tmp_path):
    runs = []
    for experiment, fid in (("gan/digits", 40.0), ("dcgan/digits", 20.0)):
        for seed in range(5):
            gone = 151 if experiment == loser and seed < lost else None
            r = build.record(experiment, seed, diverged_at=gone)
            for point in (*r["curve"], *([] if gone else [r["final"]])):
                point["scores"] = {build.protocol["name"]: {"is": 2.0, "fid": fid + 0.1 * seed}}
            runs.append(LoadedRecord(r, tmp_path / "nowhere"))
    write_report(runs, tmp_path, suite="q", command="x", missing=[], formats=["tex"])
    (scores,) = (t for t in tables(tmp_path) if "scores-1" in t)
    assert scores.count(r"\textbf{") == (lost <= 1)
    assert "or lost more than a quarter of its seeds" in scores


@pytest.mark.parametrize("name", WIDE)
def test_the_note_says_that_it_is_no_ranking_as_the_report_does(name, shipped):
    scores = next(t for t in tables(shipped, name) if "scores-1" in t)
    assert "It is no ranking: G-iterations cost unequal time and critic updates" in scores
    assert "one seed tells nothing" not in scores


def test_best_needs_evidence():
    near = {"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0]}
    assert best(near, higher=False) is None
    far = {"a": [1.0, 2.0, 3.0], "b": [12.0, 13.0, 14.0]}
    assert best(far, higher=False) == "a"
    assert best(far, higher=True) == "b"
    # More than a quarter without a result: what is left are survivors, and nothing is concluded.
    assert best({"a": [*far["a"], None], "b": far["b"]}, higher=False) == "a"
    for method in far:
        assert best(far | {method: [*far[method], None, None]}, higher=False) is None
    assert best(far | {"c": [None, None, None]}, higher=False) is None
    assert best(far | {"c": [50.0]}, higher=False) is None
    assert best({"a": far["a"]}, higher=False) is None
    # Each of these tests rejects at 5 % alone, but not after Holm over all of them.
    marginal = {"a": [0.0, 1.0, 2.0, 3.0], **{str(k): [2.1, 3.1, 4.1, 5.1] for k in range(4)}}
    assert best({"a": marginal["a"], "0": marginal["0"]}, higher=False) == "a"
    assert best(marginal, higher=False) is None


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("which", ["plain", "verdicts", "shipped"])
def test_every_row_has_the_columns_its_table_declares(which, name, request):
    for table in tables(request.getfixturevalue(which), name):
        _, spec, body = re.split(r"\\begin\{tabular\}\{@\{\}(\w+)@\{\}\}", table)
        body = re.sub(r"\\begin\{tabular\}\[t\].*?\\end\{tabular\}", "", body.partition("bottomrule")[0])
        rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert len(rows) >= 2
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(spec)}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("which", ["plain", "verdicts"])
def test_environments_and_braces_balance_and_specials_are_escaped(which, name, request):
    folder = request.getfixturevalue(which)
    text = "".join(tables(folder, name))
    stack = []
    for kind, environment in re.findall(r"\\(begin|end)\{([\w*]+)\}", text):
        if kind == "begin":
            stack.append(environment)
        else:
            assert stack.pop() == environment
    assert stack == []
    plain = re.sub(r"\\[\\&%$#_{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert "%" not in plain
    assert "#" not in plain
    assert "_" not in plain
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == len(tables(folder, name))
    assert not re.search(r"[^\x00-\xff]", text.replace("\u2013", ""))


def test_both_forms_can_be_in_one_paper(plain):
    labels = [re.findall(r"\\label\{(.*?)\}", "".join(tables(plain, name))) for name in WIDE]
    assert not set(labels[0]) & set(labels[1])


def test_verdicts_and_scores_name_suite_records_and_compute(verdicts):
    for name in WIDE:
        found = tables(verdicts, name)
        assert "verdicts-1" in found[0]
        assert "reproduced" in found[0]
        assert all(r"Suite a\_\allowbreak{}b\%, 27 records (SHA-256 " in t for t in found)
        scores = next(t for t in found if "scores-1" in t)
        assert "Compute: 27 runs on Some CPU" in scores


CLASSES = {
    "article": r"\documentclass{article}",
    "twocolumn": r"\documentclass[twocolumn]{article}",
    # What CVPR and ICML ask for: US letter, two columns of 3.25 in, ten points.
    "conference": (
        r"\documentclass[twocolumn,10pt]{article}\setlength{\textwidth}{6.875in}\setlength{\columnsep}{.375in}"
        r"\setlength{\textheight}{8.875in}\setlength{\oddsidemargin}{-.19in}"
    ),
}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX on this machine")
@pytest.mark.parametrize("layout", CLASSES)
@pytest.mark.parametrize("which", ["plain", "verdicts", "shipped"])
def test_it_compiles_and_nothing_is_too_wide(which, layout, request, tmp_path):
    folder = request.getfixturevalue(which)
    if b"booktabs" not in subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout:
        pytest.skip("TeX without booktabs")
    bib = r"\nocite{*}\bibliographystyle{plain}\bibliography{citations}" if which == "shipped" else ""
    for name in (*WIDE, "citations.bib"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "doc.tex").write_text(
        CLASSES[layout] + "\\usepackage[T1]{fontenc}\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
        "\\input{tables.tex}\\clearpage\\input{tables-wide.tex}\\clearpage\n" + bib + "\\end{document}\n"
    )
    # Only laid out: bitmaps of fonts would be made for a PDF, which takes minutes.
    latex = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"]
    for step in (latex, ["bibtex", "doc"], latex, latex) if bib else (latex,):
        done = subprocess.run(step, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "doc.log").read_text(errors="replace")
    assert "Overfull" not in log
    assert not bib or "undefined" not in log
