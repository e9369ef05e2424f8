"""The state machine of the template and the definition in statemachine/ fit together."""

import json
import re

from tests.unit.template.stack import ROOT, STACK, properties

DEFINITION = (ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8")


def test_the_template_substitutes_exactly_what_the_definition_uses() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION))
    assert properties("PipelineStateMachine")["DefinitionSubstitutions"].keys() == used


def test_the_definition_is_json_after_the_substitution() -> None:
    filled = DEFINITION
    for name, value in properties("PipelineStateMachine")["DefinitionSubstitutions"].items():
        filled = filled.replace(f"${{{name}}}", str(value))
    assert "${" not in json.dumps(json.loads(filled))


def test_the_machine_outlives_the_longest_approval() -> None:
    definition = json.loads(DEFINITION)
    assert definition["TimeoutSeconds"] >= 31 * 86_400


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
