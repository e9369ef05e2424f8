"""The state machine's role allows what each of its Tasks needs on AWS, and the jobs' roles what the jobs need.

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
TUNING = aws_arn("sagemaker", f"hyper-parameter-tuning-job/{RUN}-0")
TRAINING = aws_arn("sagemaker", f"training-job/{RUN}-0-001-89abcdef")
TRANSFORM = aws_arn("sagemaker", f"transform-job/{RUN}-predict-0-0")
MODEL = aws_arn("sagemaker", f"model/{RUN}-model-0-0")
PACKAGE = aws_arn("sagemaker", f"model-package/{STACK}--some-workload/7")
GROUP = aws_arn("sagemaker", f"model-package-group/{STACK}--some-workload")
JOB_ROLES = [aws_arn("iam", f"role/mpg-test-{role}-X1", region="") for role in iam.ROLES_OF_JOBS]
XGBOOST_REPOSITORY = aws_arn("ecr", "repository/sagemaker-xgboost", account="683313688378")
TO_SAGEMAKER = {"iam:PassedToService": "sagemaker.amazonaws.com"}

Call = tuple[str, str]


def job_that_is_waited_for(kind: str, arn: str) -> list[Call]:
    """Create, describe, stop when the execution is stopped, tag, and the rule that reports the end."""
    rule = {"HyperParameterTuning": "Tuning"}.get(kind, kind)
    managed_rule = aws_arn("events", f"rule/StepFunctionsGetEventsForSageMaker{rule}JobsRule")
    return [
        *((f"sagemaker:{verb}{kind}Job", arn) for verb in ("Create", "Describe", "Stop")),
        ("sagemaker:AddTags", arn),
        ("sagemaker:ListTags", arn),
        *((f"events:{action}", managed_rule) for action in ("PutTargets", "PutRule", "DescribeRule")),
        *(("iam:PassRole", role) for role in JOB_ROLES),
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
    "sagemaker:createTransformJob.sync": job_that_is_waited_for("Transform", TRANSFORM),
    "sagemaker:createModel": [("sagemaker:CreateModel", MODEL), ("iam:PassRole", JOB_ROLES[-1])],
    "aws-sdk:s3:getObject": [("s3:GetObject", f"{BUCKET}/code/0123/some_workload/workload.json")],
    "aws-sdk:s3:listObjectsV2": [("s3:ListBucket", BUCKET)],
    "aws-sdk:sagemaker:describeProcessingJob": [("sagemaker:DescribeProcessingJob", PROCESSING)],
    "aws-sdk:sagemaker:describeTrainingJob": [("sagemaker:DescribeTrainingJob", TRAINING)],
    "aws-sdk:sagemaker:stopProcessingJob": [("sagemaker:StopProcessingJob", PROCESSING)],
    "aws-sdk:sagemaker:stopHyperParameterTuningJob": [("sagemaker:StopHyperParameterTuningJob", TUNING)],
    "aws-sdk:sagemaker:stopTransformJob": [("sagemaker:StopTransformJob", TRANSFORM)],
    "aws-sdk:sagemaker:createModelPackage": [
        ("sagemaker:CreateModelPackage", PACKAGE),
        ("sagemaker:CreateModelPackage", GROUP),
        *((f"ecr:{action}", XGBOOST_REPOSITORY) for action in ("BatchGetImage", "DescribeImages")),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/model.tar.gz"),
    ],
    "aws-sdk:sagemaker:describeModelPackage": [("sagemaker:DescribeModelPackage", PACKAGE)],
    "aws-sdk:sagemaker:listModelPackages": [
        ("sagemaker:ListModelPackages", PACKAGE),
        ("sagemaker:ListModelPackages", GROUP),
    ],
}

# Step Functions' own needs, whatever the states are.
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

# What each job reads and writes.
CODE, SCRIPTS = "code/0123/code.zip", "code/0123/sourcedir.tar.gz"
READ = {
    "PreprocessingRole": [CODE, f"runs/{RUN}/input/upload.csv"],
    "TrainingRole": [
        SCRIPTS,
        f"runs/{RUN}/checkpoints/0-0/epoch-1",
        *(
            f"runs/{RUN}/prepared/{name}/{name}.{kind}"
            for name in ("train", "validation")
            for kind in ("csv", "manifest")
        ),
    ],
    "EvaluationRole": [
        CODE,
        "code/0123/wheels/onnx-1-cp312-any.whl",
        f"runs/{RUN}/prepared/summary.json",
        f"runs/{RUN}/prepared/test/test.csv",
        f"runs/{RUN}/tuning/{RUN}-0-0-001-89abcdef/output/model.tar.gz",
        f"models/{RUN}/model.tar.gz",
    ],
    "ModelRole": [
        f"models/{RUN}/model.tar.gz",
        f"runs/{RUN}/prepared/batch/batch.csv",
        f"runs/{RUN}/prepared/batch/batch.manifest",
    ],
}
WRITTEN = {
    "PreprocessingRole": [f"runs/{RUN}/prepared/{name}" for name in ("summary.json", "train/train.csv")],
    "TrainingRole": [
        f"runs/{RUN}/tuning/{RUN}-0-0-001-89abcdef/output/model.tar.gz",
        f"runs/{RUN}/checkpoints/0-0/epoch-1",
    ],
    "EvaluationRole": [
        f"runs/{RUN}/evaluation/{name}"
        for name in ("evaluation.json", "model.tar.gz", "model.onnx", "baseline/statistics.json")
    ],
    "ModelRole": [f"runs/{RUN}/predictions/batch.csv.out"],
}
EVERY_FILE = {
    *(key for keys in (*READ.values(), *WRITTEN.values()) for key in keys),
    *("incoming/cars.csv", f"models/{RUN}/evaluation.json"),
}

NEEDED_BY_EVERY_JOB = [
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


def test_the_role_allows_only_what_a_task_needs() -> None:
    needed = {action for calls in (*NEEDED_BY_TASK.values(), NEEDED_ALWAYS) for action, _ in calls}
    assert iam.actions("StateMachineRole") == needed


def test_only_what_is_registered_can_be_read() -> None:
    policy = iam.statements("StateMachineRole")
    for key in ("incoming/cars.csv", f"runs/{RUN}/prepared/train/train.csv", "code/0123/code.zip"):
        assert not iam.allows(policy, "s3:GetObject", f"{BUCKET}/{key}")
    assert not iam.allows(policy, "ecr:BatchGetImage", XGBOOST_REPOSITORY.replace("xgboost", "other"))


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


def test_the_jobs_roles_can_be_passed_to_sagemaker_only() -> None:
    policy = iam.statements("StateMachineRole")
    for role in JOB_ROLES:
        assert not iam.allows(policy, "iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    admin = JOB_ROLES[0].replace("PreprocessingRole", "Admin")
    assert not iam.allows(policy, "iam:PassRole", admin, TO_SAGEMAKER)


def test_each_job_runs_as_its_own_role() -> None:
    definition = json.loads((ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8"))
    assert dict(roles_named_in(definition["States"])) == {
        "Preprocess": "${PreprocessingRoleArn}",
        "Tune, or reuse?": "${TrainingRoleArn}",
        "Evaluate": "${EvaluationRoleArn}",
        "Create model": "${ModelRoleArn}",
    }


def roles_named_in(states: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each state that passes a role to a job, with the role."""
    for name, state in states.items():
        # The state before Tune assembles its training definition.
        for place in (state.get("Arguments", {}), state.get("Assign", {}).get("trainingJobDefinition", {})):
            for member in {"RoleArn", "ExecutionRoleArn"}.intersection(place):
                yield name, place[member]


