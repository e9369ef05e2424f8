"""Fixtures for the Lambdas: moto's S3, SNS and DynamoDB, fakes of what moto lacks, and no sockets."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.models import MockAWS
from moto.dynamodb import dynamodb_backends
from moto.s3 import s3_backends
from moto.s3 import urls as s3_urls
from moto.s3.models import S3Backend
from moto.sns import sns_backends

from shared import aws, telemetry
from tests.unit.functions.fakes import FakeEndpoints, FakeFunctions, FakeSageMaker, FakeStepFunctions

ROOT = Path(__file__).parents[3]


REGION = "us-east-1"
BUCKET = "mpg-pipeline-bucket"
TABLE = "mpg-pipeline-table"


@dataclass
class World:
    """The services that the Lambdas call."""

    sagemaker: FakeSageMaker
    endpoints: FakeEndpoints
    functions: FakeFunctions
    stepfunctions: FakeStepFunctions
    s3: Any
    sns: Any
    table: Any
    approval_topic: str
    notification_topic: str

    def mails(self, topic: str = "") -> list[tuple[str, str]]:
        """Subject and text of each published message, oldest first."""
        topics = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics
        chosen = [topic] if topic else [self.approval_topic, self.notification_topic]
        return [(sent[2], sent[1]) for arn in chosen for sent in topics[arn].sent_notifications]

    def item(self, pk: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.table.get_item(Key={"pk": pk}).get("Item") or {})

    def items(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self.table.scan()["Items"])

    def put(self, key: str, body: bytes, **headers: Any) -> str:
        """Upload an object; returns its version id."""
        return str(self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **headers)["VersionId"])


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """A unit test that reaches for the network fails."""


@pytest.fixture(scope="package")
def moto() -> Iterator[MockAWS]:
    """Started once: that takes longer than most tests. Its S3 reads the environment once, and not at each request."""
    with mock_aws() as started, pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Backend, "_url_module", s3_urls)
        yield started


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, moto: MockAWS) -> Iterator[World]:
    with make_world(monkeypatch, moto) as made:
        yield made


@contextmanager
def make_world(monkeypatch: pytest.MonkeyPatch, moto: MockAWS) -> Iterator[World]:
    """A world of its own, while entered: nothing of what was in moto is left."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    moto.reset()
    world = _make_world()
    for name, value in _environment(world).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "boto3", _FakedBoto3(world))
    monkeypatch.setattr("shared.polling.time", SimpleNamespace(sleep=lambda seconds: None))
    aws.client.cache_clear()
    aws.table.cache_clear()
    yield world
    aws.client.cache_clear()
    aws.table.cache_clear()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The functions' log, as CloudWatch would get it."""
    stream = io.StringIO()
    for handler in telemetry.logger.handlers:
        monkeypatch.setattr(handler, "stream", stream)
    return stream


@pytest.fixture
def context() -> Any:
    return make_context()


def make_context() -> Any:
    """The second argument of a handler."""
    return SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=256,
        invoked_function_arn=f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:function",
        aws_request_id="3f1f6c4e-0f3c-4a73-9d0e-1a2b3c4d5e6f",
    )


def event(name: str) -> dict[str, Any]:
    """One of the events in `events/`."""
    return cast(dict[str, Any], json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8")))


class _FakedBoto3:
    """boto3, but for the services that have a fake here."""

    def __init__(self, world: World) -> None:
        self._world = world

    def client(self, service: str, **options: Any) -> Any:
        fakes = {
            "sagemaker": self._world.sagemaker,
            "sagemaker-runtime": self._world.endpoints,
            "lambda": self._world.functions,
            "stepfunctions": self._world.stepfunctions,
        }
        return fakes.get(service) or _client(service, options["config"].signature_version)

    def resource(self, service: str, **options: Any) -> Any:
        return _dynamodb()


# Making a client takes longer than any test. Those made once under moto's eyes stay under them. The user agent's usual
# facts about this machine would be put together anew for every call, in a third of its time.
@cache
def _client(service: str, signature_version: str | None) -> Any:
    config = Config(signature_version=signature_version, user_agent="tests")
    return boto3.client(cast(Any, service), config=config)


@cache
def _dynamodb() -> Any:
    return boto3.resource(cast(Any, "dynamodb"), config=Config(user_agent="tests"))


def _make_world() -> World:
    approval, notification = (_make_topic(name) for name in ("approval", "notification"))
    _make_bucket()
    _make_table()
    return World(
        FakeSageMaker(),
        FakeEndpoints(),
        FakeFunctions(),
        FakeStepFunctions(),
        _client("s3", None),
        _client("sns", None),
        _dynamodb().Table(TABLE),
        approval,
        notification,
    )


# moto's own methods: requests of a client for the same would take longer than most tests.
def _make_bucket() -> None:
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_bucket(BUCKET, REGION)
    backend.put_bucket_versioning(BUCKET, "Enabled")


def _make_topic(name: str) -> str:
    """A topic that somebody reads; returns its ARN."""
    backend = sns_backends[DEFAULT_ACCOUNT_ID][REGION]
    arn = str(backend.create_topic(name, {}, {}).arn)
    backend.subscribe(arn, "someone@example.com", "email")
    return arn


def _make_table() -> None:
    dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].create_table(
        TABLE,
        schema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        attr=[{"AttributeName": "pk", "AttributeType": "S"}],
        billing_mode="PAY_PER_REQUEST",
        throughput=None,
        global_indexes=None,
        indexes=None,
        streams=None,
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )


def _environment(world: World) -> dict[str, str]:
    return {
        "BUCKET_NAME": BUCKET,
        "TABLE_NAME": TABLE,
        "APPROVAL_TOPIC_ARN": world.approval_topic,
        "NOTIFICATION_TOPIC_ARN": world.notification_topic,
        "REVIEW_URL": "https://abcdefghij.lambda-url.us-east-1.on.aws/",
        "APPROVAL_TIMEOUT_SECONDS": "604800",
        "REMINDER_HOURS": "24",
        "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:000000000000:stateMachine:mpg-pipeline",
        "RELEASE_MACHINE_ARN": f"arn:aws:states:{REGION}:000000000000:stateMachine:mpg-pipeline-release",
        "MONITOR_MACHINE_ARN": f"arn:aws:states:{REGION}:000000000000:stateMachine:mpg-pipeline-monitor",
        "RETRAINS_ON_DRIFT": "",
        "MODEL_PACKAGE_GROUP_PREFIX": "mpg-pipeline-",
        "ENDPOINT_TYPE": "serverless",
        "MAX_CHECKED_BYTES": "1000000",
        "AWS_REGION": REGION,
        "DEFAULT_WORKLOAD": "auto_mpg",
        "EXPIRE_RUNS_AFTER_DAYS": "90",
        "REUSE": "true",
        "KMS_KEY_ARN": "",
        "POWERTOOLS_SERVICE_NAME": "mpg-pipeline",
        "POWERTOOLS_METRICS_NAMESPACE": "MpgPipeline",
    }


def pytest_itemcollected(item: pytest.Item) -> None:
    # The functions silence it themselves (telemetry.py); pytest resets the filters.
    item.add_marker(pytest.mark.filterwarnings("ignore:No application metrics to publish"))
