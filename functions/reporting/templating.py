"""Renders the report's templates, which include some of the review page's, and escapes every value."""

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from reporting.words import duration
from web.templating import FOLDER, STYLE, new_environment

_FOLDER = Path(__file__).parent / "templates"
_STYLE = STYLE + (_FOLDER / "report.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The page lies in a bucket, which sends no such header. Nothing in it runs or loads anything.
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; form-action 'none'"

_environment = new_environment(_FOLDER, FOLDER)
_environment.globals |= {"style": Markup(_STYLE), "policy": POLICY}  # noqa: S704 - files of ours
_environment.filters["duration"] = duration


def render(name: str, **values: object) -> str:
    """Fill in a template, which is compiled when it is first needed."""
    return _environment.get_template(name).render(values)
