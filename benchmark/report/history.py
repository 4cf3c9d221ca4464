"""What was accepted over time: a chart per experiment, changes of environment and settings marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmark.escape import markup
from benchmark.judging.history import Entry, Story
from benchmark.pictures.labels import plain_numbers
from benchmark.pictures.style import INK, MUTED, house_style, look, to_svg
from benchmark.records.quantities import DASH, metric_title
from benchmark.records.summary import decimals_for, summarise
from benchmark.report.figure import Figure
from benchmark.report.table import Row, Table, numbers, words

_MOST_LABELS = 6
"""Of a horizontal axis."""
CAPTION = (
    "Final scores at each commit (or file) that accepted the experiment anew: mean with sd over seeds, and "
    "each seed as a dot. Dashed: another environment. Dotted, and the line interrupted: other settings, "
    "data, budget or protocol, so that values on its two sides are not to be compared."
)


@dataclass(frozen=True)
class History:
    """A chart per experiment and one table of all; `notes` on what could not be read."""

    figures: tuple[Figure, ...]
    table: Table
    notes: tuple[str, ...]
    caption: str = CAPTION


def history(found: Sequence[Story], notes: Sequence[str] = ()) -> History:
    """Draw the stories."""
    figures = tuple(_figure(story, f"history-{i + 1}") for i, story in enumerate(found))
    return History(figures, table(found), tuple(notes))


def table(found: Sequence[Story]) -> Table:
    """One row per experiment and time, and what changed."""
    suites = list(dict.fromkeys(story.suite for story in found))
    rows = [
        Row.of(
            story.experiment + (f" ({story.suite})" if len(suites) > 1 else ""),
            entry.name,
            entry.day or DASH,
            "; ".join(f"{metric_title(m)} {_spread(entry.values[p, m])}" for p, m in _pairs([entry])) or DASH,
            f"{entry.runs}" + (f" ({entry.diverged} diverged)" if entry.diverged else ""),
            "; ".join(sorted(entry.environments.values())),
            "; ".join([*(["environment"] if entry.new_environment else []), *entry.new_settings])
            or ("code or seeds" if i else DASH),
        )
        for story in found
        for i, entry in enumerate(story.entries)
    ]
    rest = words("Scores, mean ± sd", "Seeds", "Environment", "What changed")
    columns = *words("Experiment", "Accepted"), *numbers("Day"), *rest
    return Table(f"What was accepted of {' and '.join(suites)}, the oldest first.", columns, tuple(rows))


def _pairs(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Protocols and metrics, FID first as everywhere."""
    found = dict.fromkeys(pair for entry in entries for pair in entry.values)
    return sorted(found, key=lambda pair: pair[1] != "fid")


def _spread(values: Sequence[float]) -> str:
    spread = summarise(values)
    return spread.text(decimals_for(values)) if spread else DASH


def _figure(story: Story, stem: str) -> Figure:
    pairs = _pairs(story.entries)
    with house_style():
        canvas = Canvas(figsize=(2.6 * max(len(pairs), 1), 2.0), layout="constrained")
        for ax, pair in zip(canvas.subplots(1, max(len(pairs), 1), squeeze=False)[0], pairs, strict=False):
            _draw(ax, story, pair)
            ax.set_title(markup(metric_title(pair[1])), fontsize=8.5, loc="left", parse_math=False)
        svg = to_svg(canvas)
    said = [
        f"{e.name} {metric_title(m)} {_spread(e.values[p, m])}" for e in story.entries for p, m in e.values
    ]
    description = f"Accepted scores of {story.experiment} over time: {', '.join(said)}."
    return Figure(stem, svg, f"{story.experiment} ({story.suite})", description)


def _draw(ax: Axes, story: Story, pair: tuple[str, str]) -> None:
    colour, marker, _ = look(story.experiment)
    spreads = [summarise(entry.values.get(pair, ())) for entry in story.entries]
    for i, (entry, spread) in enumerate(zip(story.entries, spreads, strict=True)):
        values = entry.values.get(pair, ())
        ax.plot([i] * len(values), values, ".", color=colour, alpha=0.45, markersize=4)
        if spread:
            sd = [spread.sd or 0.0]
            ax.errorbar([i], [spread.mean], yerr=sd, color=colour, marker=marker, markersize=5, capsize=2)
        if i and entry.new_environment:
            ax.axvline(i - 0.5, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        if i and entry.new_settings:
            x = i - 0.45 if entry.new_environment else i - 0.5
            ax.axvline(x, color=MUTED, linewidth=1.1, linestyle=":")
        last = spreads[i - 1] if i else None
        if last and spread and not entry.new_settings:
            ax.plot([i - 1, i], [last.mean, spread.mean], color=colour, linewidth=1.3)
    plain_numbers(ax)
    n = len(story.entries)
    shown = range(0, n, -(-n // _MOST_LABELS))
    ax.set_xticks(list(shown))
    names = [f"{story.entries[i].name}\n{story.entries[i].day}".strip() for i in shown]
    for tick, name in zip(
        ax.set_xticklabels([markup(name) for name in names], fontsize=7), names, strict=True
    ):
        tick.set_parse_math(False)
        if "\n" not in name and n > 2:
            tick.set_rotation(20)
    ax.set_xlim(-0.6, n - 0.4)
