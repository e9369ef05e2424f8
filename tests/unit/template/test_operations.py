"""docs/operations.md names every limit, alarm and error there is, with the numbers of the code."""

import json
import re
from typing import Any

import pytest

from tests.unit.template.stack import ROOT, of_type, properties

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
LIMITS = TEXT.partition("## What is tried again")[2].partition("\n## ")[0]
ERRORS = TEXT.partition("## Error names")[2].partition("\n## ")[0]
MACHINE: dict[str, Any] = json.loads(
    (ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8")
)
STATES: dict[str, Any] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def line_about(name: str, *words: str) -> str:
    lines = [
        line for line in LIMITS.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]
    ]
    fitting = [line for line in lines if all(word in line for word in words)]
    assert fitting, f"no line about {name} says {words}: {lines}"
    return fitting[0]


def tries(retrier: Any) -> str:
    times, first, longest = (retrier[name] for name in ("MaxAttempts", "IntervalSeconds", "MaxDelaySeconds"))
    assert retrier["BackoffRate"] == 2
    return f"{times} times, {first} s doubling to {longest} s"


def test_the_table_has_the_executions_time_limit() -> None:
    assert f"| the execution | {MACHINE['TimeoutSeconds'] // 86_400} days |" in LIMITS


@pytest.mark.parametrize("name", TASKS)
def test_the_table_has_each_tasks_time_limit(name: str) -> None:
    limit = TASKS[name]["TimeoutSeconds"]
    line_about(name, f"{limit:,} s" if isinstance(limit, int) else "`ApprovalTimeoutDays`")


@pytest.mark.parametrize("name", [n for n, s in TASKS.items() if ".sync" not in s["Resource"]])
def test_the_table_has_each_short_tasks_retries(name: str) -> None:
    [general] = [retry for retry in TASKS[name]["Retry"] if retry["ErrorEquals"] == ["States.ALL"]]
    line_about(name, *tries(general).split(","))


@pytest.mark.parametrize("name", [n for n, s in TASKS.items() if ".sync" in s["Resource"]])
def test_the_table_has_the_retries_of_jobs(name: str) -> None:
    quota, other = TASKS[name]["Retry"]
    assert (
        quota["MaxAttempts"],
        quota["IntervalSeconds"],
        quota["BackoffRate"],
        quota["MaxDelaySeconds"],
    ) == (400, 30, 1.5, 600)
    line_about("SageMaker.ResourceLimitExceededException", "400 times, 30 s growing by half to 600 s")
    line_about("SageMaker.AmazonSageMakerException", tries(other))


@pytest.mark.parametrize("name", [n for n, s in TASKS.items() if ":lambda:" in s["Resource"]])
def test_the_table_has_the_retries_of_functions_that_lambda_throttles(name: str) -> None:
    [busy] = [
        retry for retry in TASKS[name]["Retry"] if retry["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    ]
    line_about("Lambda.TooManyRequestsException", tries(busy))


@pytest.mark.parametrize("name", sorted(of_type("AWS::Lambda::Function")))
def test_the_table_has_each_functions_time_limit(name: str) -> None:
    by_state = {
        "CheckUploadFunction": "Check upload",
        "KeepModelFunction": "Keep model",
        "RequestApprovalFunction": "Ask for approval",
    }
    line_about(by_state.get(name, name), f"{properties(name)['Timeout']} s")


def test_the_runbook_has_every_error_that_the_machine_names() -> None:
    named = {error for state in TASKS.values() for retry in state["Retry"] for error in retry["ErrorEquals"]}
    named |= {state["Error"] for state in STATES.values() if state["Type"] == "Fail"}
    handled = {"States.ALL", "DynamoDB.ConditionalCheckFailedException"}
    assert {error for error in named - handled if f"`{error}`" not in ERRORS} == set()


def test_the_runbook_has_every_exception_that_leaves_a_function() -> None:
    raised = set()
    for path in (ROOT / "functions").rglob("*.py"):
        raised |= set(
            re.findall(
                r"^class (\w+)\((?:Exception|PublicError)\)", path.read_text(encoding="utf-8"), re.MULTILINE
            )
        )
    # The page answers the first one itself; the second one is what the others have in common.
    assert {name for name in raised - {"Refused", "PublicError"} if f"`{name}`" not in ERRORS} == set()


def test_no_alarm_is_in_the_runbook_that_is_not_there() -> None:
    described = set(re.findall(r"^### ([a-z-]+)$", TEXT, re.MULTILINE))
    names = {
        alarm["AlarmName"].removeprefix("mpg-test-") for alarm in of_type("AWS::CloudWatch::Alarm").values()
    }
    assert described == names
