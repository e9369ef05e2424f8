"""Large packages of functions and layers rest in files; how long a function's process lives."""

import base64
import hashlib
import io
import json
import random
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.embedded.function_code import LARGEST_IN_MEMORY
from local.embedded.function_processes import SUPPORTED
from tests.conftest import Aws, eventually

Json = dict[str, Any]
HANDLER = """
from pathlib import Path
import large

def handler(event, context):
    return ["{said}", large.__doc__, len(Path("ballast").read_bytes())]
"""
ANSWERING = """
import json, os, urllib.request

def handler(event, context):
    said = {key: event[key] for key in ("RequestId", "StackId", "LogicalResourceId")}
    said |= {"Status": "SUCCESS", "PhysicalResourceId": "answered", "Data": {"Process": str(os.getpid())}}
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], json.dumps(said).encode(), method="PUT"))
"""


def packed(**files: str) -> bytes:
    """A package that is too large for memory."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        for name, content in files.items():
            package.writestr(f"{name.replace('__', '/', 1)}.py", content)
        package.writestr("ballast", random.Random(1).randbytes(LARGEST_IN_MEMORY))  # noqa: S311 - no secret
    return archive.getvalue()


def digest(package: bytes) -> str:
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


FAILING = """
import os

def handler(event, context):
    if event == "raise":
        raise ValueError("as asked")
    if event == "exit":
        os._exit(1)
    return os.getpid()
"""


@pytest.fixture
def role(aws: Aws) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    name = f"packages-{uuid.uuid4().hex[:8]}"
    return str(aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])


@pytest.fixture
def stack(aws: Aws) -> Iterator[str]:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    yield name
    aws.client("cloudformation").delete_stack(StackName=name)


def output(aws: Aws, stack: str, resources: Json, **outputs: Json) -> dict[str, str]:
    """The outputs of a stack with these resources."""
    client = aws.client("cloudformation")
    template = {
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    client.create_stack(StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])

    def ended() -> Json | None:
        found: Json = client.describe_stacks(StackName=stack)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    found = eventually(ended)
    assert found["StackStatus"] == "CREATE_COMPLETE"
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def test_functions_with_a_large_package_and_a_large_layer_run(aws: Aws, stack: str, role: str) -> None:
    bucket, client = f"packages-{uuid.uuid4().hex[:8]}", aws.client("lambda")
    code, layer = packed(says=HANDLER.format(said="one")), packed(python__large='"from the layer"')
    aws.client("s3").create_bucket(Bucket=bucket)
    for key, content in {"code.zip": code, "layer.zip": layer}.items():
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    function = {
        "Runtime": "python3.13",
        "Handler": "says.handler",
        "Role": role,
        "Layers": [{"Ref": "Layer"}],
        "Code": {"S3Bucket": bucket, "S3Key": "code.zip"},
    }
    resources = {
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"LayerName": stack, "Content": {"S3Bucket": bucket, "S3Key": "layer.zip"}},
        },
        "First": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Second": {"Type": "AWS::Lambda::Function", "Properties": function},
    }
    names = output(aws, stack, resources, First={"Ref": "First"}, Second={"Ref": "Second"})

    for name in names.values():
        answer = client.invoke(FunctionName=name)
        assert json.load(answer["Payload"]) == ["one", "from the layer", LARGEST_IN_MEMORY]
        assert client.get_function(FunctionName=name)["Configuration"]["CodeSha256"] == digest(code)
    content = client.get_layer_version(LayerName=stack, VersionNumber=1)["Content"]
    assert (content["CodeSha256"], content["CodeSize"]) == (digest(layer), len(layer))


def test_a_large_package_that_a_client_uploads_replaces_the_one_before(aws: Aws, role: str) -> None:
    client, name = aws.client("lambda"), f"function-{uuid.uuid4().hex[:8]}"
    first, second = (packed(says=HANDLER.format(said=said), large='"beside"') for said in ("one", "two"))

    def said() -> list[Any]:
        found = eventually(lambda: updated(aws, name))
        answer: str = json.load(client.invoke(FunctionName=name)["Payload"])[0]
        return [answer, found["CodeSha256"]]

    client.create_function(
        FunctionName=name, Runtime="python3.13", Handler="says.handler", Role=role, Code={"ZipFile": first}
    )
    assert said() == ["one", digest(first)]
    client.update_function_code(FunctionName=name, ZipFile=second)
    assert said() == ["two", digest(second)]
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        client.update_function_code(FunctionName=name, ZipFile=b"0" * (LARGEST_IN_MEMORY + 1))
    client.delete_function(FunctionName=name)


@pytest.mark.skipif(not SUPPORTED, reason="functions start as the emulator starts them")
def test_a_large_package_is_prepared_before_its_first_call(aws: Aws, role: str, tmp_path: Path) -> None:
    client, name, noted = aws.client("lambda"), f"function-{uuid.uuid4().hex[:8]}", tmp_path / "noted"
    library = f'open("{noted}", "a").write("imported ")'
    using = "import aws_lambda_powertools\n" + HANDLER.format(said="one")
    package = packed(says=using, large='"beside"', aws_lambda_powertools____init__=library)

    client.create_function(
        FunctionName=name, Runtime="python3.13", Handler="says.handler", Role=role, Code={"ZipFile": package}
    )

    assert eventually(lambda: noted.exists() and noted.read_text()) == "imported "
    eventually(lambda: updated(aws, name))
    assert json.load(client.invoke(FunctionName=name)["Payload"])[0] == "one"
    assert noted.read_text() == "imported "
    client.delete_function(FunctionName=name)


def updated(aws: Aws, function: str) -> Json | None:
    """The function's configuration, if no update is in progress."""
    found: Json = aws.client("lambda").get_function_configuration(FunctionName=function)
    return found if found["LastUpdateStatus"] == "Successful" and found["State"] == "Active" else None


def test_the_process_of_a_custom_resource_ends_with_its_answer(aws: Aws, stack: str, role: str) -> None:
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": role,
        "Code": {"ZipFile": ANSWERING},
    }
    custom = {
        "Type": "Custom::Answered",
        "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": 60},
    }
    resources = {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}, "Custom": custom}
    names = output(
        aws, stack, resources, Name={"Ref": "Function"}, Process={"Fn::GetAtt": ["Custom", "Process"]}
    )

    assert not Path(f"/proc/{names['Process']}").exists()
    # It can be called again: here it fails, since nobody waits for its answer.
    again = aws.client("lambda").invoke(FunctionName=names["Name"], Payload=b"{}")
    assert json.load(again["Payload"])["errorType"] == "KeyError"


def test_a_process_goes_on_after_an_exception_and_another_one_takes_over_after_a_crash(
    aws: Aws, role: str
) -> None:
    client, name, package = aws.client("lambda"), f"function-{uuid.uuid4().hex[:8]}", io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("fails.py", FAILING)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="fails.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    eventually(lambda: updated(aws, name))

    def call(event: str) -> Any:
        return json.load(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])

    process = call("which")
    assert call("raise")["errorType"] == "ValueError"
    assert call("which") == process
    assert call("exit")["errorMessage"]
    assert call("which") != process
    client.delete_function(FunctionName=name)
