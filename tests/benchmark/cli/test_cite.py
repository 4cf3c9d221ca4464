"""BibTeX of a suite."""

import json
import re
from pathlib import Path

from benchmark.suites import experiments


def test_every_paper_of_the_suite_and_ganbench_once(ganbench):
    code, out, err = ganbench("cite", "quick")
    assert (code, err) == (0, "")
    keys = re.findall(r"^@\w+\{(.+),$", out, flags=re.M)
    assert keys == [
        "goodfellow2014gan",
        "radford2015dcgan",
        "arjovsky2017wgan",
        "gulrajani2017wgangp",
        "miyato2018sngan",
        "ganbench",
    ]
    assert out.count("{") == out.count("}")


def test_only_the_papers_of_the_suite(ganbench, tmp_path):
    suite = tmp_path / "one.toml"
    suite.write_text(
        'title = "x"\nexperiments = ["wgan/digits"]\nseeds = "0"\n'
        'gen_iters = 1\nevaluate_every = 1\nprotocols = ["digits-2k"]\n'
    )
    code, out, _ = ganbench("cite", suite, "--json")
    assert code == 0
    content = json.loads(out)
    assert content["keys"] == ["arjovsky2017wgan", "ganbench"]
    assert "1701.07875" in content["bibtex"]


def test_a_paper_that_nobody_gives_an_entry_for_is_named_in_a_comment():
    known = {"key": "arjovsky2017wgan", "citation": "Arjovsky et al.", "arxiv": "1701.07875"}
    foreign = {"key": "mao2016", "citation": "Mao et al., LSGAN", "arxiv": "", "bibtex": "@misc{mao2016}"}
    nameless = {"key": "x2020", "citation": "X et al., 2020", "arxiv": ""}
    text = experiments.bibtex([foreign, nameless, known, foreign])
    assert text.startswith("@")
    assert "1701.07875" in text
    assert text.endswith("}\n\n@misc{mao2016}\n\n% x2020: no BibTeX entry is given for X et al., 2020\n")


def test_unknown_suite_is_a_usage_error(ganbench):
    code, out, err = ganbench("cite", "quikc")
    assert (code, out) == (2, "")
    assert "quick" in err


def test_the_entry_of_ganbench_says_what_the_citation_file_says(ganbench):
    citation = Path(__file__).parents[3].joinpath("CITATION.cff").read_text(encoding="utf-8")
    facts = dict(re.findall(r'^(?:  - )?(\w[\w-]*): "?([^"\n]+)"?$', citation, flags=re.M))
    own = ganbench("cite")[1].split("@software")[1]
    for key in ("title", "version", "name"):
        assert facts[key] in own
    assert f"year    = {{{facts['date-released'][:4]}}}" in own
