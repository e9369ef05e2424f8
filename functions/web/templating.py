"""The HTML templates in `templates/`. Whatever is put into one is escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.text import number, readable_time

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
_environment.filters |= {"number": number, "time": readable_time}
# Now, while the execution environment starts and has a whole CPU: compiling takes longer than filling in.
_templates = {name: _environment.get_template(name) for name in _environment.list_templates(["html"])}


def render(name: str, **values: object) -> str:
    """The page that a template makes of the values."""
    return _templates[name].render(values)
