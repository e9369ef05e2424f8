"""The state machine's role allows what each of its Tasks needs on AWS, and its jobs' role what the jobs need.

The emulator sees little of this: managed rules, tags, log delivery. What each integration needs is listed here as the
Step Functions and SageMaker guides list it; docs/aws.md names the pages.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.template import iam
from tests.unit.template.stack import ROOT, STACK, aws_arn, properties

BUCKET = "arn:aws:s3:::mpg-test-pipelinebucket-x1"
RUN = "mpg-20260131-0915-0123abcd"
PROCESSING = aws_arn("sagemaker", f"processing-job/{RUN}-preprocess-0-0")
TUNING = aws_arn("sagemaker", f"hyper-parameter-tuning-job/{RUN}-0-0")
TRAINING = aws_arn("sagemaker", f"training-job/{RUN}-0-0-001-89abcdef")
TRANSFORM = aws_arn("sagemaker", f"transform-job/{RUN}-predict-0-0")
MODEL = aws_arn("sagemaker", f"model/{RUN}-model-0-0")
PACKAGE = aws_arn("sagemaker", f"model-package/{STACK}/7")
GROUP = aws_arn("sagemaker", f"model-package-group/{STACK}")
JOB_ROLE = aws_arn("iam", "role/mpg-test-JobRole-X1", region="")
TO_SAGEMAKER = {"iam:PassedToService": "sagemaker.amazonaws.com"}

Call = tuple[str, str]


def job_that_is_waited_for(kind: str, arn: str) -> list[Call]:
    """Create, describe, stop when the execution is stopped, the tag, and the rule that tells of the end."""
    rule = {"HyperParameterTuning": "Tuning"}.get(kind, kind)
    managed_rule = aws_arn("events", f"rule/StepFunctionsGetEventsForSageMaker{rule}JobsRule")
    return [
        *((f"sagemaker:{verb}{kind}Job", arn) for verb in ("Create", "Describe", "Stop")),
        ("sagemaker:AddTags", arn),
        ("sagemaker:ListTags", arn),
        *((f"events:{action}", managed_rule) for action in ("PutTargets", "PutRule", "DescribeRule")),
        ("iam:PassRole", JOB_ROLE),
    ]


NEEDED_BY_TASK = {
    "dynamodb:putItem": [("dynamodb:PutItem", aws_arn("dynamodb", "table/mpg-test-PipelineTable-X1"))],
    "dynamodb:updateItem": [("dynamodb:UpdateItem", aws_arn("dynamodb", "table/mpg-test-PipelineTable-X1"))],
    "lambda:invoke": [
        ("lambda:InvokeFunction", aws_arn("lambda", "function:mpg-test-CheckUploadFunction-X1"))
    ],
    "lambda:invoke.waitForTaskToken": [
        ("lambda:InvokeFunction", aws_arn("lambda", "function:mpg-test-RequestApprovalFunction-X1"))
    ],
    "sagemaker:createProcessingJob.sync": job_that_is_waited_for("Processing", PROCESSING),
    "sagemaker:createHyperParameterTuningJob.sync": [
        *job_that_is_waited_for("HyperParameterTuning", TUNING),
        ("sagemaker:AddTags", TRAINING),
    ],
    "sagemaker:createTransformJob.sync": job_that_is_waited_for("Transform", TRANSFORM)[:-1],
    "sagemaker:createModel": [("sagemaker:CreateModel", MODEL), ("iam:PassRole", JOB_ROLE)],
    "aws-sdk:s3:listObjectsV2": [("s3:ListBucket", BUCKET)],
    "aws-sdk:sagemaker:describeTrainingJob": [("sagemaker:DescribeTrainingJob", TRAINING)],
    "aws-sdk:sagemaker:stopProcessingJob": [("sagemaker:StopProcessingJob", PROCESSING)],
    "aws-sdk:sagemaker:stopHyperParameterTuningJob": [("sagemaker:StopHyperParameterTuningJob", TUNING)],
    "aws-sdk:sagemaker:stopTransformJob": [("sagemaker:StopTransformJob", TRANSFORM)],
    "aws-sdk:sagemaker:createModelPackage": [
        ("sagemaker:CreateModelPackage", PACKAGE),
        ("sagemaker:CreateModelPackage", GROUP),
    ],
    "aws-sdk:sagemaker:describeModelPackage": [("sagemaker:DescribeModelPackage", PACKAGE)],
    "aws-sdk:sagemaker:listModelPackages": [
        ("sagemaker:ListModelPackages", PACKAGE),
        ("sagemaker:ListModelPackages", GROUP),
    ],
}

# What Step Functions needs for itself, whatever the states are.
NEEDED_ALWAYS = [
    *(
        (f"logs:{action}", "*")
        for action in (
            "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
            "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
        )
    ),
    *(
        (f"xray:{action}", "*")
        for action in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")
    ),
]  # fmt: skip

NEEDED_BY_JOBS = [
    ("s3:GetObject", f"{BUCKET}/code/0123/preprocess.py"),
    ("s3:GetObject", f"{BUCKET}/runs/{RUN}/input/upload.csv"),
    ("s3:GetObject", f"{BUCKET}/models/{RUN}/model.tar.gz"),
    ("s3:PutObject", f"{BUCKET}/runs/{RUN}/prepared/train/train.csv"),
    ("s3:PutObject", f"{BUCKET}/runs/{RUN}/evaluation/evaluation.json"),
    ("s3:ListBucket", BUCKET),
    *(
        (f"ecr:{action}", aws_arn("ecr", f"repository/{repository}", account="683313688378"))
        for repository in ("sagemaker-xgboost", "sagemaker-scikit-learn")
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    ),
    ("ecr:GetAuthorizationToken", "*"),
    *(
        (f"logs:{action}", aws_arn("logs", f"log-group:/aws/sagemaker/{group}:log-stream:{RUN}"))
        for group in ("ProcessingJobs", "TrainingJobs", "TransformJobs")
        for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
    ),
]


def tasks_of_the_machine() -> list[str]:
    """The integrations that the definition's states call, `arn:...:states:::` cut off."""
    definition = json.loads((ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8"))
    return sorted({state["Resource"].split(":::")[1] for state in states(definition)})


def states(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in definition["States"].values():
        if state["Type"] == "Task":
            yield state
        for inner in (
            *state.get("Branches", []),
            *([state["ItemProcessor"]] if "ItemProcessor" in state else []),
        ):
            yield from states(inner)


@pytest.mark.parametrize("task", tasks_of_the_machine())
def test_the_role_allows_what_a_task_calls(task: str) -> None:
    policy = iam.statements("StateMachineRole")
    assert NEEDED_BY_TASK[task]
    for action, resource in NEEDED_BY_TASK[task]:
        assert iam.allows(policy, action, resource, TO_SAGEMAKER), f"{action} on {resource}"


def test_the_role_allows_what_step_functions_does_for_itself() -> None:
    for action, resource in NEEDED_ALWAYS:
        assert iam.allows(iam.statements("StateMachineRole"), action, resource), action


def test_the_role_allows_nothing_that_no_task_needs() -> None:
    needed = {action for calls in (*NEEDED_BY_TASK.values(), NEEDED_ALWAYS) for action, _ in calls}
    assert iam.actions("StateMachineRole") == needed


def test_jobs_outside_the_pipeline_are_out_of_reach() -> None:
    policy = iam.statements("StateMachineRole")
    for arn in (PROCESSING, TUNING, TRANSFORM, MODEL):
        for action in ("Create", "Stop", "Describe"):
            kind = {"processing-job": "ProcessingJob", "transform-job": "TransformJob", "model": "Model"}.get(
                arn.split(":")[5].split("/")[0], "HyperParameterTuningJob"
            )
            assert not iam.allows(
                policy, f"sagemaker:{action}{kind}", arn.replace("/mpg-", "/somebody-elses-")
            )


def test_the_jobs_role_can_be_passed_to_sagemaker_only() -> None:
    policy = iam.statements("StateMachineRole")
    assert not iam.allows(policy, "iam:PassRole", JOB_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not iam.allows(policy, "iam:PassRole", JOB_ROLE.replace("JobRole", "Admin"), TO_SAGEMAKER)


def test_the_jobs_role_allows_what_jobs_do() -> None:
    for action, resource in NEEDED_BY_JOBS:
        assert iam.allows(iam.statements("JobRole"), action, resource), f"{action} on {resource}"


def test_the_jobs_role_allows_nothing_that_no_job_does() -> None:
    needed = {action for action, _ in NEEDED_BY_JOBS} | {"cloudwatch:PutMetricData"}
    assert iam.actions("JobRole") == needed


@pytest.mark.parametrize("namespace", ["/aws/sagemaker/TrainingJobs", "aws/sagemaker/TrainingJobs"])
def test_jobs_write_metrics_to_sagemakers_namespaces(namespace: str) -> None:
    policy = iam.statements("JobRole")
    assert iam.allows(policy, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace})
    assert not iam.allows(policy, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Billing"})


@pytest.mark.parametrize("key", ["incoming/cars.csv", "code/0123/preprocess.py"])
def test_jobs_cannot_start_runs_or_change_the_scripts(key: str) -> None:
    assert not iam.allows(iam.statements("JobRole"), "s3:PutObject", f"{BUCKET}/{key}")


def test_every_role_is_assumed_by_the_one_service_that_uses_it() -> None:
    services = {role: trust["Principal"] for role in iam.roles() for trust in trusts(role)}
    assert services["StateMachineRole"] == {"Service": "states.amazonaws.com"}
    assert services["JobRole"] == {"Service": "sagemaker.amazonaws.com"}
    assert services["UploadRuleRole"] == {"Service": "events.amazonaws.com"}
    of_functions = services.keys() - {"StateMachineRole", "JobRole", "UploadRuleRole"}
    assert all(services[role] == {"Service": "lambda.amazonaws.com"} for role in of_functions)


def trusts(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert len(found) == 1
    return found
