"""Problems of the pipeline itself raise an alarm, normal results do not, and alarms reach somebody."""

import ast
import json
import re
from typing import Any

import pytest

from tests.unit.template import code, iam
from tests.unit.template.stack import ROOT, STACK, Evaluator, aws_arn, of_type, properties, template

ALARMS = of_type("AWS::CloudWatch::Alarm")
TOPIC = "arn:aws:sns:us-east-1:111122223333:mpg-test-AlarmTopic-X1"
DASHBOARDS = [json.loads(found["DashboardBody"]) for found in of_type("AWS::CloudWatch::Dashboard").values()]
WIDGETS: list[dict[str, Any]] = [widget for dashboard in DASHBOARDS for widget in dashboard["widgets"]]


def measured() -> set[str]:
    """The metrics that the functions emit, as far as their names are in the code."""
    found = set[str]()
    for path in code.FUNCTIONS.rglob("*.py"):
        for node in code.nodes_of(path):
            match node:
                case ast.Call(func=ast.Name(id="count" | "measure"), args=[name, *_]):
                    found |= texts(name)
                case ast.Assign(targets=[ast.Name(id="_METRICS")], value=ast.Dict(values=values)):
                    found = found.union(*map(texts, values))
    return found


def texts(node: ast.AST) -> set[str]:
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


