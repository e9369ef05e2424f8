"""Models behind endpoints, with real containers, as each client sees them."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.sagemaker.engines.warm import namespace
from tests.conftest import REGION, eventually, eventually_none
from tests.integration.embedded.test_integrations import run
from tests.integration.sagemaker.conftest import ROLE, XGBOOST, Bench

Json = dict[str, Any]
Host = Callable[..., str]

# Answers with facts about its container, and with the sum of a line of numbers.
SERVED = b"""
import json, os, pathlib, time

def writable(folder):
    try:
        (pathlib.Path(folder) / "written").write_text("x")
    except OSError:
        return False
    return True

def main(environ, start_response):
    if environ["PATH_INFO"] == "/ping":
        start_response("200 OK", [])
        return []
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    if body == "facts":
        places = ("/tmp", "/opt/ml", "/opt/ml/model", "/root", "/dev/shm", "/etc")
        facts = {"user": os.getuid(), "pid": os.getpid(), "writable": [each for each in places if writable(each)]}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(facts).encode()]
    try:
        answer = sum(float(field) for field in body.split(","))
    except ValueError as error:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [str(error).encode()]
    start_response("200 OK", [("Content-Type", environ.get("HTTP_ACCEPT") or "text/csv")])
    return [str(answer).encode()]
"""
ENVIRONMENT = {
    "SAGEMAKER_SERVING_MODULE": "served:main",
    "PYTHONPATH": "/opt/ml/model/code",
    "SAGEMAKER_USE_NGINX": "false",
    "SAGEMAKER_BASE_DIR": "/tmp/ml",
}
WHY_NOT = namespace.why_not()
INSTANCE = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2}}


@pytest.fixture(scope="module")
def model(bench: Bench) -> str:
    """A model of SERVED in the XGBoost image."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        info = tarfile.TarInfo("code/served.py")
        info.size = len(SERVED)
        tar.addfile(info, io.BytesIO(SERVED))
    bench.s3.put_object(Bucket=bench.bucket, Key="served/model.tar.gz", Body=archive.getvalue())
    name, uri = bench.name(), f"s3://{bench.bucket}/served/model.tar.gz"
    container = {"Image": XGBOOST, "ModelDataUrl": uri, "Environment": ENVIRONMENT}
    bench.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    return name


@pytest.fixture(scope="module")
def host(bench: Bench, model: str) -> Any:
    """Creates endpoints with one variant."""
    made: list[str] = []

    def make(**variant: Any) -> str:
        name = bench.name()
        variants = [{"VariantName": "AllTraffic", "ModelName": model, **variant}]
        bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        described = settled(bench, name)
        assert described["EndpointStatus"] == "InService", described["FailureReason"]
        made.append(name)
        return name

    yield make
    for name in made:
        bench.sagemaker.delete_endpoint(EndpointName=name)


@pytest.fixture(scope="module")
def instance(host: Host) -> str:
    return host(**INSTANCE)


def settled(bench: Bench, name: str) -> Json:
    describe, ended = bench.sagemaker.describe_endpoint, ("InService", "Failed")
    found: Json = eventually(
        lambda: (seen := describe(EndpointName=name))["EndpointStatus"] in ended and seen
    )
    return found


def ask(bench: Bench, name: str, body: bytes, **more: str) -> Json:
    answer: Json = bench.aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=body, **more)
    return {**answer, "Body": answer["Body"].read()}


def facts(bench: Bench, name: str) -> Json:
    found: Json = json.loads(ask(bench, name, b"facts")["Body"])
    return found


def test_an_endpoint_answers_with_type_and_variant(bench: Bench, instance: str) -> None:
    answer = ask(bench, instance, b"1,2.5", ContentType="text/csv", Accept="text/plain")

    assert answer["Body"] == b"3.5"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/plain", "AllTraffic")
    with pytest.raises(ClientError) as error:
        ask(bench, instance, b"one")
    refused: Any = error.value.response
    assert refused["Error"]["Code"] == "ModelError"
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 424
    said = "could not convert string to float: 'one'"
    assert (refused["OriginalStatusCode"], refused["OriginalMessage"]) == (400, said)


def test_a_killed_container_is_started_again(bench: Bench, instance: str) -> None:
    pid = facts(bench, instance)["pid"]
    os.kill(pid, signal.SIGKILL)

    again: Json = eventually(lambda: _facts_or_none(bench, instance))
    assert again["pid"] != pid


def _facts_or_none(bench: Bench, name: str) -> Json | None:
    try:
        return facts(bench, name)
    except ClientError:
        return None


@pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)
def test_a_serverless_container_is_no_root_and_writes_only_to_tmp(
    bench: Bench, host: Host, instance: str
) -> None:
    serverless = facts(bench, host(**SERVERLESS))
    assert (serverless["user"], serverless["writable"]) == (993, ["/tmp"])
    # /root and /dev/shm are its own.
    assert facts(bench, instance)["writable"] == ["/tmp", "/opt/ml", "/opt/ml/model", "/root", "/dev/shm"]


def test_the_image_as_it_is_does_not_start_on_a_serverless_endpoint(bench: Bench) -> None:
    name, container = bench.name(), {"Image": XGBOOST, "Environment": {}}
    bench.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "AllTraffic", "ModelName": name, **SERVERLESS}
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    described = settled(bench, name)

    assert "did not pass the ping health check" in described["FailureReason"]
    logs, group = bench.aws.client("logs"), f"/aws/sagemaker/Endpoints/{name}"
    lines = eventually(lambda: _messages(logs, group))
    assert lines == ["[Errno 30] Read-only file system: '/etc/sagemaker-nginx.conf'"]
    bench.sagemaker.delete_endpoint(EndpointName=name)


