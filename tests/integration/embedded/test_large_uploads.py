"""A file that `mpg run` or the AWS CLI uploads in parts."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.cli import upload
from local.cli.endpoint import Endpoint
from tests.conftest import Aws

SIZE = 17 * 1024**2


@pytest.fixture
def bucket(aws: Aws) -> str:
    s3, name = aws.client("s3"), f"uploads-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cars.csv"
    path.write_bytes(b"0123456789abcdef" * (SIZE // 16))
    return path


def test_a_large_file_is_uploaded_in_parts_and_its_version_is_known(
    aws: Aws, bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "LARGEST_PUT", SIZE - 1)
    done: list[int] = []

    @contextmanager
    def progress(name: str, size: int) -> Iterator[Any]:
        assert (name, size) == ("cars.csv", SIZE)
        yield done.append

    found = upload.upload(Endpoint(aws.port, aws.secret), file, bucket, "incoming/cars.csv", progress)
    head = aws.client("s3").head_object(Bucket=bucket, Key=found.key, VersionId=found.version_id)
    assert (head["ContentLength"], head["ETag"][-3:], sum(done)) == (SIZE, '-2"', SIZE)


def test_the_aws_cli_uploads_a_large_file_which_is_an_event_of_its_own_kind(
    aws: Aws, bucket: str, file: Path
) -> None:
    s3, events, sqs = (aws.client(service) for service in ("s3", "events", "sqs"))
    queue = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{bucket}"
    rule = events.put_rule(
        Name=bucket, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}})
    )
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=bucket, Targets=[{"Id": "queue", "Arn": arn}])
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    aws_cli = Path(sys.executable).with_name("aws")
    command = [str(aws_cli), "s3", "cp", "--quiet", str(file), f"s3://{bucket}/incoming/"]
    subprocess.run(command, check=True, env=aws.environment, timeout=60)
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)
    (message,) = answer["Messages"]
    detail = json.loads(message["Body"])["detail"]
    stored = s3.head_object(Bucket=bucket, Key="incoming/cars.csv")
    about = detail["object"]
    assert (detail["reason"], about["size"]) == ("CompleteMultipartUpload", SIZE)
    assert (about["version-id"], f'"{about["etag"]}"') == (stored["VersionId"], stored["ETag"])