def own_metrics_shown() -> set[str]:
    return {
        row[1]
        for widget in WIDGETS
        for row in widget["properties"].get("metrics", [])
        if row[0] == "MpgPipeline"
    }


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_reaches_the_topic_for_alarms(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [TOPIC]


def test_cloudwatch_can_publish_there() -> None:
    assert "KmsMasterKeyId" not in properties("AlarmTopic")


def test_nobody_is_subscribed_unless_an_address_was_given() -> None:
    observability = template(ROOT / "stacks" / "observability.yaml")
    assert observability["Resources"]["AlarmSubscription"]["Condition"] == "MailsAlarms"
    evaluator = Evaluator(observability["Resources"], {"AlarmEmail": ""}, observability)
    assert not evaluator.evaluate(observability["Conditions"]["MailsAlarms"])
    assert template()["Parameters"]["AlarmEmail"]["Default"] == ""


@pytest.mark.parametrize("name", [n for n, alarm in ALARMS.items() if alarm["Namespace"] == "MpgPipeline"])
def test_an_alarm_uses_a_metric_that_the_functions_emit_for_this_stack(name: str) -> None:
    assert ALARMS[name]["MetricName"] in measured()
    assert ALARMS[name]["Dimensions"] == [{"Name": "service", "Value": STACK}]
    services = {
        properties(function)["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in of_type("AWS::Lambda::Function")
    }
    assert services == {STACK}


def test_the_dashboard_shows_metrics_that_the_functions_emit() -> None:
    assert own_metrics_shown() <= measured()


def searched() -> set[tuple[str, frozenset[str]]]:
    """The metrics for which the dashboards search in our namespace, with their dimensions."""
    rows = [row for widget in WIDGETS for row in widget["properties"].get("metrics", [])]
    searches = "".join(row[0]["expression"] for row in rows if isinstance(row[0], dict))
    found = re.findall(r"""SEARCH\('{MpgPipeline,([^}]+)} MetricName="(\w+)""", searches)
    return {(name, frozenset(dimensions.split(","))) for dimensions, name in found}


def measured_apart() -> set[tuple[str, frozenset[str]]]:
    """The metrics that the functions emit with dimensions of their own, with these and the service."""
    calls = [
        node
        for path in code.FUNCTIONS.rglob("*.py")
        for node in code.nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "measure_apart"
    ]
    return {
        (name, frozenset({"service", *(str(keyword.arg) for keyword in call.keywords)}))
        for call in calls
        for name in texts(call.args[0])
    }


def test_the_dashboard_searches_for_metrics_by_the_dimensions_that_the_functions_give_them() -> None:
    assert {name for name, _ in searched()} == {"GateMetric", "CostUSD", "RowsMonitored"}
    assert searched() <= measured_apart()


def test_the_dashboard_shows_the_outcome_of_every_run() -> None:
    outcomes = {
        "RunApproved", "RunRejected", "RunExpired", "RunRefused", "RunOverLimit", "RunBelowThreshold", "RunStopped", "PipelineFailed",
    }  # fmt: skip
    assert outcomes <= own_metrics_shown()


def test_the_dashboard_shows_every_alarm_and_every_functions_errors() -> None:
    shown = [alarm for w in WIDGETS if w["type"] == "alarm" for alarm in w["properties"]["alarms"]]
    assert len(shown) == len(ALARMS) == len(set(shown))
    rows = [row for w in WIDGETS for row in w["properties"].get("metrics", [])]
    shown_functions = {row[3] for row in rows if row[:2] == ["AWS/Lambda", "Errors"]}
    ours = {f"mpg-test-{name}-X1" for name in of_type("AWS::Lambda::Function")}
    assert shown_functions == ours - {"mpg-test-PublishCodeFunction-X1"}


def test_every_dead_letter_queue_has_an_alarm() -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]
        for alarm in ALARMS.values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert watched == {f"mpg-test-{name}-X1" for name in of_type("AWS::SQS::Queue")}


def test_an_upload_whose_event_could_not_even_be_kept_raises_an_alarm() -> None:
    alarm = ALARMS["UploadsLostAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Events", "InvocationsFailedToBeSentToDlq")
    # The metric of a rule on another bus also has that bus as a dimension.
    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": "mpg-test-UploadRule-X1"}]
    assert "EventBusName" not in properties("UploadRule")
    # There is no such metric until an event is lost.
    assert (alarm["Statistic"], alarm["Threshold"], alarm["TreatMissingData"]) == ("Sum", 0, "notBreaching")


def test_more_runs_an_hour_than_the_parameter_says_raise_an_alarm() -> None:
    alarm = ALARMS["ManyRunsAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/States", "ExecutionsStarted")
    assert alarm["Dimensions"] == [
        {"Name": "StateMachineArn", "Value": aws_arn("states", f"stateMachine:{STACK}")}
    ]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Sum", 3600, 20)


def test_no_alarm_counts_failed_executions_because_refused_files_and_weak_models_are_among_them() -> None:
    assert {alarm["MetricName"] for alarm in ALARMS.values()}.isdisjoint(
        {"ExecutionsFailed", "RunRefused", "RunBelowThreshold", "RunStopped", "UploadRefused"}
    )


def test_errors_of_the_function_that_refuses_files_raise_no_alarm() -> None:
    # A refusal is an exception, so Lambda counts it as an error.
    on_errors = {
        alarm["Dimensions"][0]["Value"] for alarm in ALARMS.values() if alarm["MetricName"] == "Errors"
    }
    assert "mpg-test-CheckUploadFunction-X1" not in on_errors
    assert len(on_errors) == 5


def test_the_alarm_about_missing_sweeps_treats_missing_data_as_breaching() -> None:
    alarm = ALARMS["SweepMissingAlarm"]
    assert alarm["TreatMissingData"] == "breaching"
    longest = template()["Parameters"]["SweepEveryMinutes"]["MaxValue"] * 60
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 2 * longest


@pytest.mark.parametrize("name", ALARMS)
def test_the_runbook_has_an_entry_for_every_alarm(name: str) -> None:
    short = ALARMS[name]["AlarmName"].removeprefix(f"{STACK}-")
    assert f'"{short}" in docs/operations.md' in ALARMS[name]["AlarmDescription"]
    runbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert re.search(rf"^### {short}$", runbook, re.MULTILINE)


def test_only_a_release_sets_alarms_of_its_own() -> None:
    setters = {role for role in iam.roles() if "cloudwatch:PutMetricAlarm" in iam.actions(role)}
    assert setters == {"ReleaseStateMachineRole"}
