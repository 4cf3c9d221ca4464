"""`results/RESULTS.md`: made of the committed records, number by number."""

import json
import statistics

import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file

from benchmark.cli.evaluate import evaluate
from benchmark.report import committed, questions
from benchmark.training import checkpoint
from benchmark.training.sampling import grid_digest

SUITES = {*committed._SUITES, questions.SUITE}


def test_the_page_is_what_the_committed_files_say():
    found = committed.PAGE.read_text(encoding="utf-8")
    assert found == committed.page(), "make it again: python -m benchmark.report.committed"


def test_a_mean_is_that_of_the_records():
    records = json.loads((committed.PAGE.parent / "reference" / "quick.json").read_text())["records"]
    own = [r["final"]["scores"]["digits-2k"]["fid"] for r in records if r["experiment"] == "dcgan/digits"]
    assert len(own) >= 5
    line = next(x for x in committed.page().splitlines() if "dcgan/digits" in x and "±" in x)
    assert f"{statistics.fmean(own):.2f} ± {statistics.stdev(own):.2f}" in line
    # 2.776: the .975 quantile of Student's t with four degrees of freedom.
    half = 2.776445 * statistics.stdev(own) / 5**0.5
    assert f"{statistics.fmean(own) - half:.2f} to {statistics.fmean(own) + half:.2f}" in line


def test_what_was_not_run_is_said_with_its_command():
    lines = committed.page().splitlines()
    line = next(x for x in lines if "Table 2: SN-GANs, Eq. (17)" in x and "25.5" in x)
    assert "ganbench run ci-gpu --experiment sngan/cifar10-cnn" in line


def said_of_ten_million(page):
    [line] = (x for x in page.splitlines() if "Table 3, 10M samples" in x)
    return line


def test_an_evaluation_by_another_protocol_is_beside_the_printed_number(monkeypatch, tmp_path):
    monkeypatch.setattr(committed, "_SUITES", {"dcgan-table3": ""})
    monkeypatch.setattr(committed, "_EVALUATIONS", tmp_path)
    assert "ganbench evaluate RUN --protocol nearest-10m" in said_of_ten_million(committed.page())
    record = committed.accepted.read(committed.PAGE.parent / "reference" / "dcgan-table3.json")[1]
    said = {
        "images": {"weights_sha256": record["digests"]["generator_weights"]},
        "results": [{"protocol": {"name": "nearest-10m"}, "scores": {"classification_error": 4.321}}],
    }
    (tmp_path / "it.json").write_text(json.dumps(said))
    row = said_of_ten_million(committed.page())
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[1:8] == [
        "dcgan/mnist-conditional",
        "39 100",
        "1",
        "nearest-10m",
        "Error ↓, %",
        "4.32",
        "1.48",
    ]
    assert "(unconfirmed)" in row
    assert record["record_sha256"][:12] in row
    said["images"]["weights_sha256"] = "0" * 64
    (tmp_path / "it.json").write_text(json.dumps(said))
    assert "ganbench evaluate RUN --protocol nearest-10m" in said_of_ten_million(committed.page())


def test_every_committed_evaluation_is_of_a_committed_record():
    paths = sorted((committed.PAGE.parent / "evaluations").glob("*.json"))
    references = [
        committed.accepted.read(committed._REFERENCES / f"{name}.json") for name in committed._SUITES
    ]
    digests = {r["digests"]["generator_weights"] for records in references for r in records or ()}
    assert {json.loads(path.read_text())["images"]["weights_sha256"] for path in paths} <= digests


def test_without_records_there_is_no_verdict(monkeypatch):
    monkeypatch.setattr(committed.accepted, "read", lambda path: None)
    page = committed.page()
    assert "**no verdict yet.**" in page
    line = next(x for x in page.splitlines() if "Table 3, 50K samples" in x)
    assert "ganbench run dcgan-table3 --experiment dcgan/mnist-conditional" in line


def test_the_readme_has_the_verdict_of_the_page():
    (line,) = (x for x in committed.page().splitlines() if x.startswith("| dcgan/mnist-conditional | Error"))
    _, _, _, verdict, ours, n, _, paper, *_, margin, _ = (cell.strip() for cell in line.split("|"))
    row = f"| {paper} % | {ours} % (n = {n}) | {verdict.split()[-1]}: within {margin} of "
    assert row in (committed.ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_has_what_ten_million_images_gave():
    cells = [cell.strip() for cell in said_of_ten_million(committed.page()).split("|")]
    assert cells[4] == "nearest-10m"
    row = f"| {cells[7]} % | {cells[6]} % (n = 1) | none: one seed"
    assert row in (committed.ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_has_the_answers_of_the_page():
    readme = (committed.ROOT / "README.md").read_text(encoding="utf-8")
    for norm in ("batch", "layer"):
        asked = f"| WGAN-GP: {norm} norm in the critic, against none |"
        (line,) = (x for x in committed.page().splitlines() if x.startswith(asked))
        _, _, _, difference, interval, _, answer, _ = (cell.strip() for cell in line.split("|"))
        assert f"| {norm} norm | {difference} | {interval} | {answer} |" in readme


def test_committed_samples_are_those_of_the_records():
    records = committed.accepted.read(committed.PAGE.parent / "reference" / "dcgan-table3.json")
    assert {record["seed"] for record in records} >= {0, 1}
    for record in records:
        with Image.open(committed.sheet(record)) as grid:
            assert grid_digest(grid) == record["digests"]["samples"][record["samples"][-1]]
    assert len(list(committed.SAMPLES.rglob("*.png"))) == committed.page().count("](samples/")


def generators():
    """Committed generators with their records."""
    folder = committed.PAGE.parent / "generators"
    records = [
        r
        for p in committed._REFERENCES.glob("*.json")
        if p.stem in SUITES
        for r in committed.accepted.read(p)
    ]
    by_run = {(r["experiment"], r["seed"], r["digests"]["generator_weights"]): r for r in records}
    for path in sorted(folder.rglob("*.safetensors")):
        name, seed = path.parent.relative_to(folder).as_posix(), int(path.stem.removeprefix("seed"))
        yield pytest.param(path, by_run[name, seed, checkpoint.digest(load_file(path))], id=name)


def test_generators_are_committed_and_small():
    sizes = [path.stat().st_size for path in (committed.PAGE.parent / "generators").rglob("*.safetensors")]
    assert len(sizes) >= 6
    assert sum(sizes) <= 20e6


@pytest.mark.parametrize(("path", "record"), list(generators()))
def test_a_committed_generator_has_the_scores_of_its_record(path, record):
    name, seed = record["experiment"].partition("+")[0], str(record["seed"])
    asked = ["--experiment", name, "--seed", seed, "--protocol", "digits-2k", "--device", "cpu", "--json"]
    result = CliRunner().invoke(evaluate, [str(path), *asked], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert said["images"]["weights_sha256"] == record["digests"]["generator_weights"]
    # Another machine's kernels round otherwise; here the digits are the same.
    expected = record["final"]["scores"]["digits-2k"]
    assert said["results"][0]["scores"] == pytest.approx(expected, rel=1e-4)


def test_verdicts_stand_before_what_was_not_run(judged, monkeypatch):
    runs, _ = judged
    monkeypatch.setattr(
        committed.accepted, "read", lambda path: [r.record for r in runs] if path.stem == "quick" else None
    )
    text = "\n\n".join(committed._against_the_papers())
    assert "no verdict yet" not in text
    assert text.index("✓ reproduced") < text.index("These were not run:")
