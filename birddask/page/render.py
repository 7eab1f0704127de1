"""The page as HTML (the only ``jinja2`` import): all that comes from outside is escaped, and nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from birddask.clips.looked_at import clock
from birddask.page.charts import Chart
from birddask.page.content import SITES_SHOWN, Content
from birddask.page.heard import BEST_SHOWN, SPECIES_SHOWN
from birddask.recordings.moments import to_datetime
from birddask.recordings.reasons import IGNORED, QUARANTINED
from birddask.safe_text import printable
from birddask.survey.lines import survey_lines


@dataclass(frozen=True)
class _Limits:
    """How much the page shows at most, so that it stays small."""

    species: int = SPECIES_SHOWN
    best: int = BEST_SHOWN
    sites: int = SITES_SHOWN
    rows: int = 100
    gaps: int = 20
    files: int = 5


def render(content: Content) -> bytes:
    """The page, in UTF-8."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("birddask", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": clock, "moment": _moment, "svg": _svg}
    page = environment.get_template("page.html")
    return page.render(
        page=content,
        survey_lines=survey_lines(content.survey),
        quarantined=QUARANTINED,
        ignored=IGNORED,
        limits=_Limits(),
    ).encode()


def _shown(value: object) -> object:
    """Names in one line; what is HTML already stays as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _svg(chart: Chart) -> Markup:
    """Both sizes; the style sheet hides one. Matplotlib escapes text."""
    return Markup(f'<div class="wide">{chart.wide}</div><div class="narrow">{chart.narrow}</div>')  # noqa: S704


def _moment(moment_us: int | None) -> str:
    if moment_us is None:
        return "time unknown"
    return f"{to_datetime(moment_us):%Y-%m-%d %H:%M:%S}"
