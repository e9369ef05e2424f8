"""The custom resource that publishes the workloads: code into the bucket, groups into the model registry."""

import io
import json
import shutil
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.config import DefaultConfig

import packing
import publish
from common.workload import find_workloads
from tests.unit.template.stack import ROOT, properties
from workload_files import BadWorkload

BUCKET = "the-bucket"
# A new one would read all that boto3 knows of S3, which takes longer than a test.
KEEPING_SESSION: DefaultConfig = {"core": {"reset_boto3_session": False}}
STACK = "mpg"
EVENT: dict[str, Any] = {
    "RequestType": "Create",
    "ResponseURL": "https://answer.example/presigned",
    "StackId": f"arn:aws:cloudformation:us-east-1:111122223333:stack/{STACK}/1",
    "RequestId": "r-1",
    "LogicalResourceId": "PublishedCode",
    "ResourceProperties": {
        "DefaultWorkload": "auto_mpg",
        "ModelPackageGroupPrefix": STACK,
        "Parameters": {"MseThreshold": "46.0"},
    },
}
WORKLOADS = find_workloads()
SETTINGS = {f"{name}/workload.json" for name in WORKLOADS}
WHEELS = ("onnx-1.2-cp312-cp312-any.whl", "onnxruntime-3-cp312-cp312-any.whl")
GROUPS = {f"{STACK}-{name.replace('_', '-')}" for name in WORKLOADS}


class ModelRegistry:
    """The groups, by name, with their tags."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, str]] = {}
        self.descriptions: dict[str, str] = {}

    def create_model_package_group(self, **request: Any) -> None:
        name = request["ModelPackageGroupName"]
        if name in self.groups:
            message = f"Model Package Group already exists: {name}"
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "Create")
        self.groups[name] = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        self.descriptions[name] = request["ModelPackageGroupDescription"]

    def describe_model_package_group(self, ModelPackageGroupName: str) -> dict[str, str]:  # noqa: N803 - as boto3
        return {"ModelPackageGroupArn": f"arn:group/{ModelPackageGroupName}"}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_tags"
        return self

    def paginate(self, ResourceArn: str) -> Iterator[Any]:  # noqa: N803 - as boto3
        tags = self.groups[ResourceArn.rpartition("/")[2]]
        yield {"Tags": []}
        yield {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_NAME", BUCKET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    made, client = ModelRegistry(), boto3.client
    monkeypatch.setattr(boto3, "client", lambda service: made if service == "sagemaker" else client(service))
    return made


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws(config=KEEPING_SESSION):
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the layer."""
    folder = tmp_path / "layer" / "published_wheels"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in WHEELS:
        (folder / name).write_text(name)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.delitem(sys.modules, folder.name, raising=False)


@pytest.fixture
def processing(tmp_path: Path) -> Path:
    """A copy of processing/ to change."""
    return Path(shutil.copytree(ROOT / "processing", tmp_path / "processing"))


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


def body(s3: Any, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in found.items() if file}


def change(processing: Path, workload: str, place: str, **values: Any) -> Path:
    """Change an object of a workload.json."""
    path = processing / workload / "workload.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings[place] |= values
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def remove(processing: Path, workload: str, place: str) -> None:
    """Remove an object of a workload.json."""
    path = processing / workload / "workload.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop(place, None)
    path.write_text(json.dumps(settings), encoding="utf-8")


def test_creating_publishes_what_jobs_need_and_answers_where_it_is(
    s3: Any, answers: list[dict[str, Any]]
) -> None:
    publish.handler(EVENT, None)
    [answer] = answers
    prefix = answer["Data"]["CodePrefix"]
    published = {key.removeprefix(prefix) for key in keys(s3)}
    assert published == {"code.zip", "sourcedir.tar.gz", *SETTINGS, *(f"wheels/{name}" for name in WHEELS)}
    assert body(s3, f"{prefix}wheels/{WHEELS[0]}") == WHEELS[0].encode()


def test_without_a_workload_that_names_them_no_wheels_are_published(s3: Any, processing: Path) -> None:
    for name in WORKLOADS:
        change(processing, name, "evaluation", wheels=[])
        remove(processing, name, "onnx")
    publish.publish(EVENT, processing)
    assert not [key for key in keys(s3) if key.endswith(".whl")]


