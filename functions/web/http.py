"""Requests and responses of a Lambda Function URL, and what every page does to be safe in a browser."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from web.templating import STYLE

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# No script, no font, no frame: one style sheet, known by its hash, and a form that posts home.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# For a page with pictures of its own; none is loaded from anywhere.
_PICTURES = "; img-src data:"
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # With no-referrer browsers would post `Origin: null`; the address is a secret, so it must go nowhere
    # else.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",
}
# A name, a comment of 2,000 characters, each of them at most 12 characters when encoded, and some room.
BODY_LIMIT = 32_768
_FORM = "application/x-www-form-urlencoded"


class Refused(Exception):
    """A request that is not even looked at. Its text is for the person in front of the browser."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What a browser sent. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    body_is_base64: bool
    address: str
    browser: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Request":
        """Read an event of payload format 2.0."""
        http = event["requestContext"]["http"]
        return cls(
            method=str(http["method"]),
            path=str(event.get("rawPath") or "/"),
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=str(event.get("body") or ""),
            body_is_base64=bool(event.get("isBase64Encoded")),
            address=str(http.get("sourceIp") or ""),
            browser=str(http.get("userAgent") or ""),
        )


@dataclass(frozen=True)
class Response:
    """A page, or the way to one."""

    status: int
    page: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def without_body(self) -> "Response":
        """What HEAD gets: the headers of the whole page."""
        return replace(self, headers=self._all_headers(), page="")

    def as_answer(self) -> dict[str, Any]:
        """What a Function URL expects of its Lambda."""
        return {"statusCode": self.status, "headers": self._all_headers(), "body": self.page}

    def _all_headers(self) -> dict[str, str]:
        # Text that is put into a page never holds `<`, so this is an element of ours.
        pictures = _PICTURES if "<img " in self.page else ""
        return {**_HEADERS, "Content-Security-Policy": f"{_POLICY}{pictures}", **self.headers}


def check_same_origin(request: Request) -> None:
    """Refuse what another site's page posted, and what comes from no page at all.

    Every browser of today says with `Sec-Fetch-Site` where a post comes from; older ones say `Origin`. What
    says neither is no browser.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        same = site == "same-origin"
    else:
        _, _, origin = request.headers.get("origin", "").partition("://")
        same = bool(origin) and origin == request.headers.get("host")
    if not same:
        raise Refused(
            403, "A decision can only be sent from the review page itself. Open the link from the mail."
        )


def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; each at most once, all of them small."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, "Only the review page's own form is understood.")
    if len(request.body) > BODY_LIMIT:
        raise Refused(413, "That is more text than the form takes. Shorten the comment.")
    try:
        fields = parse_qs(
            _body_text(request),
            keep_blank_values=True,
            strict_parsing=False,
            errors="strict",
            max_num_fields=10,
        )
    except ValueError:
        raise Refused(400, "The form could not be read. Open the link from the mail and try again.") from None
    if any(len(values) > 1 for values in fields.values()):
        raise Refused(400, "The form names something twice. Open the link from the mail and try again.")
    return {name: values[0] for name, values in fields.items()}


def _body_text(request: Request) -> str:
    if not request.body_is_base64:
        return request.body
    try:
        return base64.b64decode(request.body, validate=True).decode("utf-8")
    except binascii.Error:
        raise ValueError("not base64") from None
