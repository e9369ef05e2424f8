"""A layer around the emulator: few large requests are in memory at a time, and none that is too large."""

import asyncio
from collections.abc import Mapping
from typing import Any

from local.embedded.asgi import Application, answer
from local.embedded.authentication import Refusals

# S3's limit on one request, the largest of all services. Larger files are uploaded in parts.
LARGEST = 5 * 1024**3
_TOO_LARGE = "Your proposed upload exceeds the maximum allowed size"
# Parts of an upload. Others wait until there is room, and their clients with them.
_LARGE = 1 << 20
_AT_A_TIME = 8
_SIZES = (b"content-length", b"x-amz-decoded-content-length")


def with_large_requests(application: Application, refusal: Refusals) -> Application:
    """`application` for requests of at most 5 GiB, of which it gets eight that write over 1 MiB at a time."""
    room = asyncio.Semaphore(_AT_A_TIME)

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        size = _declared_size(scope) if scope["type"] == "http" else 0
        if size > LARGEST:
            _, headers, text = refusal("EntityTooLarge", _TOO_LARGE, scope)
            await answer(send, 400, headers, text)
        # A function's call may wait for a request of that function, but a PUT waits for nothing.
        elif size > _LARGE and scope["method"] == "PUT":
            async with room:
                await application(scope, receive, send)
        else:
            await application(scope, receive, send)

    return limited


def _declared_size(scope: Mapping[str, Any]) -> int:
    return max(
        (int(value) for name, value in scope["headers"] if name in _SIZES and value.isdigit()), default=0
    )
