"""Requests and responses of a Lambda Function URL, with the security headers of every page."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from shared.refusals import Refused
from web.templating import STYLE

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# No script, no font, no frame: only one style sheet, named by its hash, and a form that posts to this origin.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# For a page with embedded pictures; none is loaded from elsewhere.
_PICTURES = "; img-src data:"
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # With no-referrer, browsers would post `Origin: null`. The address is a secret, which no other site may
    # receive.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",
}
# For what is no page: should a browser show it after all, nothing in it does anything.
_INERT = "default-src 'none'; frame-ancestors 'none'"
# A name and a comment of 2,000 characters, each encoded in at most 12 characters, and a reserve.
BODY_LIMIT = 32_768
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """A browser's request. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    body_is_base64: bool
    address: str
    browser: str
    query: Mapping[str, str] = field(default_factory=dict)

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
            query=event.get("queryStringParameters") or {},
        )


@dataclass(frozen=True)
class Response:
    """A page, a redirect to one, or any other content. `headers` replace those that a page has."""

    status: int
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def without_body(self) -> "Response":
        """The answer to HEAD: the headers of the whole page."""
        return replace(self, headers=self._all_headers(), body="")

    def as_answer(self) -> dict[str, Any]:
        """The answer in the form that a Function URL expects."""
        answer = {"statusCode": self.status, "headers": self._all_headers()}
        if isinstance(self.body, str):
            return {**answer, "body": self.body}
        return {**answer, "body": base64.b64encode(self.body).decode(), "isBase64Encoded": True}

    def _all_headers(self) -> dict[str, str]:
        # Values are escaped, so only a template can have written this element.
        pictures = _PICTURES if isinstance(self.body, str) and "<img " in self.body else ""
        return {**_HEADERS, "Content-Security-Policy": f"{_POLICY}{pictures}", **self.headers}


def json_response(status: int, content: object, **headers: str) -> Response:
    """The content as JSON. In the names of the headers, `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {"Content-Type": "application/json", "Content-Security-Policy": _INERT}
    return Response(status, json.dumps(content, allow_nan=False), {**own, **named})


def check_same_origin(request: Request) -> None:
    """Refuse a post from another site's page, or from no page.

    Current browsers send the source of a post in `Sec-Fetch-Site`, older ones in `Origin`. A request with
    neither header is not a browser's.
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
    """The fields of a posted form, each at most once. Refuses large forms."""
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
