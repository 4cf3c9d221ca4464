import re
from pathlib import Path

import benchmark
from benchmark.records.cells import group
from benchmark.report import citation

CFF = Path(benchmark.__file__).parents[1] / "CITATION.cff"


def origin(build, tmp_path, digests, dirty=False, suite="quick"):
    runs = [build.store(build.record(seed=k), tmp_path, grids=False) for k in range(len(digests))]
    for run, digest in zip(runs, digests, strict=True):
        run.record["record_sha256"] = digest
        run.record["provenance"]["git"]["dirty"] = dirty
    return citation.origin(suite, group(runs).cells)


def test_it_is_what_the_citation_file_says():
    text = CFF.read_text()
    assert f'title: "{citation.TITLE}"' in text
    assert f'name: "{citation.AUTHOR}"' in text
    assert f"date-released: {citation.YEAR}" in text


def test_the_digest_is_of_the_records_whatever_their_order(build, tmp_path):
    assert origin(build, tmp_path, "ab").digest == origin(build, tmp_path, "ba").digest
    assert origin(build, tmp_path, "ab").digest != origin(build, tmp_path, "ac").digest


def test_bibtex_has_version_revision_and_digest(build, tmp_path):
    one = origin(build, tmp_path, "ab", dirty=True, suite="su_i}te%")
    entry = one.bibtex()
    assert entry.startswith(f"@misc{{ganbench-{one.digest[:12]},")
    for part in (benchmark.__version__, "uncommitted changes", "2 records"):
        assert part in entry
    for digest in ("c0ffee" * 6, one.digest):
        assert digest in entry.replace(" ", "")
    assert max(map(len, re.findall("[0-9a-f]+", entry.partition("note")[2]))) <= 12  # a column is narrow
    assert entry.count("{") == entry.count("}")
    assert not re.search(r"(?<!\\)[%_]", entry)


def test_the_footnote_names_suite_records_and_version(build, tmp_path):
    one = origin(build, tmp_path, "ab")
    records = f"2 records (SHA-256 {one.digest[:12]})"
    assert one.text() == f"Suite quick, {records}, ganbench {benchmark.__version__}, code c0ffeec0ffee."
