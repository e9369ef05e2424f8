"""TestState and the refusal of definitions, answered by our machine instead of ministack."""

import json
from collections.abc import Mapping
from typing import Any

from local.embedded.definitions import find_problem
from local.embedded.seams.encryption import after_deployment
from local.embedded.seams.executions import json_object
from local.embedded.seams.journey import MinistackExecution
from local.embedded.seams.permissions import refusal
from local.embedded.single_state import Watched, try_state, why_not_testable
from local.embedded.tasks import Integrations

Answer = tuple[int, dict[str, str], bytes]
_ACCOUNT = "us-east-1:000000000000"


def install_definition_checks() -> None:
    """Refuse definitions with unknown resources and fields, in the API and in CloudFormation."""
    from ministack.services import stepfunctions

    original = stepfunctions._validate_definition_jsonata

    def validate(definition: Any) -> str | None:
        return find_problem(json_object(definition)) or original(definition)

    def check(arn: str, _: Mapping[str, Any]) -> None:
        if problem := find_problem(json_object(stepfunctions._state_machines[arn]["definition"])):
            raise ValueError(problem)

    stepfunctions._validate_definition_jsonata = validate
    after_deployment("AWS::StepFunctions::StateMachine", check)


def install_state_tests(integrations: Integrations) -> None:
    """Let TestState run a state in our machine, with the role that it names."""
    from ministack.services import stepfunctions

    original_handle = stepfunctions.handle_request

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Any
    ) -> Any:
        role = json_object(body).get("roleArn")
        if headers.get("x-amz-target", "").endswith(".TestState") and role:
            passed = {"iam:passedtoservice": "states.amazonaws.com"}
            if reason := refusal(headers, "iam:PassRole", role, passed):
                return _error("AccessDeniedException", reason)
        return await original_handle(method, path, headers, body, query_params)

    stepfunctions.handle_request = handle
    stepfunctions._test_state = lambda request: _test(request, integrations)


def _test(request: Mapping[str, Any], integrations: Integrations) -> Answer:
    try:
        definition = json.loads(request["definition"])
        state_input, variables, mock = (_given(request, name) for name in ("input", "variables", "mock"))
        name, state = _chosen(definition, request.get("stateName"))
    except (ValueError, KeyError, TypeError) as failure:
        return _error("InvalidDefinition", f"Invalid definition or input: {failure}")
    if reason := why_not_testable(state, mocked=bool(mock)):
        return _error("InvalidDefinition", reason)
    if state["Type"] == "Task" and not mock and not request.get("roleArn"):
        return _error("ValidationException", "A Task state without a mock needs a roleArn.")
    context = _context(request, definition, name, variables, state_input)
    steps = MinistackExecution({"events": []}, context, {"name": name, "input": state_input}, lambda: True)
    watched = Watched(integrations, mock)
    retries = request.get("stateConfiguration", {}).get("retrierRetryCount", 0)
    answer = try_state(state, state_input, steps, watched, retries)
    if request.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = _inspected(state, state_input, steps, watched.seen)
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer).encode()


def _given(request: Mapping[str, Any], name: str) -> Any:
    value = request.get(name, "{}")
    return json.loads(value) if isinstance(value, str) else value


def _chosen(definition: dict[str, Any], name: str | None) -> tuple[str, dict[str, Any]]:
    """The state to test; a definition is either one state or a machine with states."""
    if "States" not in definition:
        return name or "State", definition
    chosen = name or definition["StartAt"]
    return chosen, definition["States"][chosen]


def _context(
    request: Mapping[str, Any], definition: Mapping[str, Any], name: str, variables: Any, state_input: Any
) -> dict[str, Any]:
    from ministack.services import stepfunctions

    moment = stepfunctions.now_iso()
    execution = {
        "Id": f"arn:aws:states:{_ACCOUNT}:express:test:test",
        "Input": state_input,
        "Name": "test",
        "RoleArn": request.get("roleArn", ""),
        "StartTime": moment,
        "RedriveCount": 0,
    }
    return {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": execution,
        "StateMachine": {"Id": f"arn:aws:states:{_ACCOUNT}:stateMachine:test", "Name": "test"},
        "State": {"Name": name, "EnteredTime": moment, "RetryCount": 0},
        **_given(request, "context"),
        "variables": variables,
    }


def _inspected(
    state: Mapping[str, Any], state_input: Any, steps: MinistackExecution, seen: Mapping[str, Any]
) -> dict[str, str]:
    """The results of the stages of a state's input processing."""
    from ministack.services import stepfunctions as states

    found: dict[str, Any] = {"input": state_input}
    if steps.uses_jsonata(state):
        found |= {"afterArguments": seen.get("arguments"), "variables": steps.context["variables"]}
    else:
        found["afterInputPath"] = states._apply_input_path(state, state_input, steps.context)
        found["afterParameters"] = seen.get("arguments")
    if "result" in seen:
        found["result"] = seen["result"]
        if not steps.uses_jsonata(state):
            selected = states._apply_result_selector(state, seen["result"])
            found["afterResultSelector"] = selected
            found["afterResultPath"] = states._apply_result_path(state, state_input, selected)
    return {stage: json.dumps(value) for stage, value in found.items() if value is not None}


def _error(code: str, message: str) -> Answer:
    body = json.dumps({"__type": code, "message": message}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.0"}, body
