"""Renders mails from templates and sends them to the subscribers of an SNS topic.

A template `<package>/templates/<name>.txt` has a line `Subject: ...`, an empty line, and the text. Values are
untrusted: each becomes a single line without working links, unless the template filters it by `as_is`,
`lines`, `paragraph`, which breaks it into lines, or `verbatim`.
"""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.aws import client
from shared.text import ascii_only, defang, many_lines, number, one_line, readable_time, shorten

_FUNCTIONS = Path(__file__).parents[1]
_LONGEST_LINE = 600
_PARAGRAPH_WIDTH = 80
_SUBJECT = "Subject: "


@dataclass(frozen=True)
class Mail:
    """A mail. Sending reduces the subject to what SNS accepts: a line of less than 100 ASCII characters."""

    subject: str
    text: str


class _AsIs(str):
    """Text that a mail shows as it is."""

    __slots__ = ()


def render(template: str, **values: object) -> Mail:
    """Fill in a template such as `approval/request`."""
    package, name = template.split("/")
    written = _environment().get_template(f"{package}/templates/{name}.txt").render(values)
    subject, _, text = written.strip().partition("\n")
    # Omitted parts of a template leave empty lines.
    text = re.sub(r"\n{3,}", "\n\n", text.strip())
    return Mail(subject.removeprefix(_SUBJECT), f"{text}\n")


def send(mail: Mail, topic_arn: str) -> None:
    """Publish the mail on the topic."""
    client("sns").publish(TopicArn=topic_arn, Subject=fit_subject(mail.subject), Message=mail.text)


def fit_subject(subject: str) -> str:
    """SNS refuses a subject that is not ASCII, has a line break or reaches 100 characters."""
    return shorten(ascii_only(one_line(subject, 200)), 99).strip() or "(no subject)"


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Lines of `name: value` with aligned values, without the rows that have no value."""
    shown = [(_clean(name), _clean(value)) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0) + 2
    return _AsIs("\n".join(f"{name + ':':<{width}} {value}" for name, value in shown))


@cache
def _environment() -> Environment:
    # A mail is not HTML: `finalize` takes the place of autoescaping.
    environment = Environment(
        loader=FileSystemLoader(_FUNCTIONS),
        undefined=StrictUndefined,
        finalize=_clean,
        autoescape=False,  # noqa: S701 - plain text
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "as_is": _as_is,
        "lines": _lines,
        "number": number,
        "paragraph": _paragraph,
        "table": table,
        "time": readable_time,
        "verbatim": _verbatim,
    }
    return environment


def _clean(value: object) -> str:
    return value if isinstance(value, _AsIs) else defang(one_line(str(value), _LONGEST_LINE))


def _as_is(value: object) -> str:
    return _AsIs(one_line(str(value), 2048))


def _paragraph(value: object) -> str:
    return _AsIs(
        textwrap.fill(_clean(value), _PARAGRAPH_WIDTH, break_long_words=False, break_on_hyphens=False)
    )


def _verbatim(value: str) -> str:
    """Lines to paste, which must arrive as they are. Only for what the pipeline itself wrote."""
    return _AsIs(value)


def _lines(value: str) -> str:
    return _AsIs(defang(many_lines(value, 2000)))
