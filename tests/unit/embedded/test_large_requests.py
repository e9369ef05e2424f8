"""The emulator's memory does not grow with the number of clients that upload at the same time."""

import asyncio
from typing import Any

from local.embedded.large_requests import LARGEST, with_large_requests

MIB = 1024**2


def request(size: int, method: str = "PUT") -> Any:
    return {"type": "http", "method": method, "headers": [(b"content-length", str(size).encode())]}


async def most_at_a_time(*requests: Any) -> int:
    running = most = 0

    async def application(*_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    limited = with_large_requests(application, lambda code, message, scope: (403, {}, code.encode()))
    await asyncio.gather(*(limited(each, None, None) for each in requests))
    return most


def test_eight_large_writes_run_at_a_time() -> None:
    assert asyncio.run(most_at_a_time(*[request(8 * MIB)] * 20)) == 8


def test_small_writes_and_calls_of_functions_never_wait() -> None:
    assert asyncio.run(most_at_a_time(*[request(MIB)] * 20, *[request(8 * MIB, "POST")] * 20)) == 40


def test_a_write_over_5_gib_is_refused_in_the_words_of_s3() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def application(*_: Any) -> None:
        raise AssertionError("it was passed on")

    limited = with_large_requests(
        application, lambda code, message, scope: (403, {}, f"{code} {message}".encode())
    )

    async def ask() -> None:
        await limited(request(LARGEST + 1), None, send)

    asyncio.run(ask())
    assert (sent[0]["status"], sent[1]["body"]) == (
        400,
        b"EntityTooLarge Your proposed upload exceeds the maximum allowed size",
    )
