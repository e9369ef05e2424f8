"""Answers callers who sign with IAM: through the Function URL by HTTP, or through Lambda's Invoke directly.

Both get the same JSON. Refusals are `{"error": "..."}`, by HTTP with the status that fits.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.refusals import Refused
from shared.telemetry import Answer, Event
from web.http import Request, json_response

Logic = Callable[[Mapping[str, Any]], dict[str, Any]]


def answer(event: Event, logic: Logic) -> Answer:
    """The answer of `logic` to the query, or to the event of a direct invocation."""
    by_http = "http" in (event.get("requestContext") or {})
    if not by_http:
        return _logical_answer(event, logic)[1]
    request = Request.from_event(event)
    if request.method not in ("GET", "HEAD"):
        text = {"error": "This address can be read, and nothing else."}
        return json_response(405, text, Allow="GET, HEAD").as_answer()
    response = json_response(*_logical_answer(request.query, logic))
    return (response.without_body() if request.method == "HEAD" else response).as_answer()


def text_of(asked: Mapping[str, Any], name: str) -> str:
    """A value that has to be given. Raises Refused."""
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"`{name}` is missing.")
    return value


def number_of(asked: Mapping[str, Any], name: str) -> int:
    """A whole number that has to be given, which a query has as text. Raises Refused."""
    value = str(asked.get(name, ""))
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refused(400, f"`{name}` has to be a whole number.")
    return int(value)


def _logical_answer(asked: Mapping[str, Any], logic: Logic) -> tuple[int, dict[str, Any]]:
    try:
        return 200, logic(asked)
    except Refused as refused:
        return refused.status, {"error": str(refused)}