@pytest.mark.parametrize(
    ("name", "there"), [("another", "onnx, onnxruntime"), ("onnx-runtime", "onnx, onnxruntime")]
)
def test_a_library_without_a_wheel_is_named(
    s3: Any, processing: Path, answers: list[dict[str, Any]], name: str, there: str
) -> None:
    change(processing, "auto_mpg", "evaluation", wheels=["onnx", "onnxruntime", name])
    with pytest.raises(
        BadWorkload,
        match=f"auto_mpg/workload.json: evaluation.wheels: there is no wheel of {name}; .* are: {there}",
    ):
        publish.publish(EVENT, processing)


def test_a_layer_that_is_missing_is_reported(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_WHEELS", "there_is_no_such_package")
    with pytest.raises(BadWorkload, match=r"no wheel of onnx or onnxruntime; .* There are: none"):
        publish.publish(EVENT)


def test_the_program_and_the_archive_hold_the_same_code_as_this_folder(s3: Any) -> None:
    prefix = publish.publish(EVENT)["CodePrefix"]
    program = unzipped(body(s3, f"{prefix}code.zip"))
    # The compiled modules have tests of their own.
    code = {name: content for name, content in program.items() if not name.endswith(".pyc")}
    assert code == untarred(body(s3, f"{prefix}sourcedir.tar.gz"))
    assert {name.partition("/")[0] for name in code} == {"__main__.py", "common", *WORKLOADS}
    assert code["__main__.py"] == (ROOT / "processing" / "run.py").read_bytes()
    for package in ("common", *WORKLOADS):
        for path in (ROOT / "processing" / package).glob("*.py"):
            assert code[f"{package}/{path.name}"] == path.read_bytes()
    # Jobs judge a model by the gate that the state machine reads.
    assert {name: code[name] for name in SETTINGS} == {name: body(s3, prefix + name) for name in SETTINGS}


def test_a_workload_is_published_with_defaults_and_the_stacks_number_for_its_gate(s3: Any) -> None:
    asked = {**EVENT["ResourceProperties"], "Parameters": {"MseThreshold": "12.5"}}
    prefix = publish.publish({**EVENT, "ResourceProperties": asked})["CodePrefix"]
    found = json.loads(body(s3, f"{prefix}auto_mpg/workload.json"))
    assert found["gate"]["at_most"] == 12.5
    assert found["training"]["program"] is None
    assert (
        found["training"]["hyperparameters"] == WORKLOADS["auto_mpg"].settings["training"]["hyperparameters"]
    )


def test_another_number_for_a_gate_is_another_version_of_the_code(s3: Any) -> None:
    asked = {**EVENT["ResourceProperties"], "Parameters": {"MseThreshold": "12.5"}}
    assert publish.publish(EVENT) != publish.publish({**EVENT, "ResourceProperties": asked})


def test_the_answer_has_the_form_that_cloudformation_expects(s3: Any, answers: list[dict[str, Any]]) -> None:
    publish.handler({**EVENT, "RequestType": "Update", "PhysicalResourceId": publish.PHYSICAL_ID}, None)
    [answer] = answers
    assert answer["Status"] == "SUCCESS"
    assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        name: EVENT[name] for name in ("StackId", "RequestId", "LogicalResourceId")
    }
    # Another id would make CloudFormation delete the old one.
    assert answer["PhysicalResourceId"] == publish.PHYSICAL_ID


def test_a_prefix_is_what_the_state_machine_can_append_a_file_name_to(s3: Any) -> None:
    prefix = publish.put_files(BUCKET, {"code.zip": b"1"})
    assert keys(s3) == [f"{prefix}code.zip"]
    assert prefix.startswith("code/")
    assert prefix.endswith("/")


def test_a_changed_script_gets_a_new_prefix_and_the_old_one_stays(s3: Any, processing: Path) -> None:
    before = publish.publish(EVENT, processing)["CodePrefix"]
    count = len(keys(s3))
    with (processing / "auto_mpg" / "preprocess.py").open("a") as script:
        script.write("# changed\n")
    after = publish.publish(EVENT, processing)["CodePrefix"]
    assert before != after
    assert len(keys(s3)) == 2 * count


def test_the_same_scripts_get_the_same_prefix_whatever_other_files_exist(s3: Any, processing: Path) -> None:
    before = publish.publish(EVENT, processing)
    (processing / "auto_mpg" / "__pycache__").mkdir(exist_ok=True)
    (processing / "auto_mpg" / "__pycache__" / "preprocess.cpython-313.pyc").write_bytes(b"\0")
    (processing / "auto_mpg" / "notes.md").write_text("notes", encoding="utf-8")
    (processing / "fastjsonschema").mkdir()
    (processing / "fastjsonschema" / "__init__.py").touch()
    assert publish.publish(EVENT, processing) == before


