"""Who may use the embedded AWS: callers who sign with credentials that it issued."""

import http.client
import json
import stat
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import Aws

ACCOUNT = "000000000000"
# One call in each protocol, and the service's responses to an unknown key, a wrong secret, no signature and an
# old date.
UNKNOWN, WRONG = "UnrecognizedClientException", "InvalidSignatureException"
MISSING = "MissingAuthenticationTokenException"
CALLS: dict[str, tuple[Callable[[Any], Any], str, str, str]] = {
    "s3": (lambda s3: s3.list_buckets(), "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"),
    "sns": (
        lambda sns: sns.list_topics(),
        *("InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken"),
    ),
    "lambda": (lambda client: client.list_functions(), UNKNOWN, WRONG, MISSING),
    "stepfunctions": (lambda states: states.list_state_machines(), UNKNOWN, WRONG, MISSING),
    "sagemaker": (lambda sagemaker: sagemaker.list_models(), UNKNOWN, WRONG, MISSING),
    "sts": (
        lambda sts: sts.get_caller_identity(),
        *("InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken"),
    ),
}


def client(aws: Aws, service: str, key: str = "", secret: str = "", token: str | None = None) -> Any:
    """A client with these credentials; without any, it does not sign."""
    config = Config(retries={"total_max_attempts": 1}, signature_version=None if key else UNSIGNED)
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def sign_as_of_2020(monkeypatch: pytest.MonkeyPatch) -> None:
    then = datetime(2020, 1, 1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: then)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


@pytest.mark.parametrize("service", CALLS)
def test_invented_wrong_and_missing_credentials_are_refused_in_the_words_of_the_service(
    aws: Aws, service: str
) -> None:
    call, *expected = CALLS[service]
    made_up = [("AKIAMADEUP", "made up"), ("test", "test"), ("", "")]
    assert [refusal(partial(call, client(aws, service, *given))) for given in made_up] == expected
    # The emulator itself accepts an account's number as a key of that account's root.
    assert refusal(lambda: call(client(aws, service, ACCOUNT, "test"))) == expected[0]


def test_a_wrong_clock_is_reported(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_as_of_2020(monkeypatch)
    assert refusal(lambda: aws.client("s3").list_buckets()) == "RequestTimeTooSkewed"
    assert refusal(lambda: aws.client("stepfunctions").list_state_machines()) == "InvalidSignatureException"


@pytest.fixture(scope="module")
def session(aws: Aws) -> dict[str, str]:
    """Credentials of a role that may do everything."""
    iam = aws.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam.create_role(RoleName="visitor", AssumeRolePolicyDocument=json.dumps(document))
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="visitor", PolicyName="all", PolicyDocument=json.dumps(allowed))
    role = f"arn:aws:iam::{ACCOUNT}:role/visitor"
    given = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    return {"key": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["SessionToken"]}


def test_a_session_is_valid_only_with_its_own_token(aws: Aws, session: dict[str, str]) -> None:
    assert client(aws, "sts", **session).get_caller_identity()["Arn"].endswith(":assumed-role/visitor/me")
    for service, missing, wrong in (
        ("s3", "InvalidAccessKeyId", "InvalidToken"),
        ("sns", "InvalidClientTokenId", "InvalidClientTokenId"),
        ("stepfunctions", UNKNOWN, UNKNOWN),
    ):
        call = CALLS[service][0]
        without = client(aws, service, session["key"], session["secret"])
        with_another = client(aws, service, session["key"], session["secret"], "another")
        assert [refusal(partial(call, c)) for c in (without, with_another)] == [missing, wrong]


def test_the_credentials_of_jobs_and_functions_cannot_be_guessed(aws: Aws) -> None:
    import hashlib

    arn = f"arn:aws:iam::{ACCOUNT}:role/job"
    digest = hashlib.sha256(f"sagemaker.amazonaws.com {arn}".encode()).hexdigest()
    guessed = client(aws, "s3", f"ASIA{digest[:16].upper()}", digest, digest[::-1])
    assert refusal(lambda: guessed.list_buckets()) == "InvalidAccessKeyId"


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = f"signed-{uuid.uuid4().hex[:8]}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


