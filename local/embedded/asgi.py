"""Shared by the layers around the emulator, which read a request's body and pass it on, or answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Application = Callable[..., Awaitable[None]]


async def read_body(receive: Any) -> bytes:
    """The whole body of a request."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def replay(body: bytes, receive: Any) -> Callable[[], Awaitable[Any]]:
    """A `receive` that returns the body, which was already read, and then continues as before."""
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Any:
        return whole.pop() if whole else await receive()

    return replayed


async def answer(send: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Send a whole response."""
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*encoded, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_text(send: Any, status: int, content_type: str, text: str) -> None:
    """Send a text that must not be cached."""
    headers = {"content-type": content_type, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    await answer(send, status, headers, text.encode())
