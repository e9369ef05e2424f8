"""The limit on runs a day, as the state `Count run` keeps it in a real table."""

import json
from collections import Counter
from datetime import UTC
from typing import Any

import pytest

from tests.conftest import Aws, eventually
from tests.statemachine.machine import SUBSTITUTIONS, rendered

TABLE = "runs-a-day"
LIMIT = 3
COUNTED = ("Count run", "Too many runs today")


@pytest.fixture(scope="module")
def machine(aws: Aws) -> str:
    """The pipeline's own states from `Count run` on, without the later ones."""
    dynamodb: Any = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    whole = json.loads(rendered({**SUBSTITUTIONS, "TableName": TABLE, "MaxRunsPerDay": str(LIMIT)}))
    states = {name: whole["States"][name] for name in COUNTED} | {"Check upload": {"Type": "Succeed"}}
    limit = whole["States"]["Claim upload"]["Assign"]["maxRunsPerDay"]
    states["Begin"] = {"Type": "Pass", "Assign": {"maxRunsPerDay": limit}, "Next": "Count run"}
    made = aws.client("stepfunctions").create_state_machine(
        name="runs-a-day",
        definition=json.dumps({**whole, "StartAt": "Begin", "States": states}),
        roleArn="arn:aws:iam::000000000000:role/test",
    )
    return str(made["stateMachineArn"])


def test_exactly_as_many_runs_as_the_limit_allows_continue(aws: Aws, machine: str) -> None:
    states: Any = aws.client("stepfunctions")
    runs = [states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3 * LIMIT)]
    ended = [eventually(lambda arn=arn: _ended(states, arn)) for arn in runs]
    assert Counter(end.get("error", "") for end in ended) == {"": LIMIT, "TooManyRuns": 2 * LIMIT}
    began = ended[0]["startDate"]
    (day,) = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    through = {end["name"] for end in ended if "error" not in end}
    assert set(day["executions"]["SS"]) == through
    assert day["pk"]["S"] == f"day#{began.astimezone(UTC):%Y-%m-%d}"
    assert float(day["expires_at"]["N"]) - began.timestamp() == pytest.approx(90 * 86400, abs=2)


def _ended(states: Any, arn: str) -> Any:
    found = states.describe_execution(executionArn=arn)
    return found if found["status"] != "RUNNING" else None
