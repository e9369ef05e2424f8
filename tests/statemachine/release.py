"""Runs the real definition of a release on the embedded Step Functions, with fakes for its tasks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import (
    BUCKET,
    EVALUATION_DIGEST,
    EXECUTION_NAME,
    ROOT,
    TASKS,
    Answer,
    Ending,
    execute,
    rendered,
)

DEFINITION = (ROOT / "statemachine/release.asl.json").read_text()
PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--auto-mpg/7"
OLDER = PACKAGE.removesuffix("7") + "6"
OLDEST = PACKAGE.removesuffix("7") + "5"
RUN_ID = "mpg-20261120-1200-0123abcd"
APPROVED_AT = "2026-11-20T13:00:00.000Z"
ENDPOINT = "mpg-pipeline-auto-mpg"

SUBSTITUTIONS = {
    "StackName": "mpg-pipeline",
    "BucketName": BUCKET,
    "TableName": "mpg-pipeline-table",
    "CodePrefix": "code/0123456789abcdef/",
    "ModelPackageGroupPrefix": "mpg-pipeline-",
    "KmsKeyArn": "",
    "CheckReleaseFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:check-release",
    "SmokeTestFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:smoke-test",
    "ServingRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-ServingRole",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
    "EndpointType": "serverless",
    "EndpointMemoryMB": "2048",
    "EndpointMaxConcurrency": "5",
    "EndpointInstanceType": "ml.m5.large",
    "EndpointInstanceCount": "1",
    "EndpointMaxInstanceCount": "1",
    "EndpointInvocationsPerInstance": "1000",
    "EndpointDataCapturePercent": "0",
    "EndpointTimeoutSeconds": "3600",
    "CanarySeconds": "300",
}
INSTANCE = {"EndpointType": "instance"}
TWO_INSTANCES = INSTANCE | {"EndpointInstanceCount": "2", "EndpointMaxInstanceCount": "4"}
CONDITION_FAILED = TaskError("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")


def event(reason: str = "", package: str = PACKAGE) -> dict[str, Any]:
    """SageMaker's event, or with a reason the input of somebody who asks for the release."""
    detail: dict[str, Any] = {"ModelPackageArn": package}
    if reason:
        return {"detail-type": "Release Requested", "detail": detail | {"reason": reason}}
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "detail": detail | {"ModelApprovalStatus": "Approved"},
    }


def package(**changes: Any) -> dict[str, Any]:
    """The answer of DescribeModelPackage."""
    return {
        "ModelPackageArn": PACKAGE,
        "ModelPackageGroupName": "mpg-pipeline--auto-mpg",
        "ModelPackageVersion": 7,
        "ModelApprovalStatus": "Approved",
        "CreationTime": "2026-11-20T12:30:00.000Z",
        "LastModifiedTime": "2026-11-20T13:00:00Z",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0",
                    "ModelDataUrl": f"s3://{BUCKET}/models/{RUN_ID}/model.tar.gz",
                    "Environment": {"MODEL_FILES_DIGEST": "sha256:4", "A": "1"},
                }
            ]
        },
        "CustomerMetadataProperties": {
            "run_id": RUN_ID,
            "workload": "auto_mpg",
            "evaluation_digest": EVALUATION_DIGEST,
        },
        **changes,
    }


def workload(**endpoint: Any) -> dict[str, Any]:
    """What the state `Load workload` finds."""
    return {"Body": json.dumps({"title": "A workload", "endpoint": {"environment": {}} | endpoint})}


def live(package_arn: str = OLDER, **changes: str) -> dict[str, Any]:
    """The table's item about what is live."""
    version = package_arn.rpartition("/")[2]
    texts = {
        "pk": "live#auto_mpg",
        "workload": "auto_mpg",
        "package_arn": package_arn,
        "endpoint_type": "serverless",
        "endpoint_name": ENDPOINT,
        "config_name": f"{ENDPOINT}-v{version}-00000000",
        "model_name": f"{ENDPOINT}-v{version}-11111111",
        "instance_type": "serverless",
        "approved_at": "2026-11-19T13:00:00.000Z",
        "since": "2026-11-19T13:05:00.000Z",
        **changes,
    }
    return {"Item": {"version": {"N": version}, **{name: {"S": text} for name, text in texts.items()}}}


