"""Everything that monitoring can do, once, for the list of policy questions."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import eventually
from tests.faults.pipeline import SAMPLE, Pipeline
from tests.faults.run import Run

# An error after which the SDK does not wait and call once more, as it does after a service's own.
NOT_TRIED_AGAIN = "ValidationException"
_SECONDS = 300
_FAILED = "NotifyMonitoringFunctionMonitoringFailed"


def monitor_everything(pipeline: Pipeline) -> Run:
    """Look; fail, be stopped, lose events and mails; find a drift; be started by a schedule."""
    _look(pipeline)
    # Labels of earlier rows, and heavier cars. A look that fails leaves them for the next one.
    heavier = pipeline.upload(content=_in_kilograms())
    assert heavier.ends().outcome == "pending"
    # A window ends before the second in which the look begins.
    ended = datetime.now(UTC).replace(microsecond=0)
    eventually(lambda: datetime.now(UTC) >= ended + timedelta(seconds=1))
    _fail(pipeline)
    _stop(pipeline)
    pipeline.fault("sns:Publish", error="InternalError")
    [found] = [each for each in _look(pipeline)["workloads"] if each["workload"] == "auto_mpg"]
    assert found["drifted"], found
    _schedule(pipeline)
    pipeline.invoke("NotifyMonitoringFunction", {"detail": "nothing that an event says"}, asynchronously=True)
    eventually(lambda: pipeline.messages("MonitoringDeadLetters"), 120)
    return heavier


def _in_kilograms() -> bytes:
    rows = list(csv.DictReader(io.StringIO(SAMPLE.decode())))
    changed = io.StringIO()
    writer = csv.DictWriter(changed, rows[0].keys())
    writer.writeheader()
    writer.writerows({**row, "weight": f"{float(row['weight']) * 0.4536:.0f}"} for row in rows)
    return changed.getvalue().encode()


def _start(pipeline: Pipeline) -> str:
    machine = pipeline.stack["MonitorStateMachineArn"]
    return str(pipeline.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"])


def _ended(pipeline: Pipeline, arn: str) -> dict[str, Any]:
    eventually(lambda: pipeline.describe(arn)["status"] != "RUNNING", _SECONDS)
    return pipeline.describe(arn)


def _look(pipeline: Pipeline) -> dict[str, Any]:
    described = _ended(pipeline, _start(pipeline))
    assert described["status"] == "SUCCEEDED", described
    output: dict[str, Any] = json.loads(described["output"])
    return output


def _fail(pipeline: Pipeline) -> None:
    """Findings that are missing; a job that cannot write; a mail that is lost once, and one that was sent."""
    with pipeline.held("lambda:Invoke", "ReportMonitoring"):
        arn = _start(pipeline)
        pipeline.until_met()
        [key] = [key for key in pipeline.objects("monitoring/auto_mpg/") if _is_newest(pipeline, arn, key)]
        pipeline.delete(key)
    assert "is missing" in _ended(pipeline, arn)["cause"]
    pipeline.fault("s3:PutObject", containing="/monitoring.json", error="AccessDenied", times=None)
    with pipeline.withheld(_FAILED):
        arn = _start(pipeline)
        assert "the job" in _ended(pipeline, arn)["cause"]
        pipeline.heal()
        pipeline.fault("sns:Publish", error=NOT_TRIED_AGAIN, times=None)
        event = {"detail": {"executionArn": arn, "status": "FAILED"}}
        pipeline.invoke("NotifyMonitoringFunction", event)
        pipeline.heal()
    for _ in range(2):
        pipeline.invoke("NotifyMonitoringFunction", event)


def _is_newest(pipeline: Pipeline, arn: str, key: str) -> bool:
    from runs.names import run_id

    return key.endswith(f"{run_id(arn, pipeline.describe(arn)['startDate'])}/monitoring.json")


def _stop(pipeline: Pipeline) -> None:
    """An execution that is stopped while its job runs; the sweep finds what no event reported."""
    with pipeline.withheld(_FAILED), pipeline.held("s3:PutObject", containing="/monitoring.json"):
        arn = _start(pipeline)
        pipeline.until_met()
        pipeline.client("stepfunctions").stop_execution(executionArn=arn)
        _ended(pipeline, arn)
        pipeline.sweep()


def _schedule(pipeline: Pipeline) -> None:
    """A schedule like the stack's starts the machine."""
    schedules, started = pipeline.client("scheduler"), pipeline.client("stepfunctions").list_executions
    role = pipeline.client("iam").get_role(RoleName=pipeline.stack["ScheduleRole"])["Role"]["Arn"]
    machine = pipeline.stack["MonitorStateMachineArn"]
    before = len(started(stateMachineArn=machine)["executions"])
    schedules.create_schedule(
        Name="monitoring",
        ScheduleExpression="at(2026-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": role, "Input": "{}"},
    )
    eventually(lambda: len(started(stateMachineArn=machine)["executions"]) > before, 60)
    schedules.delete_schedule(Name="monitoring")
    eventually(
        lambda: all(each["status"] != "RUNNING" for each in started(stateMachineArn=machine)["executions"]),
        _SECONDS,
    )