def test_a_renamed_script_is_a_change() -> None:
    assert publish.content_hash({"a.py": b"1", "b.py": b"2"}) != publish.content_hash(
        {"a.py": b"1", "c.py": b"2"}
    )
    assert publish.content_hash({"a.py": b"12", "b.py": b""}) != publish.content_hash(
        {"a.py": b"1", "b.py": b"2"}
    )


def test_deleting_leaves_everything_for_active_runs(
    s3: Any, answers: list[dict[str, Any]], registry: ModelRegistry
) -> None:
    publish.handler(EVENT, None)
    published = keys(s3)
    publish.handler({**EVENT, "RequestType": "Delete", "PhysicalResourceId": publish.PHYSICAL_ID}, None)
    assert answers[-1]["Status"] == "SUCCESS"
    assert keys(s3) == published
    assert set(registry.groups) == GROUPS


def test_an_unexpected_failure_is_reported_at_once_with_the_log_that_has_its_reason(
    answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/mpg-publish-code")
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[1]abc")
    with mock_aws(config=KEEPING_SESSION):  # and no bucket
        publish.handler(EVENT, None)
    [answer] = answers
    assert answer["Status"] == "FAILED"
    assert (
        "log group /aws/lambda/mpg-publish-code has the reason (log stream 2026/11/22/[1]abc)"
        in answer["Reason"]
    )
    assert "NoSuchBucket" in caplog.text
    assert "bucket" not in answer["Reason"]


def test_every_workload_gets_a_group_that_says_whose_it_is(s3: Any, registry: ModelRegistry) -> None:
    publish.publish(EVENT)
    assert registry.groups == {
        f"{STACK}-{name.replace('_', '-')}": {
            publish.STACK_TAG: STACK,
            "mpg:stack": STACK,
            "mpg:workload": name,
        }
        for name in WORKLOADS
    }
    assert set(registry.descriptions.values()) == {w.settings["description"] for w in WORKLOADS.values()}


def test_groups_that_a_deployment_or_a_deleted_stack_of_the_name_made_are_used_again(
    s3: Any, registry: ModelRegistry
) -> None:
    publish.publish(EVENT)
    publish.publish(
        {**EVENT, "RequestType": "Update", "StackId": f"arn:aws:cloudformation:r:1:stack/{STACK}/2"}
    )
    assert set(registry.groups) == GROUPS


@pytest.mark.parametrize("tags", [{}, {"stack": "another"}])
def test_a_group_of_somebody_else_is_not_taken(
    s3: Any, registry: ModelRegistry, answers: list[dict[str, Any]], tags: dict[str, str]
) -> None:
    registry.groups["mpg-auto-mpg"] = tags
    publish.handler(EVENT, None)
    assert answers[0]["Status"] == "FAILED"
    assert "mpg-auto-mpg exists and does not belong to the stack mpg; delete it" in answers[0]["Reason"]


def test_a_group_whose_name_sagemaker_would_not_take_is_refused_with_the_way_out() -> None:
    assert len(publish.group_name("s" * 50, "a_name_of_12")) == 63
    with pytest.raises(publish.Unpublishable, match="give the stack or the workload a shorter name"):
        publish.group_name("s" * 51, "a_name_of_12")


def test_a_default_that_is_no_workload_is_refused_with_those_there_are(
    s3: Any, answers: list[dict[str, Any]]
) -> None:
    asked = {**EVENT["ResourceProperties"], "DefaultWorkload": "flowers"}
    publish.handler({**EVENT, "ResourceProperties": asked}, None)
    assert answers[0]["Reason"] == (
        f"DefaultWorkload: there is no workload flowers; there are {', '.join(WORKLOADS)}"
    )


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("training", {"image": "tensorflow"}, r"training\.image must be one of \['scikit-learn'.*"),
    ("training", {"imgae": "xgboost"}, r"training must not contain \{'imgae'\} properties.*"),
    ("training", {"hyperparameters": {"eta": 0.2}}, r"training\.hyperparameters\.eta must be string.*"),
    ("training", {"program": "digits/train.py"}, r"training\.program: .* lies in another folder; name a file of auto_mpg/"),
    ("training", {"program": "auto_mpg/none.py"}, r"training\.program: there is no file auto_mpg/none\.py"),
    ("training", {"program": "auto_mpg/car.py"}, r"training\.metric_definitions: none is named validation:rmse, the metric of .*"),
    ("training", {"metric_definitions": [{"Name": "a", "Regex": "b"}]}, r"training\.metric_definitions: a built-in algorithm has its own; .*"),
    ("training", {"hyperparameters": {"alpha": "1"}}, r"tuning\.ranges: alpha has a value or a range elsewhere; .*"),
    ("tuning", {"ranges": {}}, r"tuning\.ranges must contain at least 1 properties.*"),
    ("tuning", {"objective": {"Type": "Least", "MetricName": "a"}}, r"tuning\.objective\.Type must be one of .*"),
    ("upload", {"suffixes": []}, r"upload\.suffixes must contain at least 1 items.*"),
    ("upload", {"suffixes": ["csv"]}, r"upload\.suffixes\[0\] must match pattern .*"),
    ("evaluation", {"wheels": ["onnx"]}, r"onnx: the evaluation checks it with onnxruntime; add that to evaluation\.wheels"),
    ("evaluation", {"wheels": "onnx"}, r"evaluation\.wheels must be array.*"),
    ("onnx", {"tolerance": 1}, r"onnx\.tolerance must be smaller than or equal to 0\.01.*"),
    ("gate", {"at_least": 1}, r"gate must be valid exactly by one definition .* exactly one of at_most and at_least\."),
    ("gate", {"parameter": "Other"}, r"gate\.parameter: the deployment hands over no parameter Other; it hands over: MseThreshold"),
    ("batch", {"max_payload_mb": 0}, r"batch\.max_payload_mb must be bigger than or equal to 1.*"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "values", "problem"), REFUSED)
