"""The report in a real browser, opened from disk: by mouse and by keyboard, in the dark and on paper."""

import itertools
import shutil

import pytest

from benchmark.report import write_report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

AXES = ["gen_iters", "critic_updates", "images_seen", "wall_s"]

# For every visible text: its colour against the first opaque background below it (WCAG 2.2, relative
# luminance). Returns what is below 4.5 : 1.
CONTRAST = """() => {
  const rgb = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || ['style', 'title'].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const a = light(rgb(e.closest('svg') ? style.fill : style.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push([e.tagName, e.textContent.trim().slice(0, 40), ratio]);
  }
  return bad;
}"""
SHOWN = (
    "() => [...document.querySelectorAll('.view')].filter(v => v.checkVisibility()).map(v => v.dataset.axis)"
)
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic"], timeout=0
        )
        yield chromium
        chromium.close()


class Opened:
    """A page, and everything that went wrong or left the machine while it was open."""

    def __init__(self, browser, path):
        self.page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(0)  # pytest's own is the guard
        self.complaints, self.requests = [], []
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda d: (self.complaints.append(d.message), d.dismiss()))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(path.as_uri())


@pytest.fixture(scope="module")
def opened(browser, suite, tmp_path_factory):
    runs, missing = suite
    out = tmp_path_factory.mktemp("report")
    write_report(runs, out, suite="quick", command="x", missing=missing, formats=["html"])
    return Opened(browser, out / "report.html")


@pytest.fixture(scope="module")
def verdicts(browser, judged, tmp_path_factory):
    runs, missing = judged
    out = tmp_path_factory.mktemp("judged")
    write_report(runs, out, suite="p", command="x", missing=missing, planned=(0, 1, 2), formats=["html"])
    return Opened(browser, out / "report.html")


@pytest.fixture
def page(opened):
    opened.page.emulate_media(media="screen", color_scheme="light")
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.page.check("#x-gen_iters")
    return opened.page


def test_nothing_is_complained_about_or_fetched(opened, verdicts):
    for one in (opened, verdicts):
        one.page.wait_for_load_state("networkidle")
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith("data:")] == [one.page.url]


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_page_is_as_wide_as_the_window_and_every_picture_is_drawn(opened, page, verdicts, width):
    for one in (page, verdicts.page):
        one.set_viewport_size({"width": width, "height": 900})
        assert one.evaluate(WIDER) == 0
    page.evaluate("() => [...document.images].forEach(i => { i.loading = 'eager'; })")
    page.wait_for_function("() => [...document.images].every(i => i.complete && i.naturalWidth > 8)")
    assert page.locator("img").count() > 10
    heights = page.evaluate(
        "() => [...document.querySelectorAll('figure svg')].filter(s => s.checkVisibility())"
        ".map(s => s.getBoundingClientRect().height)"
    )
    assert len(heights) >= 7
    assert min(heights) > 60
    assert page.get_by_text("2 of 3 (1 diverged)").first.is_visible()
    assert opened.complaints == []


def test_the_horizontal_axis_is_chosen_by_keyboard(page):
    assert page.get_by_role("group", name="Horizontal axis").get_by_role("radio").count() == 4
    page.locator("#x-gen_iters").focus()
    seen = []
    for _ in AXES:
        shown = page.evaluate(SHOWN)
        assert len(shown) == 2
        seen.append(shown[0])
        assert set(shown) == {seen[-1]}
        page.keyboard.press("ArrowRight")
    assert seen == AXES
    assert set(page.evaluate(SHOWN)) == {AXES[0]}


def test_the_charts_differ_by_axis_in_more_than_words(page):
    charts = page.evaluate(
        "() => [...document.querySelector('.charts figure').querySelectorAll('.view svg')]"
        ".map(s => [s.querySelector('title').textContent, [...s.querySelectorAll('circle')]"
        ".map(c => c.getAttribute('cx')).join()])"
    )
    assert [title.split(", ")[0].split(" against ")[1] for title, _ in charts] == [
        "G-iterations",
        "critic updates",
        "images seen",
        "wall time",
    ]
    assert all("," in xs for _, xs in charts)


def test_pointing_at_a_marker_shows_its_value(page, suite):
    runs, _ = suite
    values = [
        r.record["final"]["scores"]["digits-2k"]["fid"]
        for r in runs
        if r.record["experiment"] == "gan/digits"
    ]
    chart = page.locator(".charts figure").nth(0)
    spot = chart.locator(
        ".view[data-axis=gen_iters] circle",
        has=page.locator("title", has_text="gan/digits, 300 G-iterations"),
    ).first
    spot.scroll_into_view_if_needed()
    box = spot.bounding_box()
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    page.mouse.move(*at)
    title = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).querySelector('title').textContent", at
    )
    assert f"FID {sum(values) / 3:.4g}, mean of 3 seeds" in title
    assert spot.evaluate("e => getComputedStyle(e).stroke") != "none"
    # It lies on the marker that is drawn there.
    under = "([x, y]) => document.elementsFromPoint(x, y).some(e => e.closest('g[id*=line2d]'))"
    assert page.evaluate(under, at)


def test_what_is_seen_by_pointing_can_be_read_as_a_table(page):
    values = page.locator(".values").first
    values.locator("summary").focus()
    page.keyboard.press("Enter")
    table = values.get_by_role("table")
    assert table.get_by_role("row", name="300").first.is_visible()
    assert table.get_by_role("columnheader").all_inner_texts()[:2] == ["G-iterations", "gan/digits"]
    page.keyboard.press("Enter")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page):
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    page.reload()
    page.keyboard.press("Tab")
    link = page.locator(".skip")
    assert link.evaluate("e => e === document.activeElement && e.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_headings_and_landmarks_are_in_order(verdicts):
    page = verdicts.page
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for role in ("main", "banner", "navigation"):
        assert page.get_by_role(role).count() == 1
    assert page.locator("main h2").first.inner_text() == "Against the papers"
    assert page.evaluate("() => document.documentElement.lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page, verdicts, scheme):
    for one in (page, verdicts.page):
        one.emulate_media(color_scheme=scheme)
        assert one.evaluate(CONTRAST) == []
    assert (
        verdicts.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(247, 247, 245)",
            "dark": "rgb(22, 24, 28)",
        }[scheme]
    )


def test_verdicts_are_words_beside_their_numbers(verdicts):
    table = verdicts.page.get_by_role("table", name="Printed numbers")
    row = table.get_by_role("row", name="sngan/cifar10-cnn FID").first
    assert row.inner_text().split("\t")[:4] == [
        "sngan/cifar10-cnn",
        "FID ↓ (fid-5k)",
        "✓ reproduced",
        "26.01 ± 0.30",
    ]


def test_tables_fit_on_a_landscape_page(opened, verdicts):
    for one in (opened.page, verdicts.page):
        one.set_viewport_size({"width": 1017, "height": 690})  # A4 without its margins, at 96 px per inch
        one.emulate_media(media="print")
        assert one.evaluate(WIDER) <= 0
        one.emulate_media(media="screen")


def test_on_paper_there_is_the_axis_of_budgets_and_nothing_to_press(page):
    page.check("#x-wall_s")
    page.emulate_media(media="print")
    assert page.evaluate(SHOWN) == ["gen_iters", "gen_iters"]
    for gone in ("nav", ".switch", ".skip", ".values"):
        assert not page.locator(gone).first.is_visible()
    details = page.locator("main > section details p").first
    assert details.is_visible()
    assert page.pdf().startswith(b"%PDF-")
