"""As much of IAM's policy evaluation as the template uses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.unit.template.stack import aws_arn, of_type, physical_id, properties

ROLES_OF_JOBS = ("PreprocessingRole", "TrainingRole", "EvaluationRole", "ModelRole")
# SageMaker acts as these.
ROLES_OF_SAGEMAKER = (*ROLES_OF_JOBS, "MonitoringRole", "ServingRole")


def statements(role: str, key: str = "") -> list[dict[str, Any]]:
    """All statements of a role's policies, with this KmsKeyArn."""
    return [
        statement for policy in policies(role, key) for statement in policy["PolicyDocument"]["Statement"]
    ]


def policies(role: str, key: str = "", endpoint_type: str = "serverless") -> list[dict[str, Any]]:
    """A role's policies: its own inline ones, and the managed ones that it shares with others."""
    managed = [properties(name, key) for name in managed_policies(role, endpoint_type)]
    return [*properties(role, key, endpoint_type).get("Policies", []), *managed]


def managed_policies(role: str, endpoint_type: str = "serverless") -> list[str]:
    """The logical ids of the managed policies that are attached to a role."""
    attached = properties(role, endpoint_type=endpoint_type).get("ManagedPolicyArns", [])
    names = {aws_arn("iam", f"policy/{physical_id(name)}", region=""): name for name in shared_policies()}
    return [names[arn] for arn in attached]


def shared_policies() -> set[str]:
    """The logical ids of all managed policies."""
    return set(of_type("AWS::IAM::ManagedPolicy"))


def actions(role: str, key: str = "") -> set[str]:
    """All actions that a role's statements name."""
    return {action for statement in statements(role, key) for action in as_list(statement["Action"])}


def roles() -> set[str]:
    """The logical ids of all roles."""
    return set(of_type("AWS::IAM::Role"))


def allows(
    policy: list[dict[str, Any]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Whether the statements allow it: an Allow matches and no Deny does."""
    fitting = [s["Effect"] for s in policy if _fits(s, action, resource, context or {})]
    return "Allow" in fitting and "Deny" not in fitting


def denies(policy: list[dict[str, Any]], action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether some Deny matches."""
    return any(s["Effect"] == "Deny" and _fits(s, action, resource, context) for s in policy)


def as_list(value: Any) -> list[Any]:
    """IAM accepts one value or a list almost everywhere."""
    return value if isinstance(value, list) else [value]


def _fits(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        any(matches(pattern, action, ignore_case=True) for pattern in as_list(statement["Action"]))
        and any(matches(pattern, resource) for pattern in as_list(statement["Resource"]))
        and all(_holds(*condition, context) for condition in _conditions(statement))
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, tests in statement.get("Condition", {}).items():
        for key, values in tests.items():
            yield operator, key, as_list(values)


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    given = context.get(key)
    # Without the key, a condition about all of its values holds.
    every_value = operator.startswith("ForAllValues:")
    if given is None:
        return every_value
    operator = operator.removeprefix("ForAllValues:")
    match operator:
        case "StringEquals" | "Bool":
            return given in values
        case "StringLike" | "ArnEquals" | "ArnLike" | "ForAllValues:StringLike":
            return any(matches(value, given) for value in values)
    raise NotImplementedError(operator)


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """IAM's wildcards: * for any run of characters, ? for one."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL | re.IGNORECASE * ignore_case) is not None
