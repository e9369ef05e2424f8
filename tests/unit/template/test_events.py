"""The events that start the pipeline and its handlers: none is missed silently, none causes an endless loop."""

import json
import re
from typing import Any

import pytest

from tests.unit.template import iam
from tests.unit.template.stack import ROOT, aws_arn, of_type, properties

RUN = "mpg-20260131-0915-0123abcd"
UPLOADS = [
    "incoming/cars.csv",
    "incoming/cars.CSV",
    "incoming/some_workload/file.parquet",
    "incoming/2026/01/cars.csv",
    "incoming/no suffix",
    "incoming/folder.with.dots/no suffix",
    "incoming/cars + more (100%).csv",
    "incoming/voitures été.csv",
    "incoming/.csv",
    f"incoming/{'c' * 1000}.csv",
]
WRITTEN_BY_THE_PIPELINE = [
    f"runs/{RUN}/input/upload.csv",
    f"runs/{RUN}/checkpoints/0-0/epoch-1.csv",
    *(f"runs/{RUN}/prepared/{name}/{name}.csv" for name in ("train", "validation", "test", "batch")),
    f"runs/{RUN}/prepared/preprocessor.json",
    f"runs/{RUN}/prepared/summary.json",
    f"runs/{RUN}/tuning/{RUN}-0-001-89abcdef/output/model.tar.gz",
    f"runs/{RUN}/predictions/batch.csv.out",
    f"models/{RUN}/model.tar.gz",
    f"models/{RUN}/evaluation.json",
    f"monitoring/some_workload/{RUN}/statistics.json",
    "code/0123456789abcdef/code.zip",
]
NO_UPLOADS = [
    "cars.csv",
    "old/incoming/cars.csv",
    "/incoming/cars.csv",
    "incoming",
    "incoming.csv",
    "Incoming/cars.csv",
]
RULES = sorted(of_type("AWS::Events::Rule"))
SCHEDULE = "SweepFunctionRegularly"


def pattern_matches(pattern: Any, event: Any) -> bool:
    """EventBridge's matching, as far as the template uses it: objects, `$or`, lists of alternatives."""
    if isinstance(pattern, dict):
        return all(
            any(pattern_matches(each, event) for each in value)
            if key == "$or"
            else key in event and pattern_matches(value, event[key])
            for key, value in pattern.items()
        )
    return any(alternative_matches(alternative, event) for alternative in pattern)


def alternative_matches(alternative: Any, value: Any) -> bool:
    if not isinstance(alternative, dict):
        return bool(alternative == value)
    [(operator, operand)] = alternative.items()
    match operator:
        case "wildcard":
            return re.fullmatch(re.escape(operand).replace(r"\*", ".*"), value, re.DOTALL) is not None
        case "prefix":
            return str(value).startswith(operand)
        case "numeric":
            [comparison, number] = operand
            assert comparison == ">"
            return isinstance(value, int) and value > number
    raise NotImplementedError(operator)


def object_created(key: str, bucket: str = "mpg-test-pipelinebucket-x1", size: int = 1) -> dict[str, Any]:
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key, "size": size, "version-id": "v"}},
    }


@pytest.mark.parametrize("key", UPLOADS)
def test_an_upload_starts_the_pipeline(key: str) -> None:
    assert pattern_matches(properties("UploadRule")["EventPattern"], object_created(key))


@pytest.mark.parametrize("key", WRITTEN_BY_THE_PIPELINE)
@pytest.mark.parametrize("size", [0, 1])
def test_nothing_that_the_pipeline_writes_starts_it_again(key: str, size: int) -> None:
    assert not pattern_matches(properties("UploadRule")["EventPattern"], object_created(key, size=size))


@pytest.mark.parametrize("key", ["incoming/cars.csv", "incoming/some_workload/a.parquet"])
def test_an_empty_file_starts_the_pipeline_which_refuses_it(key: str) -> None:
    assert pattern_matches(properties("UploadRule")["EventPattern"], object_created(key, size=0))


@pytest.mark.parametrize("key", ["incoming/", "incoming/some_workload/", "incoming/2026/01/"])
def test_a_folder_made_in_the_console_starts_nothing(key: str) -> None:
    assert not pattern_matches(properties("UploadRule")["EventPattern"], object_created(key, size=0))


@pytest.mark.parametrize("key", NO_UPLOADS)
def test_other_objects_start_nothing(key: str) -> None:
    assert not pattern_matches(properties("UploadRule")["EventPattern"], object_created(key))


def test_an_upload_into_another_bucket_starts_nothing() -> None:
    event = object_created("incoming/cars.csv", bucket="somebody-elses")
    assert not pattern_matches(properties("UploadRule")["EventPattern"], event)


def test_the_state_machine_writes_nowhere_that_starts_it() -> None:
    definition = (ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8")
    places = set(re.findall(r"s3://\$\{BucketName\}/[^'\"]*", definition))
    assert places
    assert not {place for place in places if place.startswith("s3://${BucketName}/incoming")}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_every_end_of_an_execution_is_reported(status: str) -> None:
    assert pattern_matches(properties("NotifyFunctionRunEnded")["EventPattern"], execution_event(status))


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_running_execution_is_not_reported(status: str) -> None:
    assert not pattern_matches(properties("NotifyFunctionRunEnded")["EventPattern"], execution_event(status))


def test_the_end_of_another_machines_execution_is_not_reported() -> None:
    event = execution_event("FAILED")
    event["detail"]["stateMachineArn"] += "-of-somebody-else"
    assert not pattern_matches(properties("NotifyFunctionRunEnded")["EventPattern"], event)


def execution_event(status: str) -> dict[str, Any]:
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"stateMachineArn": aws_arn("states", "stateMachine:mpg-test"), "status": status},
    }


