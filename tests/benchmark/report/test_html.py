import re
from html.parser import HTMLParser

import pytest

from benchmark.report import write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags balance; keeps attributes, ids, and the text outside style sheets."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.tags, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def values(self, *names):
        return [v for _, name, v in self.attributes if name in names]


@pytest.fixture(scope="module")
def folder(suite, tmp_path_factory):
    runs, missing = suite
    out = tmp_path_factory.mktemp("secret-folder") / "out"
    write_report(
        runs,
        out,
        suite="qu<i>ck",
        command="run 'a' && <b>",
        missing=missing,
        bibtex="@article{x, url={https://example.org/<script>}}",
    )
    return out


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text()


def test_page_needs_nothing_but_itself(html):
    page = Page(html)
    links = page.values("src", "href", "xlink:href", "srcset", "data", "action", "poster")
    assert len(links) > 20
    assert [v for v in links if not v.startswith(("#", "data:image/"))] == []
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


def test_names_with_markup_do_nothing(html, build):
    page = Page(html)
    text = "".join(page.text)
    assert build.hostile in text
    assert "qu<i>ck" in text
    assert "failed: out of memory <b>&" in text
    assert not {"i", "b", "script"} & set(page.tags)
    assert not [a for a in page.attributes if a[1].startswith("on")]


@pytest.fixture(scope="module")
def judged_html(judged, tmp_path_factory):
    runs, missing = judged
    out = tmp_path_factory.mktemp("judged-html")
    write_report(runs, out, suite="p", command="x", missing=missing, formats=["html"])
    return (out / "report.html").read_text()


@pytest.mark.parametrize("which", ["html", "judged_html"])
def test_ids_are_unique_and_references_resolve(which, request):
    text = request.getfixturevalue(which)
    page = Page(text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    wanted = [v[1:] for v in page.values("href", "xlink:href") if v.startswith("#")]
    wanted += page.values("aria-labelledby") + re.findall(r"url\(#([^)]+)\)", text)
    assert set(wanted) <= set(ids)
    assert {v for tag, name, v in page.attributes if (tag, name) == ("label", "for")} <= set(ids)


def test_tables_and_pictures_can_be_read_without_eyes(html):
    page = Page(html)
    assert page.tags.count("caption") == page.tags.count("table")
    assert {"col", "row", "colgroup"} == set(page.values("scope"))
    assert page.tags.count("img") == len(page.values("alt")) == page.tags.count("img")
    assert all(page.values("alt"))
    assert page.tags.count("svg") == page.values("role").count("img")
    assert [t for t in page.tags if t in ("h1", "h2")] == ["h1"] + ["h2"] * 11


def test_no_host_user_or_time_reaches_the_report(folder):
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 8
    for file in files:
        content = file.read_bytes()
        for secret in ("secret-host", "alice", "2031-01-01", folder.parent.name):
            assert secret.encode() not in content, (file, secret)


@pytest.mark.slow
def test_fifteen_runs_stay_below_three_megabytes(build, tmp_path):
    names = ("gan/c", "dcgan/c", "wgan/c", "wgan_gp/c", "sngan/c")
    runs = [build.store(build.record(name, seed), tmp_path, side=40) for name in names for seed in range(3)]
    raw = sum(p.stat().st_size for r in runs for p in (r.directory / "samples").iterdir())
    assert raw > 3_000_000
    write_report(runs, tmp_path / "out", suite="quick", command="x", formats=["html"])
    html = tmp_path / "out/report.html"
    assert html.stat().st_size < 3_000_000
    assert len([v for v in Page(html.read_text()).values("src") if v.startswith("data:image/")]) == 5 * (
        1 + 3 * 5
    )
