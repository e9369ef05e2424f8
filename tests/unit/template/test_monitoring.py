"""The stack of monitoring: schedule, permissions of machine and job, and the wiring of the definition."""

import json
import re
from typing import Any

import pytest

from audit.transformed import transformed
from tests.unit.template import iam
from tests.unit.template.stack import KEY, ROOT, STACK, Evaluator, aws_arn, properties, template
from tests.unit.template.test_state_machine_permissions import (
    BUCKET,
    NEEDED_ALWAYS,
    NEEDED_BY_EVERY_JOB,
    PROCESSING,
    RUN,
    TO_SAGEMAKER,
    states,
)

PATH = ROOT / "stacks" / "monitoring.yaml"
DEFINITION = (ROOT / "statemachine" / "monitor.asl.json").read_text(encoding="utf-8")
MACHINE = aws_arn("states", f"stateMachine:{STACK}-monitor")
FOLDER = f"monitoring/some_workload/{RUN}"
JOB_ROLE = aws_arn("iam", "role/mpg-test-MonitoringRole-X1", region="")


def nested(schedule: str = "", retrain: str = "", key: str = "") -> Evaluator:
    """The stack with these parameters."""
    given = dict.fromkeys(template(PATH)["Parameters"], "x") | {"PipelineName": STACK, "KmsKeyArn": key}
    given |= {"MonitorSchedule": schedule, "RetrainFunctionArn": retrain}
    return Evaluator(transformed(PATH)["Resources"], given, template(PATH))


