"""Renders the HTML templates in `templates/`, and escapes every value."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.text import number, readable_time
from web.drift import drift_view

_FOLDER = Path(__file__).parent / "templates"
STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")

_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals["style"] = Markup(STYLE)  # noqa: S704 - a file of ours
_environment.globals["drift_view"] = drift_view
_environment.filters |= {"number": number, "time": readable_time}
# Compiled while the execution environment starts and has a whole CPU: this takes longer than rendering.
_templates = {name: _environment.get_template(name) for name in _environment.list_templates(["html"])}


def render(name: str, **values: object) -> str:
    """Fill in a template."""
    return _templates[name].render(values)
