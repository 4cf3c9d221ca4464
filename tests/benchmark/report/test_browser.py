"""The report in a real browser, opened from disk."""

import re
import shutil
import subprocess

import pytest

from benchmark.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
)

# Runs in a copy of the page: what a reader would see, measured by the browser itself.
PROBE = """<script>
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const dead = [...document.images].filter(i => !(i.complete && i.naturalWidth > 8)).length;
const flat = [...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().height < 60).length;
document.body.dataset.probe = JSON.stringify({wide, dead, flat, rows: document.querySelectorAll('tr').length,
  text: document.querySelector('table').innerText, alerts: window.alerts || 0});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 420])
def test_browser_shows_it_without_complaint(suite, tmp_path, width):
    runs, missing = suite
    write_report(runs, tmp_path, suite="quick", command="x", missing=missing, formats=["html"])
    page = tmp_path / "probe.html"
    html = (tmp_path / "report.html").read_text().replace(' loading="lazy"', "")
    page.write_text(
        html.replace("</body>", f"{PROBE}</body>").replace(
            "<head>", "<head><script>window.alert = () => { window.alerts = 1; }</script>"
        )
    )
    done = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.findall(r".*CONSOLE.*", done.stderr) == []
    probe = re.search(r'data-probe="([^"]*)"', done.stdout)[1].replace("&quot;", '"')
    assert '"wide":0,"dead":0,"flat":0' in probe
    assert '"alerts":0' in probe
    assert "2 of 3 (1 diverged)" in probe
    assert "real data" in probe
