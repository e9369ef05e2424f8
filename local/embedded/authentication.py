"""A layer around the emulator that refuses unsigned requests in the words of the called service."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from local.embedded.asgi import Application, answer, read_body, replay
from local.embedded.signatures import Received, Refused, SecretOf, is_signed, verify

Response = tuple[int, dict[str, str], bytes]


class Refusals(Protocol):
    """The emulator's answer to a refused request."""

    def __call__(self, code: str, message: str, scope: Mapping[str, Any]) -> Response: ...


def with_signatures(
    application: Application,
    secret_of: SecretOf,
    is_public: Callable[[Mapping[str, Any]], bool],
    refusal: Refusals,
) -> Application:
    """`application` for signed requests, for those that `is_public` allows, and for the pages.

    Another guard protects the pages under /_mpg/: their address (local/embedded/doors.py).
    """

    async def verified(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_mpg/") or is_public(scope):
            await application(scope, receive, send)
            return
        body = await read_body(receive)
        try:
            _check(_received(scope, body), secret_of)
        except Refused as refused:
            status, headers, text = refusal(refused.code, refused.message, scope)
            await answer(send, status, headers, b"" if scope["method"] == "HEAD" else text)
        else:
            await application(scope, replay(body, receive), send)

    return verified


def _check(request: Received, secret_of: SecretOf) -> None:
    if not is_signed(request):
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    verify(request, secret_of, datetime.now(UTC))


def _received(scope: Mapping[str, Any], body: bytes) -> Received:
    return Received(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple(
            (name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in scope["headers"]
        ),
        body=body,
    )