def found(stack: Evaluator, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = stack.evaluate(stack.resources[name])["Properties"]
    return properties


def test_nothing_is_scheduled_unless_somebody_asks_for_it() -> None:
    assert not nested().exists(nested().resources["Schedule"])
    assert template()["Parameters"]["MonitorSchedule"]["Default"] == ""


def test_the_schedule_starts_the_machine_and_keeps_what_it_cannot_start() -> None:
    stack = nested("rate(7 days)")
    assert stack.exists(stack.resources["Schedule"])
    schedule = found(stack, "Schedule")
    target = schedule["Target"]
    assert schedule["ScheduleExpression"] == "rate(7 days)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert target["Arn"] == MACHINE
    assert json.loads(target["Input"]) == {"reason": "schedule"}
    assert target["DeadLetterConfig"] == {"Arn": aws_arn("sqs", "mpg-test-MonitoringDeadLetters-X1")}


@pytest.mark.parametrize("key", ["", KEY])
def test_the_schedules_role_does_that_and_nothing_else(key: str) -> None:
    policy = iam.statements("ScheduleRole", key)
    assert iam.allows(policy, "states:StartExecution", MACHINE)
    assert iam.allows(policy, "sqs:SendMessage", aws_arn("sqs", "mpg-test-MonitoringDeadLetters-X1"))
    of_key = {"kms:Decrypt", "kms:GenerateDataKey"} if key else set()
    assert iam.actions("ScheduleRole", key) == {"states:StartExecution", "sqs:SendMessage"} | of_key
    [trust] = properties("ScheduleRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_the_definition_gets_what_it_uses_and_the_images_that_a_workload_may_choose() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION))
    given = properties("MonitorStateMachine")["DefinitionSubstitutions"]
    assert given.keys() == used
    pipeline = properties("PipelineStateMachine")["DefinitionSubstitutions"]
    for image in ("ScikitLearn", "XGBoost", "PyTorchTraining", "PyTorchInference"):
        assert given[f"{image}ImageUri"] == pipeline[f"{image}ImageUri"]


def test_policies_of_the_pipelines_stack_name_the_machine() -> None:
    assert properties("MonitorStateMachine")["StateMachineName"] == f"{STACK}-monitor"
    assert properties("SweepFunction")["Environment"]["Variables"]["MONITOR_MACHINE_ARN"] == MACHINE
    assert MACHINE in properties("StopJobsFunctionRunEndedBadly")["EventPattern"]["detail"]["stateMachineArn"]


NEEDED = {
    "lambda:invoke": [
        ("lambda:InvokeFunction", aws_arn("lambda", f"function:mpg-test-{name}Function-X1"))
        for name in ("PlanMonitoring", "ReportMonitoring")
    ],
    "aws-sdk:s3:getObject": [("s3:GetObject", f"{BUCKET}/code/0123/some_workload/workload.json")],
    "aws-sdk:sagemaker:describeProcessingJob": [("sagemaker:DescribeProcessingJob", PROCESSING)],
    "sagemaker:createProcessingJob.sync": [
        *((f"sagemaker:{verb}ProcessingJob", PROCESSING) for verb in ("Create", "Describe", "Stop")),
        *((f"sagemaker:{verb}Tags", PROCESSING) for verb in ("Add", "List")),
        *(
            (f"events:{action}", aws_arn("events", "rule/StepFunctionsGetEventsForSageMakerProcessingJobsRule"))
            for action in ("PutTargets", "PutRule", "DescribeRule")
        ),
        ("iam:PassRole", JOB_ROLE),
    ],
}  # fmt: skip


def test_the_machines_role_allows_what_its_tasks_call_and_nothing_else() -> None:
    tasks = {state["Resource"].split(":::")[1] for state in states(json.loads(DEFINITION))}
    assert tasks == NEEDED.keys()
    policy = iam.statements("MonitorStateMachineRole")
    calls = [*(call for task in tasks for call in NEEDED[task]), *NEEDED_ALWAYS]
    for action, resource in calls:
        assert iam.allows(policy, action, resource, TO_SAGEMAKER), f"{action} on {resource}"
    assert iam.actions("MonitorStateMachineRole") == {action for action, _ in calls}


def test_the_machine_may_ask_for_a_retraining_only_where_that_is_on() -> None:
    retrain = aws_arn("lambda", "function:retrain")
    for given in ("", retrain):
        [policy, _] = found(nested(retrain=given), "MonitorStateMachineRole")["Policies"]
        allowed = iam.allows(policy["PolicyDocument"]["Statement"], "lambda:InvokeFunction", retrain)
        assert allowed == bool(given)
        variables = found(nested(retrain=given), "ReportMonitoringFunction")["Environment"]["Variables"]
        assert bool(variables["RETRAINS_ON_DRIFT"]) == bool(given)


def test_the_job_reads_what_models_saw_and_writes_what_it_found() -> None:
    policy = iam.statements("MonitoringRole")
    read = [
        "code/0123/code.zip",
        "code/0123/wheels/onnx-1-cp312-any.whl",
        f"models/{RUN}/model.tar.gz",
        f"runs/{RUN}/predictions/batch.csv.out",
        f"runs/{RUN}/prepared/summary.json",
        "captured/some_workload/endpoint/live/2026/01/31/09/1.jsonl",
        f"{FOLDER}/seen.manifest",
        f"{FOLDER}/earlier.manifest",
    ]
    for key in read:
        assert iam.allows(policy, "s3:GetObject", f"{BUCKET}/{key}"), key
    for key in ("incoming/cars.csv", f"runs/{RUN}/input/upload.csv", f"runs/{RUN}/tuning/x/model.tar.gz"):
        assert not iam.allows(policy, "s3:GetObject", f"{BUCKET}/{key}"), key
    assert iam.allows(policy, "s3:PutObject", f"{BUCKET}/{FOLDER}/monitoring.json")
    for key in (*read[:-2], "incoming/cars.csv", "monitoring/some_workload/x"):
        assert not iam.allows(policy, "s3:PutObject", f"{BUCKET}/{key}"), key
    for action, resource in NEEDED_BY_EVERY_JOB:
        assert iam.allows(policy, action, resource), f"{action} on {resource}"


def test_its_role_can_be_passed_to_sagemaker_only() -> None:
    policy = iam.statements("MonitorStateMachineRole")
    assert not iam.allows(policy, "iam:PassRole", JOB_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})
    other = JOB_ROLE.replace("MonitoringRole", "PreprocessingRole")
    assert not iam.allows(policy, "iam:PassRole", other, TO_SAGEMAKER)


def test_the_dashboard_lets_people_choose_a_workload() -> None:
    body = json.loads(properties("MonitoringDashboard")["DashboardBody"])
    [variable] = body["variables"]
    assert (variable["property"], variable["populateFrom"]) == ("MonitoringSchedule", "MonitoringSchedule")
    assert "${PROP('MetricName')}" in json.dumps(body)
