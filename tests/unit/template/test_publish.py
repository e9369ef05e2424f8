"""The custom resource that copies the processing scripts into the bucket."""

import io
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import publish
from tests.unit.template.stack import ROOT

BUCKET = "the-bucket"
EVENT = {
    "RequestType": "Create",
    "ResponseURL": "https://answer.example/presigned",
    "StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/mpg/1",
    "RequestId": "r-1",
    "LogicalResourceId": "PublishedCode",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_NAME", BUCKET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The response to CloudFormation."""
    received: list[dict[str, Any]] = []

    def open_url(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert request.get_method() == "PUT"
        assert request.full_url == EVENT["ResponseURL"]
        assert isinstance(request.data, bytes)
        received.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", open_url)
    return received


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def scripts_in(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def test_creating_publishes_every_script_but_itself_unchanged(s3: Any, answers: list[dict[str, Any]]) -> None:
    publish.handler(EVENT, None)
    [answer] = answers
    prefix = answer["Data"]["CodePrefix"]
    scripts = {path.name: path for path in (ROOT / "processing").glob("*.py") if path.name != "publish.py"}
    assert set(keys(s3)) == {prefix + name for name in scripts}
    published = s3.get_object(Bucket=BUCKET, Key=f"{prefix}preprocess.py")["Body"].read()
    assert published == scripts["preprocess.py"].read_bytes()


def test_the_answer_has_the_form_that_cloudformation_expects(s3: Any, answers: list[dict[str, Any]]) -> None:
    publish.handler({**EVENT, "RequestType": "Update", "PhysicalResourceId": publish.PHYSICAL_ID}, None)
    [answer] = answers
    assert answer["Status"] == "SUCCESS"
    assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        name: EVENT[name] for name in ("StackId", "RequestId", "LogicalResourceId")
    }
    # Another id would make CloudFormation delete the old one.
    assert answer["PhysicalResourceId"] == publish.PHYSICAL_ID


def test_a_prefix_is_what_the_state_machine_can_append_a_file_name_to(s3: Any, tmp_path: Path) -> None:
    prefix = publish.publish(BUCKET, scripts_in(tmp_path, preprocess="1"))
    assert keys(s3) == [f"{prefix}preprocess.py"]
    assert prefix.startswith("code/")
    assert prefix.endswith("/")


def test_a_changed_script_gets_a_new_prefix_and_the_old_one_stays(s3: Any, tmp_path: Path) -> None:
    before = publish.publish(BUCKET, scripts_in(tmp_path, preprocess="1", cars="2"))
    after = publish.publish(BUCKET, scripts_in(tmp_path, preprocess="1 ", cars="2"))
    assert before != after
    assert len(keys(s3)) == 4


def test_the_same_scripts_get_the_same_prefix_whatever_other_files_exist(s3: Any, tmp_path: Path) -> None:
    before = publish.publish(BUCKET, scripts_in(tmp_path, preprocess="1"))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "preprocess.cpython-313.pyc").write_bytes(b"\0")
    (tmp_path / "Makefile").write_text("all:\n", encoding="utf-8")
    assert publish.publish(BUCKET, tmp_path) == before


def test_a_renamed_script_is_a_change() -> None:
    assert publish.content_hash({"a.py": b"1", "b.py": b"2"}) != publish.content_hash(
        {"a.py": b"1", "c.py": b"2"}
    )
    assert publish.content_hash({"a.py": b"12", "b.py": b""}) != publish.content_hash(
        {"a.py": b"1", "b.py": b"2"}
    )


def test_deleting_leaves_everything_for_active_runs(s3: Any, answers: list[dict[str, Any]]) -> None:
    publish.handler(EVENT, None)
    published = keys(s3)
    publish.handler({**EVENT, "RequestType": "Delete", "PhysicalResourceId": publish.PHYSICAL_ID}, None)
    assert answers[-1]["Status"] == "SUCCESS"
    assert keys(s3) == published


def test_a_failure_is_reported_at_once_with_its_reason(answers: list[dict[str, Any]]) -> None:
    with mock_aws():  # and no bucket
        publish.handler(EVENT, None)
    [answer] = answers
    assert answer["Status"] == "FAILED"
    assert "NoSuchBucket" in answer["Reason"]
