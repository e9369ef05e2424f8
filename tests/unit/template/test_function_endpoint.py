"""With EndpointType=function: who may do what to the function, and nothing of it with another type."""

import json
from typing import Any

import pytest

from tests.unit.template.iam import allows, as_list
from tests.unit.template.stack import ROOT, STACK, aws_arn, stack
from tests.unit.template.stack import _nested as nested

FUNCTION = aws_arn("lambda", f"function:{STACK}-serve")
DEFINITION = json.loads((ROOT / "statemachine" / "release.asl.json").read_text(encoding="utf-8"))
PREFIX = "arn:aws:states:::aws-sdk:lambda:"
# What is asked with a qualifier needs permission on the version.
QUALIFIED = {
    name for name, state in DEFINITION["States"].items() if "Qualifier" in str(state.get("Arguments"))
}
CALLS = sorted(
    (name, state["Resource"].removeprefix(PREFIX))
    for name, state in DEFINITION["States"].items()
    if state.get("Resource", "").startswith(PREFIX)
)


def evaluated(template: str, **parameters: str) -> dict[str, Any]:
    """The resources of the stack of releases, or of its nested one, with these parameters."""
    release = stack()["Release"]["Properties"]["Parameters"] | parameters
    found = nested(TemplateURL="stacks/release.yaml", Parameters=release)
    if template == "serving":
        serving = found.evaluate(found.resources["Serving"])["Properties"]["Parameters"]
        found = nested(TemplateURL="stacks/serving.yaml", Parameters=serving)
    return {name: found.evaluate(each) for name, each in found.resources.items() if found.exists(each)}


def statements(role: str, template: str = "release", kind: str = "function") -> list[dict[str, Any]]:
    policies = evaluated(template, EndpointType=kind)[role]["Properties"]["Policies"]
    return [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]


@pytest.mark.parametrize(("state", "action"), CALLS)
def test_the_state_machine_may_make_each_of_its_calls(state: str, action: str) -> None:
    name = f"lambda:{action[0].upper()}{action[1:]}"
    resource = f"{FUNCTION}:8" if state in QUALIFIED else FUNCTION
    assert allows(statements("ReleaseStateMachineRole"), name, resource)
    assert not allows(statements("ReleaseStateMachineRole"), name, f"{FUNCTION}-other")
    assert not allows(statements("ReleaseStateMachineRole", kind="serverless"), name, resource)


def test_it_may_do_nothing_else_to_functions_and_never_delete_one() -> None:
    granted = {
        action
        for statement in statements("ReleaseStateMachineRole")
        for action in as_list(statement["Action"])
        if action.startswith("lambda:")
    }
    called = {f"lambda:{action[0].upper()}{action[1:]}" for _, action in CALLS}
    assert granted == called | {"lambda:InvokeFunction"}
    assert not allows(statements("ReleaseStateMachineRole"), "lambda:DeleteFunction", FUNCTION)


def test_the_smoke_test_may_call_versions_only_where_a_function_answers() -> None:
    assert allows(statements("SmokeTestRole"), "lambda:InvokeFunction", f"{FUNCTION}:8")
    assert not allows(statements("SmokeTestRole"), "lambda:InvokeFunction", f"{FUNCTION}-other:8")
    assert not allows(
        statements("SmokeTestRole", kind="serverless"), "lambda:InvokeFunction", f"{FUNCTION}:8"
    )


def test_the_function_reads_models_as_onnx_and_nothing_else() -> None:
    role = statements("ServeRole", "serving")
    assert {action for each in role for action in as_list(each["Action"]) if action[:4] != "logs"} == {
        "s3:GetObject"
    }
    [read] = [each for each in role if each["Action"] == "s3:GetObject"]
    assert str(read["Resource"]).endswith("/models/*/model.onnx")


def test_without_the_type_there_is_no_function() -> None:
    assert "Serving" in evaluated("release", EndpointType="function")
    assert "Serving" not in evaluated("release", EndpointType="serverless")
