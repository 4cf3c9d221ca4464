"""The report as one HTML file that needs nothing but a browser."""

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmark.escape import markup
from benchmark.report.axes import AXES
from benchmark.report.content import Content
from benchmark.report.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable


def render(content: Content) -> str:
    """Write the whole report."""
    return page("report.html.j2", c=content)


def page(template: str, **context: Any) -> str:
    """Fill in a template of this folder; all text is escaped by the engine, after `markup`."""
    environment = Environment(
        loader=PackageLoader("benchmark.report", "."),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {"svg": _svg, "value": _value}
    environment.filters.update(filters)
    environment.globals["axes"] = AXES
    return environment.get_template(template).render(**context)


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) or not isinstance(value, str) else markup(value)


def _svg(figure: Figure) -> Markup:
    # Safe here: matplotlib and `to_svg` escape the text that is drawn, `inline` the description.
    return Markup(figure.inline())


def _value(text: str, spread: bool) -> Markup:
    """`9.71 ± 0.05` in two fixed-width halves, so that decimal points and ± align down a column."""
    if not (spread and text[:1].isdecimal()):
        return escape(markup(text))
    mean, sign, sd = text.partition(" ± ")
    return Markup('{}<span class="sd">{}{}</span>').format(markup(mean), sign, markup(sd))