@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
def test_a_jobs_role_allows_what_every_job_does_and_nothing_else(role: str) -> None:
    for action, resource in NEEDED_BY_EVERY_JOB:
        assert iam.allows(iam.statements(role), action, resource), f"{action} on {resource}"
    of_its_own = {"s3:GetObject", "s3:PutObject", "cloudwatch:PutMetricData"}
    assert iam.actions(role) == of_its_own | {action for action, _ in NEEDED_BY_EVERY_JOB}


@pytest.mark.parametrize(("action", "needed"), [("s3:GetObject", READ), ("s3:PutObject", WRITTEN)])
@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
def test_a_job_reads_and_writes_its_own_files_and_no_others(
    role: str, action: str, needed: dict[str, list[str]]
) -> None:
    policy = iam.statements(role)
    # The code's folder also has what other jobs read.
    folders = {key.rpartition("/")[0] for key in needed[role] if not key.startswith("code/")}
    for key in EVERY_FILE:
        expected = key in needed[role] or any(key.startswith(f"{folder}/") for folder in folders)
        assert iam.allows(policy, action, f"{BUCKET}/{key}") == expected, key


@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
@pytest.mark.parametrize("folder", ["input", "prepared/train", "tuning", "evaluation", "predictions"])
def test_a_job_cannot_write_to_a_folder_of_its_own_name_inside_another(role: str, folder: str) -> None:
    own = WRITTEN[role][0].split("/")[2]
    key = f"runs/{RUN}/{folder}/{own}/x"
    assert iam.allows(iam.statements(role), "s3:PutObject", f"{BUCKET}/{key}") == folder.startswith(own)


@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
@pytest.mark.parametrize("namespace", ["/aws/sagemaker/TrainingJobs", "aws/sagemaker/TrainingJobs"])
def test_jobs_write_metrics_to_sagemakers_namespaces(namespace: str, role: str) -> None:
    policy = iam.statements(role)
    assert iam.allows(policy, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace})
    assert not iam.allows(policy, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Billing"})


@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
@pytest.mark.parametrize("key", ["incoming/cars.csv", "code/0123/code.zip"])
def test_jobs_cannot_start_runs_or_change_the_scripts(key: str, role: str) -> None:
    assert not iam.allows(iam.statements(role), "s3:PutObject", f"{BUCKET}/{key}")


def test_every_role_is_assumed_by_the_one_service_that_uses_it() -> None:
    services = {role: trust["Principal"] for role in iam.roles() for trust in trusts(role)}
    machines = {"StateMachineRole", "ReleaseStateMachineRole", "MonitorStateMachineRole"}
    rules = {"UploadRuleRole", "ReleaseRuleRole"}
    assert all(services[role] == {"Service": "states.amazonaws.com"} for role in machines)
    assert all(services[role] == {"Service": "sagemaker.amazonaws.com"} for role in iam.ROLES_OF_SAGEMAKER)
    assert all(services[role] == {"Service": "events.amazonaws.com"} for role in rules)
    assert services["ScheduleRole"] == {"Service": "scheduler.amazonaws.com"}
    of_functions = services.keys() - machines - rules - {*iam.ROLES_OF_SAGEMAKER, "ScheduleRole"}
    assert all(services[role] == {"Service": "lambda.amazonaws.com"} for role in of_functions)


def trusts(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert len(found) == 1
    return found
