"""The state machine of the template and the definition in statemachine/ fit together."""

import json
import re
from typing import Any

from tests.unit.template.stack import ROOT, STACK, properties, template

DEFINITION = (ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8")

# Of every image, whether a state names it or not: a workload chooses its own.
IMAGES = {f"{name}ImageUri" for name in ("ScikitLearn", "XGBoost", "PyTorchTraining", "PyTorchInference")}


def test_the_template_substitutes_exactly_what_the_definition_uses() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION))
    assert properties("PipelineStateMachine")["DefinitionSubstitutions"].keys() == used | IMAGES


def test_the_definition_is_json_after_the_substitution() -> None:
    filled = DEFINITION
    for name, value in properties("PipelineStateMachine")["DefinitionSubstitutions"].items():
        filled = filled.replace(f"${{{name}}}", str(value))
    assert "${" not in json.dumps(json.loads(filled))


def test_the_machine_outlives_all_that_its_states_may_wait_for() -> None:
    definition = json.loads(DEFINITION)
    longest = sum(longest_stay(state) for state in definition["States"].values() if "Retry" in state)
    # A day to spare, for what Step Functions itself takes.
    assert definition["TimeoutSeconds"] >= longest + 86_400


def longest_stay(task: dict[str, Any]) -> float:
    """The seconds that a task can take, with every attempt and every wait as long as it may be."""
    limit: int | str = task["TimeoutSeconds"]
    retriers = [retrier for retrier in task["Retry"] if retrier["MaxAttempts"]]
    waits: float = sum(
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt, retrier["MaxDelaySeconds"])
        for retrier in retriers
        for attempt in range(retrier["MaxAttempts"])
    )
    if not isinstance(limit, int):
        # Running out of this time is not tried again.
        days: int = template()["Parameters"]["ApprovalTimeoutDays"]["MaxValue"]
        return waits + days * 86_400
    # What has a retrier of its own is refused at once.
    again: int = sum(
        retrier["MaxAttempts"] for retrier in retriers if retrier["ErrorEquals"] == ["States.ALL"]
    )
    return waits + limit * (1 + again)


def test_its_own_arn_is_the_one_that_policies_name() -> None:
    # Policies spell the ARN out, with the stack's name, because a reference would be a circle.
    assert properties("PipelineStateMachine")["StateMachineName"] == STACK


def test_logs_go_where_log_delivery_needs_no_policy_of_its_own_and_hold_no_data() -> None:
    logging = properties("PipelineStateMachine")["LoggingConfiguration"]
    [destination] = logging["Destinations"]
    assert ":log-group:/aws/vendedlogs/states/" in destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
    assert destination["CloudWatchLogsLogGroup"]["LogGroupArn"].endswith(":*")
    # A task token would be in the data.
    assert logging["IncludeExecutionData"] is False


def test_executions_are_traced() -> None:
    assert properties("PipelineStateMachine")["TracingConfiguration"] == {"Enabled": True}