@pytest.mark.parametrize(
    ("status", "group", "resumes"),
    [
        ("Approved", "mpg-test--some-workload", True),
        ("Rejected", "mpg-test--another", True),
        ("PendingManualApproval", "mpg-test--some-workload", False),
        ("Approved", "somebody-elses", False),
        ("Approved", "mpg-test-2--some-workload", False),
    ],
)
def test_a_decision_about_a_package_of_the_group_resumes(status: str, group: str, resumes: bool) -> None:
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "detail": {"ModelPackageGroupName": group, "ModelApprovalStatus": status},
    }
    pattern = properties("ResumePipelineFunctionPackageDecided")["EventPattern"]
    assert pattern_matches(pattern, event) is resumes


@pytest.mark.parametrize("rule", sorted({*RULES} - {SCHEDULE}))
def test_an_event_that_cannot_be_delivered_is_retried_for_a_day(rule: str) -> None:
    [target] = properties(rule)["Targets"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}


def test_the_sweep_runs_regularly_and_the_next_one_is_its_retry() -> None:
    assert properties(SCHEDULE)["ScheduleExpression"] == "rate(15 minutes)"
    assert invoke_config("SweepFunction")["MaximumRetryAttempts"] == 0
    [target] = properties(SCHEDULE)["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600


@pytest.mark.parametrize("rule", RULES)
def test_an_undeliverable_event_is_kept(rule: str) -> None:
    [target] = properties(rule)["Targets"]
    queue = target["DeadLetterConfig"]["Arn"]
    sent_by_the_rule = {"aws:SourceArn": aws_arn("events", f"rule/mpg-test-{rule}-X1")}
    assert iam.allows(queue_policy(queue), "sqs:SendMessage", queue, sent_by_the_rule)


@pytest.mark.parametrize("rule", RULES)
def test_no_other_rule_can_write_to_the_dead_letters(rule: str) -> None:
    [target] = properties(rule)["Targets"]
    queue = target["DeadLetterConfig"]["Arn"]
    sent_by_another = {"aws:SourceArn": aws_arn("events", "rule/another")}
    assert not iam.allows(queue_policy(queue), "sqs:SendMessage", queue, sent_by_another)


def queue_policy(queue_arn: str) -> list[dict[str, Any]]:
    name = queue_arn.rpartition(":")[2]
    policies = [p for p in of_type("AWS::SQS::QueuePolicy").values() if name in p["Queues"]]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def test_the_rule_may_start_the_machine_and_nothing_else() -> None:
    [target] = properties("UploadRule")["Targets"]
    assert target["RoleArn"].endswith("role/mpg-test-UploadRuleRole-X1")
    assert iam.allows(iam.statements("UploadRuleRole"), "states:StartExecution", target["Arn"])
    assert not iam.allows(iam.statements("UploadRuleRole"), "states:StartExecution", f"{target['Arn']}2")


def invoke_config(function: str) -> dict[str, Any]:
    [config] = [
        c
        for c in of_type("AWS::Lambda::EventInvokeConfig").values()
        if c["FunctionName"].startswith(f"mpg-test-{function}")
    ]
    return config


@pytest.mark.parametrize(
    ("function", "tries"),
    [
        ("NotifyFunction", 3),
        ("ResumePipelineFunction", 3),
        ("StopJobsFunction", 3),
        ("ReportReleaseFunction", 3),
        ("SweepFunction", 1),
    ],
)
def test_an_event_on_which_a_function_keeps_failing_is_kept(function: str, tries: int) -> None:
    config = invoke_config(function)
    queue = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert queue in {aws_arn("sqs", f"mpg-test-{name}-X1") for name in of_type("AWS::SQS::Queue")}
    assert config["MaximumRetryAttempts"] == tries - 1


def test_every_function_that_events_call_keeps_events_on_which_it_fails() -> None:
    called = {target["Arn"] for rule in RULES for target in properties(rule)["Targets"]}
    functions = {
        name
        for name in of_type("AWS::Lambda::Function")
        if aws_arn("lambda", f"function:mpg-test-{name}-X1") in called
    }
    assert functions == {
        "NotifyFunction",
        "ResumePipelineFunction",
        "StopJobsFunction",
        "SweepFunction",
        "ReportReleaseFunction",
        "NotifyMonitoringFunction",
    }


@pytest.mark.parametrize(
    ("status", "stops"),
    [("FAILED", True), ("ABORTED", True), ("TIMED_OUT", True), ("SUCCEEDED", False), ("RUNNING", False)],
)
def test_an_unsuccessful_end_stops_the_jobs(status: str, stops: bool) -> None:
    pattern = properties("StopJobsFunctionRunEndedBadly")["EventPattern"]
    assert pattern_matches(pattern, execution_event(status)) is stops


def test_dead_letters_are_encrypted_and_kept_as_long_as_sqs_allows() -> None:
    for queue in of_type("AWS::SQS::Queue").values():
        assert queue == {"MessageRetentionPeriod": 14 * 86_400, "SqsManagedSseEnabled": True}


def test_a_pattern_is_valid_json_for_eventbridge() -> None:
    # EventBridge refuses patterns over 2,048 characters.
    for rule in {*RULES} - {SCHEDULE}:
        assert len(json.dumps(properties(rule)["EventPattern"])) < 2048
