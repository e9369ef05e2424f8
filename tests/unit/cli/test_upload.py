import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.problems import Trouble
from local.cli import upload
from local.cli.endpoint import Endpoint
from tests.unit.cli.fakes import START

ME = upload.Upload("bucket", "incoming/cars.csv", "v2", START)


class FakeAws:
    """A versioned bucket, the claims, and the executions with their inputs."""

    def __init__(self) -> None:
        self.puts: list[dict[str, Any]] = []
        self.claims: dict[str, str] = {}
        self.failed: dict[str, dict[str, Any]] = {}
        self.started = START

    def put_object(self, **request: Any) -> dict[str, str]:
        self.puts.append(request)
        return {"VersionId": f"v{len(self.puts)}"}

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"]
        arn = self.claims.get(request["Key"]["pk"]["S"])
        return {"Item": {"execution_arn": {"S": arn}}} if arn else {}

    def list_executions(self, **request: Any) -> dict[str, Any]:
        at = datetime.fromtimestamp(self.started, UTC)
        return {"executions": [{"executionArn": arn, "startDate": at} for arn in self.failed]}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803 - as boto3 names it
        return {"input": json.dumps(self.failed[executionArn])}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(Endpoint, "client", lambda self, service: fake)
    monkeypatch.setattr(upload, "FIND_SECONDS", 0.1)
    return fake


def s3_event(version: str) -> dict[str, Any]:
    return {"detail": {"object": {"key": "incoming/cars.csv", "version-id": version}}}


def no_progress(name: str, size: int) -> Any:
    raise AssertionError(f"{name} has only {size} bytes")


def find() -> str:
    return upload.find_execution(Endpoint(1, "secret"), ME, "table", "machine")


def test_a_file_keeps_its_name_and_each_upload_is_a_version_of_its_own(aws: FakeAws, tmp_path: Path) -> None:
    csv = tmp_path / "my cars + more.csv"
    csv.write_bytes(b"\xef\xbb\xbfmpg\n")
    to = ("bucket", f"incoming/{csv.name}")
    uploads = [upload.upload(Endpoint(1, "secret"), csv, *to, no_progress) for _ in range(2)]
    assert [(u.key, u.version_id) for u in uploads] == [
        ("incoming/my cars + more.csv", "v1"),
        ("incoming/my cars + more.csv", "v2"),
    ]
    assert aws.puts[0]["Body"] == b"\xef\xbb\xbfmpg\n"


@pytest.mark.parametrize(("reuse", "metadata"), [(True, {}), (False, {"reuse": "false"})])
def test_an_upload_that_must_not_reuse_anything_says_so(
    aws: FakeAws, tmp_path: Path, reuse: bool, metadata: dict[str, str]
) -> None:
    csv = tmp_path / "cars.csv"
    csv.write_bytes(b"mpg\n")
    upload.upload(Endpoint(1, "secret"), csv, "bucket", "incoming/cars.csv", no_progress, reuse=reuse)
    assert aws.puts[0]["Metadata"] == metadata


def test_the_execution_is_the_one_that_claimed_exactly_this_version(aws: FakeAws) -> None:
    aws.claims = {
        "upload#bucket/incoming/cars.csv#v1": "somebody else's",
        "upload#bucket/incoming/cars.csv#v2": "mine",
    }
    assert find() == "mine"


def test_an_execution_that_failed_before_its_claim_is_found_by_its_input(aws: FakeAws) -> None:
    aws.failed = {"other": s3_event("v1"), "mine": s3_event("v2")}
    assert find() == "mine"


def test_executions_from_before_the_upload_are_not_looked_at(aws: FakeAws) -> None:
    aws.failed = {"old": s3_event("v2")}
    aws.started = START - 60
    with pytest.raises(Trouble):
        find()


def test_an_upload_that_starts_nothing_is_reported_with_a_way_out(aws: FakeAws) -> None:
    with pytest.raises(Trouble, match=r"incoming/cars\.csv started no execution") as trouble:
        find()
    assert "dead-letter queue" in trouble.value.way_out
