"""Whatever fails while a retraining is asked for: it starts once, and whoever asks next makes up for it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import eventually
from tests.faults.calls import Call
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

# A workload of which no run is open here. The upload is refused at once: that a run starts is the point.
WORKLOAD = "digits"
KEY = f"incoming/{WORKLOAD}/retrained.parquet"
SCHEDULED = {"workload": WORKLOAD, "reason": "schedule"}
ITEM = f"retrain#{WORKLOAD}"
CALLS = [
    Call("states:ListExecutions"),
    Call("dynamodb:BatchGetItem", f"accepted#{WORKLOAD}"),
    Call("s3:ListObjectVersions"),
    Call("dynamodb:PutItem", ITEM),
    Call("states:StartExecution"),
    Call("dynamodb:UpdateItem", ITEM),
]


class Retrainings:
    """The retrainings of a workload since the table forgot the last one."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._before = self._all()

    @property
    def started(self) -> list[str]:
        """Their names."""
        return sorted(self._all() - self._before)

    def ask(self) -> dict[str, Any]:
        """Ask as the schedule does; the answer."""
        return dict(json.loads(self.pipeline.invoke("RetrainFunction", SCHEDULED)))

    def forget(self) -> None:
        """Wait until all have ended, and let the last one be long ago."""
        eventually(lambda: not self._all("RUNNING"), RUN_SECONDS)
        self.pipeline.client("dynamodb").delete_item(
            TableName=self.pipeline.stack["TableName"], Key={"pk": {"S": ITEM}}
        )

    def _all(self, status: str = "") -> set[str]:
        pages = (
            self.pipeline.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(
                stateMachineArn=self.pipeline.stack["StateMachineArn"],
                **({"statusFilter": status} if status else {}),
            )
        )
        names = [execution["name"] for page in pages for execution in page["executions"]]
        return {name for name in names if name.startswith(f"retrain-{WORKLOAD}-")}


@pytest.fixture(scope="module")
def accepted(deployed: Pipeline) -> None:
    """An upload that led to a model once, as the state machine notes it."""
    content, bucket = b"nothing that can be used", deployed.stack["BucketName"]
    with deployed.withheld("UploadRule"):
        version = deployed.client("s3").put_object(Bucket=bucket, Key=KEY, Body=content)["VersionId"]
    moment = datetime.now(UTC)
    upload = {"bucket": bucket, "key": KEY, "version_id": version, "size": len(content)}
    upload |= {"uploaded_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "uploaded_by": "ada", "source_ip": "192.0.2.7"}
    deployed.client("dynamodb").put_item(
        TableName=deployed.stack["TableName"],
        Item={
            "pk": {"S": f"accepted#{WORKLOAD}#{moment.date()}"},
            "uploads": {"SS": [json.dumps(upload)]},
        },
    )


@pytest.fixture
def retrainings(accepted: None, pipeline: Pipeline) -> Iterator[Retrainings]:
    found = Retrainings(pipeline)
    yield found
    pipeline.heal()
    found.forget()


@pytest.mark.parametrize("fault", ["throttled", "lost"])
def test_a_retraining_starts_once_when_the_first_call_of_every_kind_fails(
    retrainings: Retrainings, pipeline: Pipeline, fault: str
) -> None:
    for call in CALLS:
        # Of writes, the answers are lost: they may not be done twice.
        late = call.operation.partition(":")[2].startswith(("Put", "Start", "Update"))
        faults: dict[str, dict[str, Any]] = {
            "throttled": {"error": call.throttled},
            "lost": {"drop": "after" if late else "before"},
        }
        pipeline.fault(call.operation, containing=call.containing, **faults[fault])
    answer = retrainings.ask()
    assert [rule["operation"] for rule in pipeline.heal() if not rule["applied"]] == []
    assert [answer["started"].rpartition(":")[2]] == retrainings.started


# tests/unit has the others.
@pytest.mark.parametrize(("call", "starts"), [(CALLS[0], 0), (CALLS[-2], 0), (CALLS[-1], 1)], ids=str)
def test_a_retraining_that_cannot_be_asked_for_is_in_the_dead_letter_queue_and_the_next_schedule_starts_it(
    retrainings: Retrainings, pipeline: Pipeline, call: Call, starts: int
) -> None:
    pipeline.fault(call.operation, containing=call.containing, error="AccessDenied", status=403, times=None)
    pipeline.invoke("RetrainFunction", {**SCHEDULED, "id": str(call)}, asynchronously=True)
    eventually(lambda: any(str(call) in body for body in pipeline.messages("EventDeadLetters")), RUN_SECONDS)
    assert len(retrainings.started) == starts
    pipeline.heal()
    retrainings.ask()
    assert len(retrainings.started) == 1


@pytest.mark.parametrize(
    "moment",
    [
        {"before": "states:StartExecution"},
        {"after": "states:StartExecution"},
        {"after": "dynamodb:UpdateItem", "containing": ITEM},
    ],
    ids=str,
)
def test_asking_for_a_retraining_may_be_killed_at_any_moment(
    retrainings: Retrainings, pipeline: Pipeline, moment: dict[str, Any]
) -> None:
    with ThreadPoolExecutor(1) as schedule, pipeline.crash("RetrainFunction", **moment):
        schedule.submit(retrainings.ask)
    retrainings.ask()
    assert len(retrainings.started) == 1


def test_of_schedules_at_once_and_again_one_starts_a_retraining(
    retrainings: Retrainings, pipeline: Pipeline
) -> None:
    with ThreadPoolExecutor(3) as schedules:
        with pipeline.held("dynamodb:PutItem", ITEM, times=3):
            asked = [schedules.submit(retrainings.ask) for _ in range(3)]
            pipeline.until_met(3)
        answers = [answer.result() for answer in asked]
    [name] = retrainings.started
    assert {answer["started"].rpartition(":")[2] for answer in answers if answer["started"]} == {name}
    assert retrainings.ask()["started"] is None
    assert retrainings.started == [name]
