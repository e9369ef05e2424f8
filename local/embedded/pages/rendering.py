"""Renders the HTML templates in `templates/`, and escapes every value."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from local.embedded.pages.drawing import Line
from local.embedded.pages.graph import CATCH

_FOLDER = Path(__file__).parent / "templates"
_LINK = re.compile(r"https?://[^\s<>\"']+")
# A state's input and output have up to 256 KiB each; nobody reads that much on a page.
MOST_CHARACTERS = 20_000

STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")


def _linked(text: str) -> Markup:
    parts, end = [], 0
    for link in _LINK.finditer(text):
        parts += [escape(text[end : link.start()])]
        parts += [Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(link.group())]
        end = link.end()
    return Markup("").join([*parts, escape(text[end:])])


def _time(moment: object) -> str:
    # ISO 8601 as in the data, cut to seconds: the page needs no time zone.
    return str(moment).replace("T", " ")[:19] if moment else ""


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[11:19]


def duration(seconds: float) -> str:
    """A time span, as precise as a reader needs it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def _pretty(text: str) -> str:
    """JSON with line breaks; other text as it is."""
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return _cut(text, MOST_CHARACTERS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} ... ({len(text)} characters)"


def _taken(line: Line, ways: set[tuple[str, str, bool]]) -> bool:
    return any((link.source, link.target, link.kind == CATCH) in ways for link in line.links)


_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "clock": _clock,
    "cut": _cut,
    "duration": duration,
    "figure": lambda value: f"{value:.6g}",
    "json": _pretty,
    "linked": _linked,
    # A part of a path or the value of a parameter.
    "part": lambda text: quote(text, safe=""),
    "taken": _taken,
    "time": _time,
}


def render(template: str, **values: object) -> str:
    """Fill in a template."""
    return _environment.get_template(template).render(values)