LIVE_ON_INSTANCES = live(endpoint_type="instance", instance_type="ml.m5.large")


def endpoints(status: str) -> dict[str, Any]:
    """The answer of ListEndpoints, in which another stack's endpoint has a longer name."""
    return {
        "Endpoints": [
            {"EndpointName": f"x-{ENDPOINT}", "EndpointStatus": "Failed"},
            {"EndpointName": ENDPOINT, "EndpointStatus": status},
        ]
    }


def described(config: str, status: str = "InService", *, serverless: bool = True, **more: Any) -> Any:
    """The answer of DescribeEndpoint. The configuration "new" is the one that the execution created."""

    def answer(_: Any) -> dict[str, Any]:
        name = created_config() if config == "new" else config
        variant = {"VariantName": "live"}
        if serverless:
            variant |= {"CurrentServerlessConfig": {"MemorySizeInMB": 2048}}  # type: ignore[dict-item]
        return {
            "EndpointName": ENDPOINT,
            "EndpointStatus": status,
            "EndpointConfigName": name,
            "ProductionVariants": [variant],
            **more,
        }

    return answer


BEFORE = live()["Item"]["config_name"]["S"]


def created_config() -> str:
    """The name of the last configuration that this execution asked for."""
    asked = [call for call in TASKS.calls if call.state == "Create endpoint configuration"]
    return str(asked[-1].arguments["EndpointConfigName"])


# The responses of all tasks in the first release of a workload.
FIRST: Mapping[str, Answer] = {
    "Read package": package(),
    "Claim package": {},
    "Load workload": workload(),
    "Claim endpoint": {},
    "Read other release": {"Item": {"execution_arn": {"S": "arn:other"}}},
    "Describe other release": {"Status": "RUNNING"},
    "Remove dead claim": {},
    "Read live model": {},
    "Check artifact": {"Payload": {"has_smoke_test": True, "onnx_digest": "sha256:5", "warnings": []}},
    "Create model": {"ModelArn": "arn:model"},
    "Create endpoint configuration": {"EndpointConfigArn": "arn:config"},
    "Set error alarm": {},
    "Set latency alarm": {},
    "Find endpoint": {"Endpoints": []},
    "Delete failed endpoint": {},
    "Create endpoint": {"EndpointArn": "arn:endpoint"},
    "Read endpoint": described(BEFORE),
    "Pause autoscaling": {},
    "Update endpoint": {"EndpointArn": "arn:endpoint"},
    "Describe endpoint": described("new"),
    "Smoke test": {"Payload": {"rows": 20, "largest_difference": 0.0, "milliseconds": 3.1}},
    "Register scalable target": {},
    "Set scaling policy": {},
    "Mark live": {},
    "Delete old configuration": {},
    "Delete old model": {},
    "Read endpoint to restore": described(BEFORE),
    "Restore endpoint": {},
    "Delete new endpoint": {},
    "Delete new configuration": {},
    "Delete new model": {},
    "Record ending": {},
    "Free endpoint": {},
}
# What differs when an endpoint already answers with an older version.
SECOND: Mapping[str, Answer] = {"Read live model": live(), "Find endpoint": endpoints("InService")}


def release(
    answers: Mapping[str, Answer] | None = None,
    *,
    substitutions: Mapping[str, str] | None = None,
    started_by: Mapping[str, Any] | None = None,
) -> Ending:
    """Run a release with these answers instead of those of a successful first one."""
    TASKS.answer({**FIRST, **(answers or {})})
    definition = rendered({**SUBSTITUTIONS, **(substitutions or {})}, DEFINITION)
    return execute(definition, EXECUTION_NAME, started_by or event())


def status_of(ending: Ending) -> tuple[str, str]:
    """The status that was recorded, and the reason."""
    values = ending.arguments("Record ending")["ExpressionAttributeValues"]
    return values[":status"]["S"], values[":why"]["S"]


def tasks_after(ending: Ending, state: str) -> Iterator[str]:
    """The states that the execution entered after this one."""
    yield from ending.states[ending.states.index(state) + 1 :]
