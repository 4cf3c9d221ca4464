import re
import shutil
import subprocess

import pytest

from benchmark.escape import latex as escape
from benchmark.report import write_report


@pytest.fixture(scope="module")
def tex(suite, tmp_path_factory):
    runs, missing = suite
    out = tmp_path_factory.mktemp("tex")
    write_report(runs, out, suite="q", command="x", missing=missing, formats=["tex"])
    return out / "tables.tex"


def test_special_characters_are_escaped():
    assert escape("a_b 50% & $x$ #{}") == r"a\_b 50\% \& \$x\$ \#\{\}"
    assert escape("\\^~<|>") == (
        r"\textbackslash{}\textasciicircum{}\textasciitilde{}"
        r"\textless{}\textbar{}\textgreater{}"
    )
    assert escape("1\u202f000 ± 2\nx") == r"1\,000 $\pm$ 2 x"


def test_caption_states_spread_n_budget_protocol_and_comparability(tex):
    caption = re.search(r"\\caption\{(.*)\}", tex.read_text())[1]
    for part in (
        "300 generator iterations",
        "sample standard deviation over training seeds",
        "n = 1 to 3",
        "digits-2k",
        r"2\,000 generated vs 1\,000 held-out",
        "not comparable with published numbers",
    ):
        assert part in caption


def test_every_row_has_the_columns_its_table_declares(tex):
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", tex.read_text(), re.S)
    assert len(tables) == 2
    for spec, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert len(rows) >= 6
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(spec)}


@pytest.fixture(scope="module")
def judged_tex(judged, tmp_path_factory):
    runs, missing = judged
    out = tmp_path_factory.mktemp("judged-tex")
    write_report(runs, out, suite="a_b%", command="x", missing=missing, formats=["tex"])
    return out / "tables.tex"


@pytest.mark.parametrize("which", ["tex", "judged_tex"])
def test_environments_and_braces_balance_and_specials_are_escaped(which, request):
    text = request.getfixturevalue(which).read_text()
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    body = "\n".join(text.splitlines()[1:])  # after the comment
    plain = re.sub(r"\\[\\&%$#_{}]", "", body)
    assert plain.count("{") == plain.count("}")
    assert "%" not in plain
    assert "#" not in plain
    assert "_" not in plain
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == text.count(r"\begin{table}")
    assert not re.search(r"[^\x00-\xff]", text.replace("\u2013", ""))


def test_verdicts_and_scores_name_suite_records_and_spread(judged_tex):
    text = judged_tex.read_text()
    tables = text.split(r"\begin{table}")[1:]
    assert "ganbench-verdicts-1" in tables[0]
    assert "reproduced" in tables[0]
    assert all(r"Suite a\_b\%, 27 records (SHA-256 " in t for t in tables)
    scores = next(t for t in tables if "ganbench-scores-1" in t)
    assert "over training seeds" in scores
    assert "Compute: 27 runs on Some CPU" in scores


@pytest.mark.parametrize("kind", ["scores of hostile names", "verdicts"])
def test_it_compiles(kind, tex, judged_tex, tmp_path):
    compiler = shutil.which("pdflatex") or shutil.which("lualatex") or shutil.which("tectonic")
    if compiler is None:
        pytest.skip("no TeX on this machine")
    shutil.copy(judged_tex if kind == "verdicts" else tex, tmp_path / "tables.tex")
    document = tmp_path / "doc.tex"
    document.write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\n"
        "\\begin{document}\\input{tables.tex}\\end{document}\n"
    )
    flags = [] if compiler.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([compiler, *flags, document.name], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "doc.pdf").stat().st_size > 1000
    assert "LaTeX Error" not in done.stdout
