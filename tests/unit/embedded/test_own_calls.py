"""The embedded AWS's calls to itself: as another client's, but without a socket."""

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.embedded.asgi import answer, read_body
from local.embedded.own_calls import NoLongerServed, OwnCalls
from local.sagemaker.models import new_session

PIECE = b"x" * 1000
MARK: ContextVar[str] = ContextVar("MARK", default="none")


class Server:
    """An event loop on its own thread, and an application that does what a test wants."""

    def __init__(self) -> None:
        self.calls = OwnCalls()
        self.loop = asyncio.new_event_loop()
        self.seen: list[tuple[dict[str, Any], bytes]] = []
        self.do: Callable[[Any], Any] = lambda send: answer(send, 200, {}, b"")
        self._thread = threading.Thread(target=self.loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        self.on_loop(lambda: self.calls.serve(self._application))

    def on_loop(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def stop(self) -> None:
        self.on_loop(self.calls.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def client(self, service: str = "s3", seconds: float = 10.0, attempts: int = 1) -> Any:
        session = boto3.Session("test", "secret", region_name="us-east-1", botocore_session=new_session())
        self.calls.join(session, seconds)
        # Port 9 discards everything, and nothing of this machine listens there.
        retries: Any = {"total_max_attempts": attempts}
        config = Config(retries=retries, s3={"addressing_style": "path"}, connect_timeout=1)
        make: Any = session.client
        return make(service, endpoint_url="http://127.0.0.1:9", config=config)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append((scope, await read_body(receive)))
        await self.do(send)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("body", [b"some bytes", io.BytesIO(b"some bytes")])
def test_a_request_arrives_signed_and_whole(server: Server, body: Any) -> None:
    server.client().put_object(Bucket="bucket", Key="a b/ä", Body=body, Metadata={"who": "me"})
    scope, content = server.seen[0]
    headers = dict(scope["headers"])
    assert (scope["method"], scope["path"], scope["raw_path"]) == (
        "PUT",
        "/bucket/a b/ä",
        b"/bucket/a%20b/%C3%A4",
    )
    assert content == b"some bytes"
    assert headers[b"content-length"] == b"10"
    assert (headers[b"host"], headers[b"x-amz-meta-who"]) == (b"127.0.0.1:9", b"me")
    assert headers[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=test/")


def test_a_query_arrives_as_it_was_sent(server: Server) -> None:
    server.do = lambda send: answer(send, 200, {}, b"<ListBucketResult/>")
    server.client().list_objects_v2(Bucket="bucket", Prefix="a/ b")
    assert server.seen[0][0]["query_string"] == b"list-type=2&prefix=a%2F%20b&encoding-type=url"


def test_status_headers_and_body_of_the_answer_are_the_clients(server: Server) -> None:
    server.do = lambda send: answer(send, 404, {"X-Amz-Error": "here"}, b'{"__type": "Missing"}')
    with pytest.raises(ClientError) as raised:
        server.client("logs").describe_log_groups()
    assert raised.value.response["Error"]["Code"] == "Missing"
    about = raised.value.response["ResponseMetadata"]
    assert (about["HTTPStatusCode"], about["HTTPHeaders"]["x-amz-error"]) == (404, "here")


def test_the_answer_to_head_has_no_body(server: Server) -> None:
    server.do = lambda send: answer(send, 200, {"etag": '"e"'}, b"a body")
    assert server.client().head_object(Bucket="bucket", Key="key")["ETag"] == '"e"'


def test_a_long_answer_waits_for_its_reader(server: Server) -> None:
    sent: list[int] = []
    server.do = _stream(100, sent)
    body = server.client().get_object(Bucket="bucket", Key="key")["Body"]
    # The loop has nothing else to do, so it would have sent everything by now.
    server.on_loop(lambda: None)
    assert len(sent) <= 10
    assert body.read(10) + body.read() == PIECE * 100
    assert len(sent) == 100


def test_the_application_ends_its_answer_even_if_the_client_reads_no_more(server: Server) -> None:
    sent: list[int] = []
    ended = threading.Event()
    server.do = _stream(100, sent, ended.set)
    server.client().get_object(Bucket="bucket", Key="key")["Body"].close()
    assert ended.wait(10)
    assert len(sent) == 100


def test_a_call_that_ends_without_an_answer_is_a_broken_connection(server: Server) -> None:
    async def cut(_: Any) -> None:
        """As a rule of the faults does that drops a call."""

    server.do = cut
    with pytest.raises(ConnectionClosedError):
        server.client().head_bucket(Bucket="bucket")


def test_a_failure_of_the_application_is_an_internal_error(server: Server) -> None:
    async def fail(_: Any) -> None:
        raise ZeroDivisionError

    server.do = fail
    with pytest.raises(ClientError) as raised:
        server.client().head_bucket(Bucket="bucket")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_a_client_does_not_wait_longer_than_it_wants(server: Server) -> None:
    late = asyncio.Event()

    async def wait(send: Any) -> None:
        await late.wait()
        await answer(send, 200, {}, b"")

    server.do = wait
    with pytest.raises(ReadTimeoutError):
        server.client(seconds=0.01).head_bucket(Bucket="bucket")
    server.on_loop(late.set)


def test_a_call_has_no_part_in_the_context_of_its_caller(server: Server) -> None:
    found = []

    async def look(send: Any) -> None:
        found.append(MARK.get())
        await answer(send, 200, {}, b"")

    server.do = look
    token = MARK.set("caller")
    server.client().head_bucket(Bucket="bucket")
    MARK.reset(token)
    assert found == ["none"]


def test_calls_in_progress_end_when_the_server_closes(server: Server) -> None:
    async def close(_: Any) -> None:
        server.calls.close()
        await asyncio.Event().wait()

    server.do = close
    with pytest.raises(ConnectionClosedError):
        server.client().head_bucket(Bucket="bucket")


def test_before_the_server_answers_a_request_takes_the_usual_way() -> None:
    server = Server()
    taken = []

    def usual_way(request: Any, **_: Any) -> None:
        taken.append(request.method)
        raise ConnectionClosedError(endpoint_url=request.url)

    client = server.client()
    client.meta.events.register_last("before-send", usual_way)
    with pytest.raises(ConnectionClosedError):
        client.head_bucket(Bucket="bucket")
    server.start()
    client.meta.events.unregister("before-send", usual_way)
    client.head_bucket(Bucket="bucket")
    server.stop()
    assert (taken, len(server.seen)) == (["HEAD"], 1)


def test_after_it_has_closed_a_request_is_refused_and_not_repeated() -> None:
    server = Server()
    server.start()
    client, asked = server.client(attempts=5), []
    client.meta.events.register_first("before-send", lambda request, **_: asked.append(request.method))
    server.stop()
    with pytest.raises(NoLongerServed):
        client.head_bucket(Bucket="bucket")
    assert asked == ["HEAD"]


def _stream(pieces: int, sent: list[int], at_end: Callable[[], None] = lambda: None) -> Callable[[Any], Any]:
    async def stream(send: Any) -> None:
        size = str(len(PIECE) * pieces).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]})
        for number in range(pieces):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        at_end()

    return stream