def test_a_workload_that_cannot_be_used_is_refused_with_file_and_place(
    processing: Path, place: str, values: dict[str, Any], problem: str
) -> None:
    change(processing, "auto_mpg", place, **values)
    with pytest.raises(BadWorkload, match=f"^auto_mpg/workload\\.json: {problem}$"):
        publish.publish(EVENT, processing)


def test_broken_json_is_refused_with_file_and_line(processing: Path) -> None:
    (processing / "auto_mpg" / "workload.json").write_text('{\n"title":\n}', encoding="utf-8")
    with pytest.raises(BadWorkload, match=r"^auto_mpg/workload\.json: line 3: this is no JSON: "):
        publish.publish(EVENT, processing)


@pytest.mark.parametrize("name", ["Flowers", "my-flowers", "f" * 32, "flowers_", "my__flowers", "1st"])
def test_a_folder_whose_name_aws_would_not_take_is_refused(processing: Path, name: str) -> None:
    shutil.copytree(processing / "auto_mpg", processing / name)
    with pytest.raises(BadWorkload, match=f"^{name}/workload\\.json: a workload's folder is named with "):
        publish.publish(EVENT, processing)


def test_a_workload_without_one_of_its_modules_is_refused(processing: Path) -> None:
    (processing / "auto_mpg" / "evaluate.py").unlink()
    with pytest.raises(BadWorkload, match=r"^auto_mpg/workload\.json: beside it there is no evaluate\.py$"):
        publish.publish(EVENT, processing)


def test_a_workload_with_onnx_needs_the_modules_that_make_and_serve_it(processing: Path) -> None:
    (processing / "auto_mpg" / "export.py").unlink()
    with pytest.raises(
        BadWorkload, match=r"^auto_mpg/workload\.json: onnx: beside it there is no export\.py$"
    ):
        publish.publish(EVENT, processing)


@pytest.mark.parametrize("number", ["", "many", "nan", "inf"])
def test_a_parameter_that_is_no_number_is_refused(number: str) -> None:
    asked = {**EVENT["ResourceProperties"], "Parameters": {"MseThreshold": number}}
    with pytest.raises(BadWorkload, match=r"gate\.parameter: MseThreshold is '.*', which is no number"):
        publish.publish({**EVENT, "ResourceProperties": asked})


def test_nothing_is_published_where_one_workload_is_refused(
    s3: Any, processing: Path, registry: ModelRegistry
) -> None:
    change(processing, "auto_mpg", "gate", at_least=1)
    with pytest.raises(BadWorkload):
        publish.publish(EVENT, processing)
    assert (keys(s3), registry.groups) == ([], {})


def test_the_template_hands_over_what_is_asked_for() -> None:
    assert EVENT["ResourceProperties"].keys() <= properties("PublishedCode").keys()
    handed_over = properties("PublishedCode")["Parameters"]
    asked = {w.settings["gate"].get("parameter") for w in WORKLOADS.values()} - {None}
    assert asked <= handed_over.keys()
