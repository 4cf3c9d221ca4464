"""Measured speeds in the report: of what it shows, where there are any."""

from benchmark.report import html, markdown
from benchmark.report.content import compose

RATE = {"per_s": [9.0, 10.0, 11.0], "share_of_roof": [0.4, 0.5, 0.6], "gflop": {"matmul": 1.0}}
ENTRY = {"start_cpu_s": 2.5, "gen_iters": RATE, "generated_images": {**RATE, "share_of_roof": [0, 0, 0]}}
SPEEDS = {
    "Some <CPU>": {
        "experiments": {"gan/digits": ENTRY, "other/experiment": ENTRY},
        "protocols": {"digits-2k": {"scored_images": RATE}, "is-50k": {"left_out": "no weights"}},
    },
    "Unused CPU": {"experiments": {"other/experiment": ENTRY}, "protocols": {}},
}


def composed(suite, **given):
    return compose(*suite, suite="q", command="x", axes=(), **given)


def test_speeds_of_what_is_shown(suite):
    report = composed(suite, speeds=SPEEDS)
    experiments, protocols = report.speed
    assert [row.cells[0] for row in experiments.rows] == ["gan/digits"]
    assert experiments.rows[0].cells[1:] == ("10 (9–11)", "50 %", "10 (9–11)", "–", "2.5")
    assert [row.cells[0] for row in protocols.rows] == ["digits-2k"]
    for text in (html.render(report), markdown.render(report)):
        assert text.count("Speed on Some") == 1
        assert "<CPU>" not in text
        assert "Unused CPU" not in text


def test_without_measurements_there_is_nothing_of_them(suite):
    assert composed(suite).speed == ()
    assert "Speed on" not in html.render(composed(suite))
