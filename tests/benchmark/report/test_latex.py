import re
import shutil
import subprocess

import pytest

from benchmark.report import write_report
from benchmark.report.latex import escape


@pytest.fixture
def tex(suite, tmp_path):
    runs, missing = suite
    write_report(runs, tmp_path, suite="q", command="x", missing=missing, formats=["tex"])
    return tmp_path / "tables.tex"


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


def test_it_compiles(tex, tmp_path):
    compiler = shutil.which("pdflatex") or shutil.which("lualatex") or shutil.which("tectonic")
    if compiler is None:
        pytest.skip("no TeX on this machine")
    document = tmp_path / "doc.tex"
    document.write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\n"
        "\\begin{document}\\input{tables.tex}\\end{document}\n"
    )
    flags = [] if compiler.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([compiler, *flags, document.name], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
