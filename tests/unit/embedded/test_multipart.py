"""Parts of uploads beside other requests."""

import asyncio
import threading
from typing import Any

import pytest
from ministack.services import s3

from local.embedded.seams.multipart import store_parts_in_threads
from tests.conftest import PATIENCE_SECONDS


def test_others_are_answered_while_a_part_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> str:
        if "partNumber" in query_params:
            assert answered.wait(PATIENCE_SECONDS)
        return path

    async def both() -> list[Any]:
        part = asyncio.create_task(s3.handle_request("PUT", "/part", {}, b"", {"partNumber": ["1"]}))
        await asyncio.sleep(0)  # The part's turn comes first.
        other = await s3.handle_request("GET", "/other", {}, b"", {})
        answered.set()
        return [await part, other]

    monkeypatch.setattr(s3, "handle_request", handle)
    store_parts_in_threads()
    assert asyncio.run(both()) == ["/part", "/other"]
