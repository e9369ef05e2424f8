"""Policies as the emulator's own evaluator reads them, with at most one statement removed."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, cast

from ministack.core import iam_evaluator

from tests.conftest import ROOT
from tests.unit.template import iam as template_iam
from tests.unit.template import stack

DOCUMENT = ROOT / "docs" / "iam.md"
FUNCTIONS = "every function's role"
JOBS = "every job's role"
# With this type of endpoint, the template has every statement that it has with another one, and some more.
FUNCTION = "function"
LEADING_KEYS = "dynamodb:leadingkeys"
# The id of a run, and of a tuning job of it; the UUIDs in the names of executions, while that of a key is no name;
# digests in names; and the numbers of uploads, attempts, trials and versions.
_ONE_OF_MANY = re.compile(
    r"(?<=mpg-)\d{8}-\d{4}-[0-9a-f]{8}(-[0-9a-z]{3}\b)?"
    r"|(?<!key/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{8}\b"
    r"|\bv?\d{1,4}\b"
)

# By Sid, or by the policy's name where there is none.
Statements = dict[str, dict[str, Any]]
Granted = Callable[[str], Statements]


@dataclass(frozen=True)
class Asked:
    """A policy question that came up while the pipeline ran, and the answer."""

    role: str
    principal: str
    action: str
    resource: str
    allowed: bool
    by: str
    context: Mapping[str, Any] = field(hash=False)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Asked":
        found = {name: entry[name] for name in cls.__dataclass_fields__}
        # Of an item's key, policies know only the kind of item: one question stands for all of a kind.
        keys = {f"{key.partition('#')[0]}#" for key in entry["context"].get(LEADING_KEYS, ())}
        return cls(
            **{**found, "context": {**entry["context"], **({LEADING_KEYS: sorted(keys)} if keys else {})}}
        )

    @property
    def kind(self) -> str:
        """The same for questions that differ only in the run or the execution that they are about."""
        return _ONE_OF_MANY.sub("", json.dumps(asdict(self), sort_keys=True))

    def is_answered(self, policy: list[iam_evaluator.ParsedStatement]) -> bool:
        """Whether this policy of the asking role allows it."""
        return bool(iam_evaluator.evaluate(self._context, [policy]).decision == "Allow")

    def is_let_in(self, statements: list[dict[str, Any]]) -> bool:
        """Whether these statements of the resource's own policy allow the caller."""
        document = {"Version": "2012-10-17", "Statement": statements}
        service = None if self.by == "identity" else self.principal
        result = iam_evaluator.evaluate_resource_policy(document, self._context, service)
        return bool(result.decision == "Allow")

    @property
    def _context(self) -> Any:
        return iam_evaluator.EvalContext(
            principal_arn=self.principal if self.by == "identity" else "*",
            principal_type="AssumedRole" if self.by == "identity" else "Service",
            principal_account="000000000000",
            action=self.action,
            resource_arn=self.resource,
            region="us-east-1",
            service_context=dict(self.context),
        )


def parsed(statements: list[dict[str, Any]]) -> list[iam_evaluator.ParsedStatement]:
    """A policy of these statements, for `is_answered`."""
    document = {"Version": "2012-10-17", "Statement": statements}
    return cast(list[iam_evaluator.ParsedStatement], iam_evaluator.parse_policy_document(document))


@dataclass(frozen=True)
class Unseen:
    """A line of the table in docs/iam.md: what no test can see, and the AWS page that requires it."""

    role: str
    statement: str
    actions: frozenset[str]
    why: str
    page: str


def unseen() -> list[Unseen]:
    lines = (
        DOCUMENT.read_text(encoding="utf-8").partition("\n## What the emulator does not see")[2].splitlines()
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert cells[0] == ["role", "statement", "actions", "why it is there", "AWS page"]
    return [
        Unseen(role, statement, frozenset(actions.replace("`", "").split(", ")), why, page)
        for role, statement, actions, why, page in cells[1:]
    ]


@cache
def statements() -> dict[str, tuple[str, str]]:
    """Role and Sid of every statement in the template's policies of roles, by a name for it."""
    found = {}
    for role in stack.of_type("AWS::IAM::Role", stack.KEY, FUNCTION):
        for policy in template_iam.policies(role, stack.KEY, FUNCTION):
            for statement in policy["PolicyDocument"]["Statement"]:
                sid = statement.get("Sid") or policy["PolicyName"]
                found[f"{role}-{sid}"] = (role, sid)
    return found


def actions_of(statement: Mapping[str, Any]) -> set[str]:
    actions = statement["Action"]
    return {actions} if isinstance(actions, str) else set(cast(list[str], actions))


def deployed(iam: Any, role: str) -> Statements:
    """The statements of a deployed role's policies."""
    found = {}
    for name, document in own_policies(iam, role).items():
        for statement in document["Statement"]:
            found[statement.get("Sid", name)] = statement
    for document in managed_policies(iam, role).values():
        found |= {statement["Sid"]: statement for statement in document["Statement"]}
    return found


def own_policies(iam: Any, role: str) -> dict[str, dict[str, Any]]:
    """The documents of a deployed role's own policies, by name."""
    found = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        found[name] = json.loads(document) if isinstance(document, str) else document
    return found


def managed_policies(iam: Any, role: str) -> dict[str, dict[str, Any]]:
    """The documents of the managed policies that are attached to a deployed role, by ARN."""
    found = {}
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        found[arn] = json.loads(document) if isinstance(document, str) else document
    return found


def sharing(role: str, sid: str) -> list[str]:
    """The roles whose calls, taken together, must need all of a statement: the role itself, as a rule.

    All functions share one statement about the key. It grants nothing where no other statement of a role does.
    """
    functions = [
        name
        for name in stack.of_type("AWS::IAM::Role", endpoint_type=FUNCTION)
        if "FunctionPolicy" in template_iam.managed_policies(name, FUNCTION)
    ]
    return functions if sid == "UseKey" and role in functions else [role]
