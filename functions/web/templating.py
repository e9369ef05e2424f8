"""Renders the HTML templates in `templates/`, and escapes every value."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.text import number, readable_time
from web.drift import drift_view

FOLDER = Path(__file__).parent / "templates"
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")


def new_environment(*folders: Path) -> Environment:
    """An environment that escapes every value, with the templates in these folders."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["drift_view"] = drift_view
    environment.filters |= {"number": number, "time": readable_time}
    return environment


_environment = new_environment(FOLDER)
_environment.globals["style"] = Markup(STYLE)  # noqa: S704 - a file of ours


def prepare() -> None:
    """Compile all pages: to be called while the execution environment starts and has a whole CPU."""
    for name in _environment.list_templates(["html"]):
        _environment.get_template(name)


def render(name: str, **values: object) -> str:
    """Fill in a template, which is compiled when it is first needed."""
    return _environment.get_template(name).render(values)
