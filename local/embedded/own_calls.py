"""Calls that the embedded AWS makes to itself, without HTTP between its client and its server.

Step Functions and the local SageMaker call S3, Lambda and the others with boto3. Each request is signed and
passes the same layers as any other client's, but as a message to the event loop that serves them all. HTTP on
both sides, with its sockets, would be a third of what such a call costs.
"""

import asyncio
import io
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.embedded.asgi import Application, answer

# How many pieces of a response wait for their reader.
_PIECES = 4

logger = logging.getLogger(__name__)


class NoLongerServed(Exception):
    """The embedded AWS is ending. Not an error of botocore's, which would try again and again."""


class OwnCalls:
    """Answers the requests of boto3's clients while the embedded AWS is served. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._application: Application
        # With the tasks that carry them out, which the event loop itself would forget.
        self._exchanges: dict[_Exchange, asyncio.Task[None] | None] = {}

    def join(self, session: Any, seconds: float) -> None:
        """Answer the clients of a session of boto3, which wait so many seconds for an answer."""

        def send(request: Any, **_: Any) -> AWSResponse | None:
            return self._send(request, seconds)

        session.events.register("before-send", send)

    def serve(self, application: Application) -> None:
        """Answer by this application, on the event loop that runs this."""
        with self._lock:
            self._application, self._loop = application, asyncio.get_running_loop()

    def close(self) -> None:
        """Break all connections, and refuse later requests. Those before `serve` have left by a socket."""
        with self._lock:
            self._closed = True
            for exchange, task in self._exchanges.items():
                exchange.end()
                if task is not None:
                    task.cancel()

    def _send(self, request: Any, seconds: float) -> AWSResponse | None:
        with self._lock:
            if self._closed:
                raise NoLongerServed("the embedded AWS is ending")
            if self._loop is None:
                return None
            exchange = _Exchange(request, self._loop)
            self._exchanges[exchange] = None
            # A context of its own, since it is a request of its own: not that of the one which led to it.
            self._loop.call_soon_threadsafe(self._begin, exchange, context=Context())
        return exchange.response(seconds)

    def _begin(self, exchange: "_Exchange") -> None:
        task = asyncio.create_task(self._carry_out(exchange))
        with self._lock:
            self._exchanges[exchange] = task

    async def _carry_out(self, exchange: "_Exchange") -> None:
        try:
            await self._application(exchange.scope(), exchange.receive, exchange.send)
        except Exception:
            logger.exception("An own call failed inside the embedded AWS")
            await answer(exchange.send, 500, {}, b"")
        finally:
            exchange.end()
            with self._lock:
                del self._exchanges[exchange]


class _Exchange:
    """A request, and its response on the way from the event loop to the client's thread."""

    def __init__(self, request: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._loop = loop
        self._start: Any = None
        self._started: Future[Any] = Future()
        self._pieces: SimpleQueue[bytes] = SimpleQueue()
        self._room = asyncio.Semaphore(_PIECES)
        self._received = self._waits = self._left = False

    def scope(self) -> dict[str, Any]:
        """The request, as hypercorn describes one to the application."""
        url = urlsplit(self._request.url)
        headers = [(_latin(name).lower(), _latin(value)) for name, value in self._request.headers.items()]
        return {
            "type": "http",
            "http_version": "1.1",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": self._request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.path.encode("ascii"),
            "query_string": url.query.encode("ascii"),
            "root_path": "",
            "headers": [(b"host", url.netloc.encode("ascii")), *headers],
            "client": ("127.0.0.1", 0),
            "server": (url.hostname, url.port),
            "state": {},
            "extensions": {},
        }

    async def receive(self) -> Any:
        """The body, read only now, since a large one may have waited for its turn; and then nothing more."""
        if self._received:
            await asyncio.Event().wait()
        self._received = True
        body = self._request.body
        body = body.read() if hasattr(body, "read") else body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Any) -> None:
        """Take a part of the response from the application, which waits for the client to read."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message.get("more_body") and not self._left:
            self._waits = True
            await self._room.acquire()
        if self._left:
            return
        if message.get("body") and self._request.method != "HEAD":
            self._pieces.put(message["body"])
        if not message.get("more_body"):
            self._pieces.put(b"")
        if not self._started.done():
            self._started.set_result(self._start)

    def end(self) -> None:
        """The application sends no more; a response that it has not begun is a broken connection."""
        self._pieces.put(b"")
        if not self._started.done():
            broken = ConnectionClosedError(endpoint_url=self._request.url, request=self._request)
            self._started.set_exception(broken)

    def response(self, seconds: float) -> AWSResponse:
        """The response, when it has begun. Raises ReadTimeoutError or ConnectionClosedError."""
        try:
            start = self._started.result(seconds)
        except TimeoutError as late:
            self.leave()
            raise ReadTimeoutError(endpoint_url=self._request.url, error=late) from late
        headers: Any = {}
        for name, value in start["headers"]:
            name, value = name.decode("latin-1"), value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return AWSResponse(self._request.url, start["status"], headers, _Body(self))

    def next_piece(self) -> bytes:
        """The next piece of the body; nothing at its end."""
        piece = self._pieces.get()
        if self._waits:
            self._loop.call_soon_threadsafe(self._room.release)
        return piece

    def leave(self) -> None:
        """The client reads no more; the application goes on."""
        self._left = True
        if self._waits:
            self._loop.call_soon_threadsafe(self._room.release)


class _Body(io.RawIOBase):
    """The body of a response, which botocore reads. Who drops it has closed it."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._rest = b""
        self._at_end = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(self.stream())
        if not self._rest and not self._at_end:
            self._rest = self._exchange.next_piece()
            self._at_end = not self._rest
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def stream(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        while piece := self.read(1 << 20):
            yield piece

    def close(self) -> None:
        if not self._at_end:
            self._exchange.leave()
        super().close()


def _latin(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