def fetch(aws: Aws, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=60)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_presigned_url_serves_what_was_signed_until_it_ends(
    aws: Aws, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Any = boto3.client
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": aws.secret}
    v4 = Config(signature_version="s3v4")
    s3 = make("s3", endpoint_url=aws.endpoint_url, region_name="us-east-1", config=v4, **keys)
    s3.put_object(Bucket=bucket, Key="a b/ü+.csv", Body=b"rows")
    s3.put_object(Bucket=bucket, Key="other", Body=b"no")
    place = {"Bucket": bucket, "Key": "a b/ü+.csv"}
    path = s3.generate_presigned_url("get_object", Params=place).removeprefix(aws.endpoint_url)
    assert fetch(aws, "GET", path) == (200, "rows")
    assert fetch(aws, "GET", path.replace("/a%20b", "/a%20c"))[0] == 403
    sign_as_of_2020(monkeypatch)
    path = s3.generate_presigned_url("get_object", Params=place).removeprefix(aws.endpoint_url)
    status, text = fetch(aws, "GET", path)
    assert (status, "<Code>AccessDenied</Code><Message>Request has expired" in text) == (403, True)


def test_every_kind_of_body_that_an_sdk_sends_to_s3_arrives(aws: Aws, bucket: str) -> None:
    make: Any = boto3.client
    for signing in (True, False):
        s3 = make(
            "s3",
            endpoint_url=aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key=aws.secret,
            config=Config(s3={"payload_signing_enabled": signing}, retries={"total_max_attempts": 1}),
        )
        for algorithm in ("CRC32", "SHA256"):
            s3.put_object(Bucket=bucket, Key="body", Body=b"x" * 100_000, ChecksumAlgorithm=algorithm)
            assert s3.get_object(Bucket=bucket, Key="body")["Body"].read() == b"x" * 100_000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/", b"Action=ListTopics&Version=2010-03-31"),
        ("POST", "/?X-Amz-Credential=test/20260101/us-east-1/sns/aws4_request", b"Action=ListTopics"),
        ("POST", "/2015-03-31/functions", b"{}"),
        ("PUT", "/a-bucket", b""),
        ("GET", "/?Action=Unsubscribe&SubscriptionArn=arn", b""),
        ("PUT", "/_ministack/cfn-signal/token", b""),
        ("GET", "/v20180820/accesspoint", b""),
        ("POST", "/_ministack/reset", b""),
        ("POST", "/_ministack/config", b"{}"),
        ("GET", "/_ministack/sqs/messages", b""),
        ("GET", "/_mpg/mails", b""),
        ("GET", "/_mpg/", b""),
        ("POST", "/_mpg/faults", b"[]"),
        ("GET", "/iceberg/v1/config", b""),
    ],
)
def test_an_unsigned_request_gets_nothing(aws: Aws, method: str, path: str, body: bytes) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert fetch(aws, method, path, body, **form)[0] in (400, 403, 404)
    # The host of a Function URL is open to everybody, but only for its function.
    function_url = f"{'a' * 32}.lambda-url.us-east-1.localhost:{aws.port}"
    status, text = fetch(aws, method, path, body, Host=function_url, **form)
    assert status in (403, 404), text
    made_up = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    assert fetch(aws, method, path, body, Authorization=made_up, **form)[0] in (400, 403, 404)


def test_not_even_the_root_puts_events_of_aws(aws: Aws) -> None:
    entry = {"DetailType": "SageMaker Model Package State Change", "Detail": "{}"}
    events = aws.client("events")
    for source in ("aws.sagemaker", "aws.states", "aws.s3", "aws.made-up"):
        answer = events.put_events(Entries=[{"Source": source, **entry}, {"Source": "mine", **entry}])
        assert answer["FailedEntryCount"] == 1
        assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
        assert "EventId" in answer["Entries"][1]


def test_files_of_the_embedded_aws_are_readable_only_by_their_owner(aws: Aws) -> None:
    def open_to_others(path: Path) -> bool:
        return not path.is_symlink() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)

    written = list(aws.folder.rglob("*"))
    assert aws.folder / "secret" in written
    assert [path for path in written if open_to_others(path)] == []
