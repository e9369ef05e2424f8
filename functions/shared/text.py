"""Formats values for people: in mails, on the page and in one-line fields."""

import re
import unicodedata
from datetime import UTC, datetime

# Texts that mail programs and terminals turn into links: `http://`, `www.x`, `evil.com`, `\\\\host`. These
# endings belong to no domain, and the pipeline's own texts contain them.
_NO_DOMAIN = r"(?!(?:csv|gz|json|jsonl|large|medium|onnx|out|parquet|tar|txt|xlarge)\b)"
_LINKS = re.compile(
    rf":(?=[/\\]{{2}})|\\\\(?=\w)|(?<=\bwww)\.|(?<=\w)[.。．｡](?=[^\W\d_]{{2}}){_NO_DOMAIN}", re.IGNORECASE
)
# The Unicode names of invisible letters and symbols contain one of these words, as in HANGUL FILLER.
_WITHOUT_INK = {"BLANK", "FILLER", "NULL"}


def now() -> datetime:
    """The current time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def timestamp(moment: datetime) -> str:
    """`2026-03-01T09:30:00Z`, the sortable form in records and outputs."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def readable_time(value: str) -> str:
    """An ISO 8601 time as `2026-03-01 09:30 UTC`; anything else as it is."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return one_line(value, 40)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def number(value: object) -> str:
    """A measurement, rounded for people: `8.73`, `0.9712`; `-` if there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    if abs(value) >= 1:
        return f"{value:,.2f}"
    return f"{value:.4g}" if abs(value) >= 0.1 else f"{value:.3g}"


def one_line(value: str, limit: int) -> str:
    """The text without line breaks and hidden characters, at most `limit` characters long."""
    return shorten(" ".join(_visible(value).split()), limit)


def many_lines(value: str, limit: int) -> str:
    """The text with its line breaks but without other control characters, at most `limit` characters long."""
    lines = value.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return shorten("\n".join(_visible(line).rstrip() for line in lines).strip(), limit)


def defang(value: str) -> str:
    """An untrusted text whose links no longer work: `http[:]//evil[.]com`."""
    return _LINKS.sub(lambda found: f"[{found[0]}]", value)


def has_ink(value: str) -> bool:
    """Whether the text has a visible character: a letter, digit, punctuation mark or symbol."""
    return any(
        unicodedata.category(c)[0] in "LNPS" and _WITHOUT_INK.isdisjoint(unicodedata.name(c, "").split())
        for c in value
    )


def shorten(value: str, limit: int) -> str:
    """At most `limit` characters; a shortened text ends with `...`."""
    return value if len(value) <= limit else value[: limit - 3] + "..."


def ascii_only(value: str) -> str:
    """The text in ASCII: without accents, and with `?` for characters that ASCII lacks."""
    # Not NFKD, which would turn full-width forms into a colon and slashes.
    parts = unicodedata.normalize("NFD", value)
    return "".join(c for c in parts if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def _visible(value: str) -> str:
    # Not printable: control, invisible and text direction characters, surrogates, unassigned code points.
    return "".join(c if c.isprintable() else " " for c in value)