def _messages(logs: Any, group: str) -> list[str]:
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def test_metrics_are_in_cloudwatch(bench: Bench, instance: str) -> None:
    ask(bench, instance, b"1")
    cloudwatch = bench.aws.client("cloudwatch")
    dimensions = [
        {"Name": "EndpointName", "Value": instance},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    listed = eventually(
        lambda: cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=dimensions)["Metrics"]
    )
    names = {"Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "OverheadLatency"}
    assert {metric["MetricName"] for metric in listed} == names


def test_the_aws_cli_invokes(bench: Bench, instance: str, tmp_path: Path) -> None:
    aws, answer = Path(sys.executable).with_name("aws"), tmp_path / "answer"
    body = tmp_path / "body"
    body.write_text("1,2")
    named = ["--endpoint-name", instance, "--body", f"fileb://{body}", "--content-type", "text/csv"]
    command = [str(aws), "sagemaker-runtime", "invoke-endpoint", *named, str(answer)]
    done = subprocess.run(command, env=bench.aws.environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert answer.read_text() == "3.0"
    assert json.loads(done.stdout)["InvokedProductionVariant"] == "AllTraffic"


def test_sagemakers_library_hosts_and_invokes(
    bench: Bench, model: str, monkeypatch: pytest.MonkeyPatch, resources: Any, shapes: Any
) -> None:
    for name, value in bench.aws.environment.items():
        monkeypatch.setenv(name, value)
    session, name = boto3.Session(region_name=REGION), bench.name()
    variant = shapes.ProductionVariant(
        variant_name="blue", model_name=model, initial_instance_count=1, instance_type="ml.m5.large"
    )
    resources.EndpointConfig.create(
        endpoint_config_name=name, production_variants=[variant], session=session, region=REGION
    )
    endpoint = resources.Endpoint.create(
        endpoint_name=name, endpoint_config_name=name, session=session, region=REGION
    )
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    answer = endpoint.invoke(body=b"4,5", content_type="text/csv", session=session, region=REGION)

    assert answer.body.read() == b"9.0"
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)


@pytest.mark.parametrize("language", ["JSONata", "JSONPath"])
def test_step_functions_create_describe_invoke_and_delete(bench: Bench, model: str, language: str) -> None:
    name, field = bench.name(), "Arguments" if language == "JSONata" else "Parameters"
    discard = {"Output": "{% $states.input %}"} if language == "JSONata" else {"ResultPath": None}
    variant = {"VariantName": "blue", "ModelName": model, **INSTANCE}
    named = {"EndpointName": name}
    calls: dict[str, tuple[str, Json]] = {
        "Configure": ("sagemaker:createEndpointConfig", {"ProductionVariants": [variant], "EndpointConfigName": name}),
        "Create": ("sagemaker:createEndpoint", {**named, "EndpointConfigName": name}),
        "Invoke": ("aws-sdk:sagemakerruntime:invokeEndpoint", {**named, "Body": "1,1", "ContentType": "text/csv"}),
        "Update": ("sagemaker:updateEndpoint", {**named, "EndpointConfigName": name}),
        "Describe": ("aws-sdk:sagemaker:describeEndpoint", named),
    }  # fmt: skip
    order = list(calls)
    states: dict[str, Any] = {
        state: {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{resource}",
            field: arguments,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 20}],
            **({} if state == "Describe" else discard),
            **({"Next": order[number + 1]} if state != order[-1] else {"End": True}),
        }
        for number, (state, (resource, arguments)) in enumerate(calls.items())
    }
    ended = run(bench.aws, states, language)

    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["EndpointName"] == name
    settled(bench, name)
    bench.sagemaker.delete_endpoint(EndpointName=name)
    eventually_none(lambda: bench.sagemaker.list_endpoints(NameContains=name)["Endpoints"])


def test_a_variant_becomes_a_scalable_target(bench: Bench, instance: str) -> None:
    scaling = bench.aws.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{instance}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    arn = scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)["ScalableTargetARN"]
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert found["ScalableTargetARN"] == arn
    scaling.deregister_scalable_target(**target)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="No scalable target found"):
        scaling.deregister_scalable_target(**target)


def test_a_role_needs_the_permission_on_the_endpoint_itself(bench: Bench, instance: str) -> None:
    iam, sts = bench.aws.client("iam"), bench.aws.client("sts")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(RoleName="caller", AssumeRolePolicyDocument=_policy(trust))
    key = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/caller", RoleSessionName="caller")[
        "Credentials"
    ]

    def invoke(allowed: str) -> bytes:
        resource = f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{allowed}"
        allow = {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": resource}
        iam.put_role_policy(RoleName="caller", PolicyName="invoke", PolicyDocument=_policy(allow))
        runtime = boto3.client(
            "sagemaker-runtime",
            region_name=REGION,
            endpoint_url=bench.aws.endpoint_url,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
        )
        answer: bytes = runtime.invoke_endpoint(EndpointName=instance, Body=b"1")["Body"].read()
        return answer

    with pytest.raises(ClientError, match="is not authorized to perform: sagemaker:InvokeEndpoint"):
        invoke("other")
    assert invoke(instance) == b"1.0"


def _policy(statement: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
