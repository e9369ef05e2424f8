"""Who hears of it when monitoring fails: everybody who gets results, once."""

import json
from typing import Any

import pytest

from handlers import notify_monitoring, stop_jobs, sweep
from handlers.sweep import SweepIncomplete
from runs.names import run_id
from tests.unit.functions.conftest import World
from tests.unit.functions.fakes import service_error
from tests.unit.functions.monitoring import MONITOR

JOB = "mpg-20260310-0000-0a1b2c3d-monitor-0-0-0"
CAUSE = f"some_workload: the job {JOB} failed: AlgorithmError: exit code 1"


def end(world: World, status: str = "FAILED", **fields: Any) -> dict[str, Any]:
    given = {"error": "MonitoringFailed", "cause": CAUSE} if status == "FAILED" else {}
    world.stepfunctions.end(MONITOR, status, **{**given, **fields})
    return {"detail": {"executionArn": MONITOR, "status": status, "redriveCount": 0}}


def counted(capsys: pytest.CaptureFixture[str], name: str) -> bool:
    return any(name in json.loads(line) for line in capsys.readouterr().out.splitlines())


def test_a_failure_is_mailed_once_with_the_jobs_own_words(world: World, context: Any, capsys: Any) -> None:
    world.sagemaker.last_words = {"ExitMessage": "The model archive was changed."}
    event = end(world)
    assert notify_monitoring.handler(event, context) == {"mailed": True}
    assert counted(capsys, "MonitoringFailed")
    assert notify_monitoring.handler(event, context) == {"mailed": False}
    assert not counted(capsys, "MonitoringFailed")
    [(subject, text)] = world.mails()
    assert subject == "Monitoring failed"
    for shown in (JOB, "The model archive was changed.", "mpg monitor", MONITOR):
        assert shown in text, shown


def test_without_the_jobs_words_the_mail_still_comes(world: World, context: Any) -> None:
    world.sagemaker.broken = "ThrottlingException"
    notify_monitoring.handler(end(world), context)
    [(_, text)] = world.mails()
    assert "exit code 1" in text


@pytest.mark.parametrize(
    ("status", "subject", "failed"),
    [("TIMED_OUT", "Monitoring took too long", True), ("ABORTED", "Monitoring was stopped", False)],
)
def test_other_ends_are_mailed_and_a_stopped_one_is_no_failure(
    world: World, context: Any, capsys: Any, status: str, subject: str, failed: bool
) -> None:
    notify_monitoring.handler(end(world, status), context)
    assert [mail[0] for mail in world.mails()] == [subject]
    assert counted(capsys, "MonitoringFailed") == failed


def test_a_success_and_a_redriven_execution_are_not_mailed(world: World, context: Any) -> None:
    assert notify_monitoring.handler(end(world, "SUCCEEDED"), context) == {"mailed": False}
    event = end(world)
    world.stepfunctions.executions[MONITOR] |= {"status": "RUNNING", "redriveCount": 1}
    assert notify_monitoring.handler(event, context) == {"mailed": False}
    assert world.mails() == []


def test_the_sweep_mails_a_failure_that_no_event_reported_and_stops_its_jobs(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(world)
    job = f"{run_id(MONITOR, world.stepfunctions.executions[MONITOR]['startDate'])}-monitor-2-0-0"
    world.sagemaker.jobs = {job: "InProgress"}
    with monkeypatch.context() as patch:
        patch.setattr("monitoring.ending.send", _fail)
        with pytest.raises(SweepIncomplete):
            sweep.handler({}, context)
    assert world.sagemaker.jobs[job] == "Stopping"
    for _ in range(2):
        sweep.handler({}, context)
    assert [subject for subject, _ in world.mails()] == ["Monitoring failed"]


def _fail(*_: Any) -> None:
    raise service_error("InternalError", "Publish")


def test_the_job_of_a_stopped_execution_is_stopped(world: World, context: Any) -> None:
    event = end(world, "ABORTED")
    its_id = run_id(MONITOR, world.stepfunctions.executions[MONITOR]["startDate"])
    world.sagemaker.jobs = {f"{its_id}-monitor-0-0-0": "InProgress", f"{its_id[:-1]}x-0": "InProgress"}
    assert stop_jobs.handler(event, context) == {"stopped": [f"{its_id}-monitor-0-0-0"]}


def test_of_several_workloads_jobs_only_a_repeated_one_is_replaced(world: World, context: Any) -> None:
    world.stepfunctions.wait("", MONITOR)
    its_id = run_id(MONITOR, world.stepfunctions.executions[MONITOR]["startDate"])
    names = [f"{its_id}-monitor-{part}" for part in ("0-0-0", "1-0-0", "1-0-1")]
    world.sagemaker.jobs = dict.fromkeys(names, "InProgress")
    sweep.handler({}, context)
    assert [world.sagemaker.jobs[name] for name in names] == ["InProgress", "Stopping", "InProgress"]
