"""A release to a function: a version of its own, tried, then the alias. Whatever fails, the alias stays where it was."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import TASKS, Answer, Ending, raised
from tests.statemachine.release import OLDEST, PACKAGE, RUN_ID, event, live, release, status_of

FUNCTION = "mpg-pipeline-serve"
ALIAS = "auto-mpg"
MODEL = f"models/{RUN_ID}/model.onnx"
OTHER = {"BUCKET_NAME": "bucket", "RELEASE": "arn:of-another-workload"}
STALE = TaskError("Lambda.PreconditionFailedException", "The RevisionId provided does not match")
BUSY = TaskError("Lambda.ResourceConflictException", "An update is in progress")
NO_ALIAS = TaskError("Lambda.ResourceNotFoundException", "Alias not found")
REFUSED = TaskError("Lambda.LambdaException", "no")


def function(variables: Mapping[str, str] = OTHER, status: str = "Successful", **more: Any) -> dict[str, Any]:
    return {
        "RevisionId": "revision",
        "State": "Active",
        "LastUpdateStatus": status,
        "Environment": {"Variables": dict(variables)},
        **more,
    }


def configured(status: str = "Successful", **more: Any) -> Answer:
    """The function as this execution has configured it."""

    def answer(_: Any) -> dict[str, Any]:
        asked = [call for call in TASKS.calls if call.state == "Configure function"][-1]
        return function(asked.arguments["Environment"]["Variables"], status, **more)

    return answer


NEW: Mapping[str, Answer] = {
    "Check artifact": {"Payload": {"has_smoke_test": True, "onnx_digest": "sha256:5", "warnings": []}},
    "Read function": [function(), configured()],
    "Configure function": function(status="InProgress"),
    "Publish version": {"Version": "8", "State": "Pending"},
    "Read version": function(),
    "Find alias": NO_ALIAS,
    "Create alias": {},
    "Answer a tenth": {},
    "Count errors": {"Datapoints": []},
    "Answer everything": {},
    "Restore alias": {},
    "Delete new version": {},
    "Delete old version": {},
}
LIVE = live(endpoint_type="function", endpoint_name=f"{FUNCTION}:{ALIAS}", config_name=f"{FUNCTION}:7")
LATER: Mapping[str, Answer] = {"Read live model": LIVE, "Find alias": {"FunctionVersion": "7"}}


def deploy(
    answers: Mapping[str, Answer] | None = None,
    started_by: Mapping[str, Any] | None = None,
    **substitutions: str,
) -> Ending:
    """A release with these answers instead of those of a successful first one."""
    settings = {"EndpointType": "function", "CanarySeconds": "0", **substitutions}
    return release({**NEW, **(answers or {})}, substitutions=settings, started_by=started_by)


def alias_is_as_before(ending: Ending) -> bool:
    """Whether the release failed, the new version is gone and nothing was marked as live."""
    return (
        ending.error == "ReleaseFailed"
        and "Mark live" not in ending.states
        and "Answer everything" not in ending.states
        and ending.arguments("Delete new version") == {"FunctionName": FUNCTION, "Qualifier": "8"}
    )


def test_the_first_model_gets_a_version_and_the_workloads_alias() -> None:
    ending = deploy()
    variables = ending.arguments("Configure function")["Environment"]["Variables"]
    assert {name: variables[name] for name in ("BUCKET_NAME", "WORKLOAD", "MODEL_KEY", "MODEL_DIGEST")} == {
        "BUCKET_NAME": "bucket",
        "WORKLOAD": "auto_mpg",
        "MODEL_KEY": MODEL,
        "MODEL_DIGEST": "sha256:5",
    }
    assert ending.arguments("Smoke test")["Payload"]["endpoint_name"] == f"{FUNCTION}:8"
    assert ending.arguments("Create alias") == {
        "FunctionName": FUNCTION,
        "Name": ALIAS,
        "FunctionVersion": "8",
    }
    item = {name: value.get("S") for name, value in ending.arguments("Mark live")["Item"].items()}
    assert (item["endpoint_type"], item["endpoint_name"]) == ("function", f"{FUNCTION}:{ALIAS}")
    assert (item["config_name"], item["model_name"]) == (f"{FUNCTION}:8", MODEL)
    assert {"Create model", "Answer a tenth", "Delete old version"}.isdisjoint(ending.states)
    assert status_of(ending) == ("live", "")


def test_a_later_model_answers_a_tenth_before_it_answers_everything() -> None:
    ending = deploy(LATER)
    assert ending.arguments("Answer a tenth") == {
        "FunctionName": FUNCTION,
        "Name": ALIAS,
        "FunctionVersion": "7",
        "RoutingConfig": {"AdditionalVersionWeights": {"8": 0.1}},
    }
    assert {each["Value"] for each in ending.arguments("Count errors")["Dimensions"]} == {
        FUNCTION,
        f"{FUNCTION}:{ALIAS}",
        "8",
    }
    assert ending.arguments("Answer everything") == {
        "FunctionName": FUNCTION,
        "Name": ALIAS,
        "FunctionVersion": "8",
        "RoutingConfig": {"AdditionalVersionWeights": {}},
    }
    assert ending.output["outcome"] == "live"
    assert "Delete old version" not in ending.states


def test_a_rollback_answers_everything_at_once() -> None:
    ending = deploy(LATER, started_by=event("rollback"))
    assert "Answer a tenth" not in ending.states
    assert ending.arguments("Answer everything")["FunctionVersion"] == "8"
    assert ending.output["outcome"] == "live"
    failed = deploy({**LATER, "Answer everything": REFUSED}, started_by=event("rollback"))
    assert failed.arguments("Restore alias")["FunctionVersion"] == "7"


def test_only_the_version_before_the_one_before_is_deleted_never_the_function() -> None:
    before = live(OLDEST, endpoint_type="function", config_name=f"{FUNCTION}:6")
    item = {"Item": {**LIVE["Item"], "previous": {"M": before["Item"]}}}
    ending = deploy({**LATER, "Read live model": item})
    assert ending.arguments("Delete old version") == {"FunctionName": FUNCTION, "Qualifier": "6"}


def test_an_endpoint_of_before_keeps_its_configuration() -> None:
    item = {"Item": {**live()["Item"], "previous": {"M": live(OLDEST)["Item"]}}}
    assert "Delete old configuration" not in deploy({"Read live model": item}).states


def test_a_workload_without_onnx_is_not_released_and_says_why() -> None:
    ending = deploy(
        {"Check artifact": {"Payload": {"has_smoke_test": True, "onnx_digest": "", "warnings": []}}}
    )
    status, why = status_of(ending)
    assert status == "not_released"
    assert "ONNX" in why
    assert "auto_mpg" in why
    assert {"Read function", "Create model"}.isdisjoint(ending.states)


@pytest.mark.parametrize("fault", [STALE, BUSY])
@pytest.mark.parametrize("state", ["Configure function", "Publish version"])
def test_when_another_release_was_faster_the_function_is_configured_anew(
    state: str, fault: TaskError
) -> None:
    ready = NEW[state]
    ending = deploy({state: [fault, ready], "Read function": [function(), function(), configured()]})
    if state == "Configure function":
        assert ending.states.count("Configure function") == 2
    assert ending.output["outcome"] == "live"
    assert sum(call.state == "Publish version" for call in ending.calls) == (
        1 if state == "Configure function" else 2
    )


def test_an_update_in_progress_is_waited_for() -> None:
    ending = deploy(
        {"Read function": [function(status="InProgress"), function(), configured("InProgress"), configured()]}
    )
    assert ending.states.count("Wait for function") == 3
    assert ending.output["outcome"] == "live"


def test_a_failed_update_has_its_reason() -> None:
    ending = deploy({"Read function": [function(), configured("Failed", LastUpdateStatusReason="too large")]})
    assert (ending.error, ending.cause) == (
        "ReleaseFailed",
        "The function could not be given the model: too large",
    )
    assert {"Publish version", "Delete new version"}.isdisjoint(ending.states)


def test_a_function_that_is_changed_all_the_time_ends_the_release() -> None:
    ending = deploy({"Read function": function(status="InProgress")}, EndpointTimeoutSeconds="0.2")
    assert "all the time" in str(ending.cause)


def test_a_version_that_never_becomes_active_is_deleted() -> None:
    ending = deploy({**LATER, "Read version": function(State="Failed", StateReason="no memory")})
    assert alias_is_as_before(ending)
    assert ending.cause == "The new version of the function is Failed: no memory"
    assert "Restore alias" not in ending.states


def test_a_failed_smoke_test_deletes_the_version_and_leaves_the_alias() -> None:
    smoke = raised("SmokeTestFailed", "Row 3 of the smoke test: the endpoint answered otherwise.")
    ending = deploy({**LATER, "Smoke test": smoke})
    assert alias_is_as_before(ending)
    assert "Answer a tenth" not in ending.states
    assert str(ending.cause).startswith("Row 3")


def test_errors_of_a_tenth_of_the_requests_set_the_alias_back() -> None:
    ending = deploy({**LATER, "Count errors": {"Datapoints": [{"Sum": 2.0}, {"Sum": 1.0}]}})
    assert alias_is_as_before(ending)
    assert ending.cause == "The new version answered one request in ten, and failed 3 times."
    assert ending.arguments("Restore alias") == {
        "FunctionName": FUNCTION,
        "Name": ALIAS,
        "FunctionVersion": "7",
        "RoutingConfig": {"AdditionalVersionWeights": {}},
    }


@pytest.mark.parametrize("state", ["Answer a tenth", "Count errors", "Answer everything"])
def test_an_error_while_the_alias_changes_sets_it_back(state: str) -> None:
    ending = deploy({**LATER, state: REFUSED})
    assert ending.error == "ReleaseFailed"
    assert ending.arguments("Restore alias")["FunctionVersion"] == "7"
    assert "Delete new version" in ending.states
    assert "Mark live" not in ending.states


def test_an_alias_that_cannot_be_set_back_keeps_the_version_and_is_said_so() -> None:
    ending = deploy({**LATER, "Count errors": REFUSED, "Restore alias": REFUSED})
    assert "could not be set back" in str(ending.cause)
    assert "Delete new version" not in ending.states


@pytest.mark.parametrize("state", ["Read function", "Configure function", "Publish version"])
def test_an_error_before_the_version_only_ends_the_release(state: str) -> None:
    ending = deploy({**LATER, state: REFUSED})
    assert ending.cause == f"{state}: Lambda.LambdaException no"
    assert {"Delete new version", "Restore alias", "Mark live"}.isdisjoint(ending.states)


@pytest.mark.parametrize("state", ["Read version", "Find alias", "Create alias"])
def test_an_error_after_the_version_deletes_it(state: str) -> None:
    answers = {state: REFUSED} if state != "Find alias" else {**LATER, state: REFUSED}
    assert alias_is_as_before(deploy(answers))


def test_an_alias_that_was_created_although_the_answer_was_lost_is_live() -> None:
    ending = deploy({"Find alias": [NO_ALIAS, {"FunctionVersion": "8"}], "Create alias": BUSY})
    assert ending.output["outcome"] == "live"
    assert "Answer a tenth" not in ending.states


@pytest.mark.parametrize("state", ["Delete new version", "Delete old version"])
def test_a_version_that_cannot_be_deleted_changes_nothing_else(state: str) -> None:
    before = live(PACKAGE, endpoint_type="function", config_name=f"{FUNCTION}:6")
    failing: dict[str, Answer] = {"Count errors": REFUSED} if state == "Delete new version" else {}
    item = {"Item": {**LIVE["Item"], "previous": {"M": before["Item"]}}}
    ending = deploy({**LATER, "Read live model": item, **failing, state: REFUSED})
    assert status_of(ending)[0] == ("failed" if failing else "live")
