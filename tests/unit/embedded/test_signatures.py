"""A request is accepted if its sender signed all of it, with the right secret, just now."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1Auth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.embedded.signatures import Received, Refused, is_signed, verify

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY, SECRET = "test", "known to two"
HOST = "127.0.0.1:4566"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: NOW.replace(tzinfo=None))


def secret_of(access_key: str, token: str) -> str:
    return {(KEY, ""): SECRET, ("ASIASESSION", "a token"): "of a session"}[access_key, token]


def received(signed: AWSRequest) -> Received:
    """The request as sent over the wire."""
    wire: Any = signed.prepare()
    url = urlsplit(wire.url)
    headers = {"host": HOST, **{name.lower(): _text(value) for name, value in wire.headers.items()}}
    body = signed.data if isinstance(signed.data, bytes) else b""
    return Received(wire.method, url.path, url.query, tuple(headers.items()), body)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def signed_by(
    signer: Any,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"",
    *,
    service: str = "states",
    credentials: Credentials | None = None,
    **headers: str,
) -> Received:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, f"http://{HOST}{path}", data=body, headers=given)
    signer(credentials or Credentials(KEY, SECRET), service, "us-east-1").add_auth(request)
    return received(request)


def call(**headers: Any) -> Received:
    return signed_by(
        SigV4Auth, body=b'{"a": 1}', X_Amz_Target="AWSStepFunctions.ListStateMachines", **headers
    )


def put_object() -> Received:
    return signed_by(S3SigV4Auth, "PUT", "/cars/a%20b//%C3%A9+?x-id=PutObject", b"a,b", service="s3")


def presigned_object() -> Received:
    return signed_by(S3SigV4QueryAuth, "GET", "/cars/file.csv?versionId=1%2F2", service="s3")


def presigned_call() -> Received:
    return signed_by(SigV4QueryAuth, "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", service="sts")


EVERY_KIND = [call, put_object, presigned_object, presigned_call]


def code_of(request: Received, now: datetime = NOW) -> str:
    """The error code; empty for an accepted request."""
    try:
        verify(request, secret_of, now)
    except Refused as refused:
        return refused.code
    return ""


def with_header(request: Received, name: str, value: str) -> Received:
    return replace(request, headers=(*((n, v) for n, v in request.headers if n != name), (name, value)))


@pytest.mark.parametrize("make", EVERY_KIND)
def test_requests_that_the_sdk_signs_are_accepted(make: Callable[[], Received]) -> None:
    assert is_signed(make())
    assert code_of(make()) == ""


def test_a_session_is_accepted_with_its_signed_token() -> None:
    session = Credentials("ASIASESSION", "of a session", "a token")
    request = signed_by(SigV4Auth, credentials=session)
    assert code_of(request) == ""
    with pytest.raises(KeyError):
        verify(with_header(request, "x-amz-security-token", "another"), secret_of, NOW)


@pytest.mark.parametrize("make", EVERY_KIND)
@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, method="DELETE"),
        lambda request: replace(request, raw_path=request.raw_path + "x"),
        lambda request: replace(request, query=request.query + "&more=1"),
        lambda request: with_header(request, "host", "localhost:4566"),
        lambda request: with_header(request, "x-amz-target", "AWSStepFunctions.DeleteStateMachine"),
        lambda request: with_header(request, "x-amz-copy-source", "/other/object"),
    ],
)
def test_a_request_changed_after_signing_is_refused(
    make: Callable[[], Received], change: Callable[[Received], Received]
) -> None:
    assert code_of(change(make())) == "SignatureDoesNotMatch"


def test_another_body_is_refused() -> None:
    assert code_of(replace(call(), body=b"{}")) == "SignatureDoesNotMatch"
    assert code_of(replace(put_object(), body=b"b,a")) == "XAmzContentSHA256Mismatch"
    # Only S3 accepts a body that is not hashed.
    unhashed = call(X_Amz_Content_SHA256="UNSIGNED-PAYLOAD")
    assert code_of(unhashed) == "XAmzContentSHA256Mismatch"


def test_another_secret_is_refused() -> None:
    assert code_of(signed_by(SigV4Auth, credentials=Credentials(KEY, "test"))) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("minutes", "code"),
    [(-16, "RequestTimeTooSkewed"), (-14, ""), (14, ""), (16, "RequestTimeTooSkewed")],
)
def test_a_signature_is_valid_for_a_quarter_of_an_hour(minutes: int, code: str) -> None:
    assert code_of(call(), NOW + timedelta(minutes=minutes)) == code


def test_a_presigned_url_is_valid_until_it_expires_and_seven_days_at_most() -> None:
    assert code_of(presigned_object(), NOW + timedelta(seconds=3599)) == ""
    assert code_of(presigned_object(), NOW + timedelta(seconds=3600)) == "RequestExpired"

    def eight_days(credentials: Any, service: str, region: str) -> Any:
        return S3SigV4QueryAuth(credentials, service, region, expires=8 * 86_400)

    assert code_of(signed_by(eight_days, "GET", service="s3")) == "RequestExpired"


def test_the_date_of_the_credential_must_be_that_of_the_request() -> None:
    request = call()
    authorization = request.header("authorization").replace("/20261121/", "/20261120/")
    assert code_of(with_header(request, "authorization", authorization)) == "CredentialDateMismatch"


def test_a_request_signed_twice_is_refused() -> None:
    presigned = presigned_call()
    both = with_header(presigned, "authorization", call().header("authorization"))
    twice = replace(presigned, query=f"{presigned.query}&X-Amz-Credential=other")
    assert [code_of(both), code_of(twice)] == ["IncompleteSignature"] * 2


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Basic dGVzdDp0ZXN0", "UnsupportedSignature"),
        ("AWS4-ECDSA-P256-SHA256 Credential=test/20261121/s3/aws4_request", "UnsupportedSignature"),
        ("AWS4-HMAC-SHA256", "IncompleteSignature"),
        (
            "AWS4-HMAC-SHA256 Credential=test/x, SignedHeaders=host, Signature=" + "0" * 64,
            "IncompleteSignature",
        ),
    ],
)
def test_a_signature_that_cannot_be_verified_is_refused(authorization: str, code: str) -> None:
    assert code_of(with_header(call(), "authorization", authorization)) == code


def test_the_old_signature_of_s3_is_refused() -> None:
    def old(credentials: Credentials, *_: str) -> Any:
        return HmacV1Auth(credentials)

    assert code_of(signed_by(old, "GET", "/cars/file.csv")) == "UnsupportedSignature"
    assert (
        code_of(Received("GET", "/", "AWSAccessKeyId=test&Signature=x&Expires=9", (), b""))
        == "UnsupportedSignature"
    )


def test_invented_and_missing_credentials_are_distinguished() -> None:
    assert is_signed(Received("GET", "/", "X-Amz-Credential=test", (), b""))
    assert not is_signed(Received("POST", "/", "", (("content-type", "text/plain"),), b"Action=ListTopics"))


# The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
CHUNKED = Received(
    "PUT",
    "/examplebucket/chunkObject.txt",
    "",
    (
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"  # checkov:skip=CKV_SECRET_2: AWS's own example
            "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
            "x-amz-decoded-content-length;x-amz-storage-class,"
            "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        ),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ),
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a" * 65_536
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a" * 1_024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
)


def chunked(body: bytes) -> str:
    def example(access_key: str, token: str) -> str:
        return "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    try:
        verify(replace(CHUNKED, body=body), example, datetime(2013, 5, 24, tzinfo=UTC))
    except Refused as refused:
        return refused.code
    return ""


def test_a_body_signed_chunk_by_chunk_is_accepted_only_whole_and_unchanged() -> None:
    body = CHUNKED.body
    assert chunked(body) == ""
    last = body.rindex(b"0;chunk")
    for changed in (
        body.replace(b"aaaa", b"bbbb", 1),
        body[:last],
        body + b"x-amz-more:1\r\n\r\n",
        b"",
        b"-1\r\n",
    ):
        assert chunked(changed) == "SignatureDoesNotMatch"
