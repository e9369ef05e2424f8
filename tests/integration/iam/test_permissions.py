"""Each statement of each role is needed: without it, a call of the pipeline is refused.

The pipeline runs once with the emulator's IAM enforced, through all that it can do. What its policies were
asked is then asked again of the same evaluator, with one statement taken out, and of the running server by
requests that are signed with the role's credentials. What no run on the emulator can show is a line of the table
in docs/iam.md, with the page of AWS that asks for it.
"""

import pytest

from tests.faults.pipeline import Pipeline
from tests.integration.iam.live import Live
from tests.integration.iam.policies import (
    FUNCTIONS,
    JOBS,
    Asked,
    Granted,
    Unseen,
    actions_of,
    parsed,
    sharing,
    statements,
    unseen,
)
from tests.unit.template.iam import ROLES_OF_SAGEMAKER

# The first test waits until the pipeline has done all that it can do.
pytestmark = pytest.mark.timeout(1200)


def _unseen_in(role: str, sid: str) -> set[str]:
    """The actions of a statement that, according to the table, nobody here sees."""
    fitting = [line for line in unseen() if line.statement == sid and line.role in (role, _group_of(role))]
    return set().union(*(line.actions for line in fitting))


def _group_of(role: str) -> str:
    """The table's name for all roles of this kind."""
    if role in ROLES_OF_SAGEMAKER:
        return JOBS
    of_their_own = (
        *("StateMachineRole", "ReleaseStateMachineRole", "MonitorStateMachineRole"),
        *("UploadRuleRole", "ReleaseRuleRole", "ScheduleRole"),
    )
    return "" if role in of_their_own else FUNCTIONS


def _questions_to(used: Pipeline, asked: list[Asked], role: str) -> list[Asked]:
    return [question for question in asked if question.role == used.stack[role] and question.by == "identity"]


def test_the_pipeline_did_everything_with_the_rights_of_its_roles(asked: list[Asked]) -> None:
    assert [question for question in asked if not question.allowed] == []
    assert len({question.role for question in asked if question.by == "identity"}) > 8


@pytest.mark.parametrize("name", statements())
def test_without_a_statement_a_call_is_refused(
    name: str, used: Pipeline, asked: list[Asked], granted: Granted, live: Live
) -> None:
    role, sid = statements()[name]
    all_of_them = granted(role)
    questions = _questions_to(used, asked, role)
    whole = parsed([*all_of_them.values()])
    assert all(question.is_answered(whole) for question in questions)
    rest = parsed([statement for own, statement in all_of_them.items() if own != sid])
    refused = [question for question in questions if not question.is_answered(rest)]
    explained = _unseen_in(role, sid) == actions_of(all_of_them[sid])
    assert refused or explained, "no call needs it, and docs/iam.md has no line for it: take it out"
    requests = [question for question in refused if live.can_ask(question)]
    if not requests:
        return
    with live.without(used.stack[role], sid):
        assert [question for question in requests if not live.refuses(question)] == []
    assert [question for question in requests if live.refuses(question)] == []


@pytest.mark.parametrize("name", statements())
def test_every_action_is_used_or_explained(
    name: str, used: Pipeline, asked: list[Asked], granted: Granted
) -> None:
    role, sid = statements()[name]
    statement = granted(role)[sid]
    policy = parsed([statement])
    needed = {
        question.action
        for each in sharing(role, sid)
        for question in _questions_to(used, asked, each)
        if question.is_answered(policy)
    }
    assert actions_of(statement) - needed == _unseen_in(role, sid)


def test_every_line_of_the_table_is_about_an_existing_statement() -> None:
    def is_there(line: Unseen) -> bool:
        return any(
            line.statement == sid and line.role in (role, _group_of(role))
            for role, sid in statements().values()
        )

    assert [line for line in unseen() if not is_there(line)] == []
    assert [
        line for line in unseen() if not line.why or "https://docs.aws.amazon.com/" not in line.page
    ] == []


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("StateMachineRole", "states.amazonaws.com"),
        ("ReleaseStateMachineRole", "states.amazonaws.com"),
        ("MonitorStateMachineRole", "states.amazonaws.com"),
        ("ScheduleRole", "scheduler.amazonaws.com"),
        *((role, "sagemaker.amazonaws.com") for role in ROLES_OF_SAGEMAKER),
        ("UploadRuleRole", "events.amazonaws.com"),
        ("CheckUploadRole", "lambda.amazonaws.com"),
        ("ReviewRole", "lambda.amazonaws.com"),
    ],
)
def test_only_its_own_service_acts_as_a_role(
    role: str, service: str, used: Pipeline, asked: list[Asked]
) -> None:
    arn = used.client("iam").get_role(RoleName=used.stack[role])["Role"]["Arn"]
    trusted = {
        question.principal for question in asked if question.by == "trust" and question.resource == arn
    }
    assert trusted == {service}
