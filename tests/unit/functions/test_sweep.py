"""The sweep does once what no event reported: decisions, ends, orphaned jobs, reminders."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approval.records import decide_by_link, hash_link, mark_package_updated, open_or_answered_since
from approval.request import Decision
from handlers import notify, sweep
from handlers.sweep import SweepIncomplete
from runs.names import run_id
from shared.text import now
from tests.unit.functions.conftest import ROOT, World, event
from tests.unit.functions.requests import Asked, ask, ended

WEEK = 7 * 24
MACHINE = json.loads((ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8"))
TIME_LIMIT = timedelta(seconds=MACHINE["TimeoutSeconds"])
# Who is redriven, within 14 days of the end, has the whole time again.
LONGEST_RUN = TIME_LIMIT + timedelta(days=14) + TIME_LIMIT
EXECUTION = event("notify-approved")["detail"]["executionArn"]


@pytest.fixture
def asked(world: World) -> Asked:
    return ask(world)


@pytest.fixture
def run(world: World, context: Any) -> Any:
    """Sweep once; returns what it did."""

    def swept() -> dict[str, int]:
        done: dict[str, int] = sweep.handler(event("sweep-scheduled"), context)
        return done

    return swept


@pytest.fixture
def measured(run: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Sweep once; the metrics."""

    def swept() -> dict[str, Any]:
        capsys.readouterr()
        run()
        printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {name: value for line in printed for name, value in line.items() if isinstance(value, list)}

    return swept


def decide_on_the_page(asked: Asked, verdict: Any = "approved") -> None:
    decision = Decision(verdict, "Ada", "good", "2026-03-01T09:41:12Z", "review page")
    assert decide_by_link(asked.record, hash_link(asked.link_id), decision, now())


def end(world: World, status: str, arn: str = EXECUTION, **fields: Any) -> str:
    """An execution of another run ended; returns its run id."""
    told = event("notify-approved")["detail"]
    output = {"output": told["output"]} if status == "SUCCEEDED" else {"error": "X", "cause": "It broke."}
    world.stepfunctions.end(arn, status, **{"input": told["input"], **output, **fields})
    return run_id(arn, world.stepfunctions.executions[arn]["startDate"])


def test_a_sweep_that_finds_nothing_does_nothing(world: World, asked: Asked, run: Any) -> None:
    before = world.items()
    assert run() == {}
    assert world.mails() == []
    assert world.items() == before


# Decisions


def test_a_decision_that_did_not_reach_the_package_is_applied_and_passed_to_the_execution(
    world: World, asked: Asked, run: Any
) -> None:
    decide_on_the_page(asked)
    assert run() == {"decision": 1}
    assert world.sagemaker.packages[asked.arn]["ModelApprovalStatus"] == "Approved"
    assert [json.loads(result)["reviewer"] for result in world.stepfunctions.results] == ["Ada"]
    assert run() == {}


def test_a_decided_package_resumes_the_execution_although_its_event_is_lost(
    world: World, asked: Asked, run: Any
) -> None:
    decide_on_the_page(asked, "rejected")
    world.sagemaker.decide(asked.arn, "Rejected", by="the page")
    mark_package_updated(asked.arn, now())
    assert run() == {"decision": 1}
    assert json.loads(world.stepfunctions.results[0])["decision"] == "rejected"
    assert world.sagemaker.updates == []


def test_a_decision_in_studio_resumes_the_execution_although_its_event_is_lost(
    world: World, asked: Asked, run: Any
) -> None:
    world.sagemaker.decide(asked.arn, "Approved", by="grace", why="fine")
    assert [run() for _ in range(3)] == [{"decision": 1}, {}, {}]
    assert json.loads(world.stepfunctions.results[0])["reviewer"] == "grace"
    assert world.item(f"package#{asked.arn}")["decided_via"] == "SageMaker"


def test_a_decision_in_studio_after_the_deadline_is_recorded_and_mailed_once(world: World, run: Any) -> None:
    asked = ask(world, 3600, hours_ago=30 * 24)
    end(world, "SUCCEEDED", asked.execution_arn, output='{"outcome": "expired"}', hours_ago=29 * 24)
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    assert [run() for _ in range(3)] == [{"decision": 1}, {}, {}]
    ((subject, _),) = world.mails()
    assert subject.startswith("Approved after the run's end")
    assert asked.record.decision is not None


def test_a_late_decision_that_could_not_be_mailed_is_mailed_by_the_next_sweep(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(world, 3600, hours_ago=48)
    end(world, "SUCCEEDED", asked.execution_arn, output='{"outcome": "expired"}', hours_ago=47)
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    with monkeypatch.context() as patch:
        patch.setattr("approval.outcomes.send", _fail)
        with pytest.raises(SweepIncomplete):
            run()
    assert run() == {"decision": 1}
    assert len(world.mails()) == 1


def test_a_record_that_contradicts_its_package_is_corrected(
    world: World, asked: Asked, measured: Any
) -> None:
    decide_on_the_page(asked)
    mark_package_updated(asked.arn, now())
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    assert measured()["ApprovalContradicted"] == [1.0]
    assert json.loads(world.stepfunctions.results[0])["decision"] == "rejected"
    assert world.item(f"package#{asked.arn}")["status"] == "REJECTED"


def test_a_change_of_mind_is_mailed_although_its_event_is_lost(world: World, asked: Asked, run: Any) -> None:
    decide_on_the_page(asked)
    run()
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    assert [run() for _ in range(3)] == [{"decision": 1}, {}, {}]
    ((subject, _),) = world.mails()
    assert subject.startswith("Changed to rejected")


def test_the_sweep_ignores_long_expired_requests(world: World, run: Any) -> None:
    asked = ask(world, 3600, hours_ago=91 * 24)
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    assert run() == {}
    assert asked.record.decision is None


def test_a_package_that_was_deleted_does_not_make_every_sweep_fail(
    world: World, asked: Asked, run: Any
) -> None:
    del world.sagemaker.packages[asked.arn]
    assert run() == {}


def test_the_sweep_ignores_answered_requests(world: World, asked: Asked, run: Any) -> None:
    decide_on_the_page(asked)
    assert [approval.package_arn for approval in open_or_answered_since(now())] == [asked.arn]
    run()
    assert list(open_or_answered_since(now() + timedelta(seconds=1))) == []
    assert [approval.package_arn for approval in open_or_answered_since(now() - timedelta(days=1))] == [
        asked.arn
    ]


def test_every_page_of_the_table_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arns = {ask(world, model_package_arn=f"arn:{n}", execution_arn=f"arn:e:{n}").arn for n in range(5)}

    class SmallPages:
        def scan(self, **request: Any) -> Any:
            return world.table.scan(**request, Limit=1)

    monkeypatch.setattr("approval.records._table", SmallPages)
    assert {approval.package_arn for approval in open_or_answered_since(now())} == arns


# Ends


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_an_end_that_was_not_mailed_is_mailed_once(world: World, run: Any, status: str) -> None:
    end(world, status)
    assert [run() for _ in range(3)] == [{"end": 1}, {}, {}]
    ((_, text),) = world.mails(world.notification_topic)
    assert "cars 2026+spring.csv" in text
    assert EXECUTION in text


def test_an_end_that_its_event_reported_is_not_mailed_again(world: World, run: Any, context: Any) -> None:
    end(world, "SUCCEEDED")
    notify.handler(ended(world, "notify-approved"), context)
    assert run() == {}
    assert len(world.mails()) == 1


def test_ends_that_were_mailed_are_not_read_one_by_one(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        end(world, "FAILED", f"arn:aws:states:us-east-1:0:execution:m:{name}")
    assert run() == {"end": 2}
    monkeypatch.setattr("shared.once._table", _fail)
    assert run() == {}


def test_an_event_after_the_sweep_mails_nothing(world: World, run: Any, context: Any) -> None:
    end(world, "SUCCEEDED")
    run()
    assert notify.handler(ended(world, "notify-approved"), context) == {"mailed": False}


def test_the_sweep_does_not_interfere_with_a_function_that_mails_the_end(
    world: World, run: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(world, "SUCCEEDED")
    swept = []
    with monkeypatch.context() as patch:
        patch.setattr("runs.notifying.send", lambda *_: swept.append(run()))
        notify.handler(ended(world, "notify-approved"), context)
    assert swept == [{}]


def test_each_end_of_a_redriven_execution_is_mailed(world: World, run: Any) -> None:
    end(world, "FAILED")
    run()
    end(world, "FAILED", redriveCount=1)
    assert run() == {"end": 1}


def test_old_ends_are_not_mailed(world: World, run: Any) -> None:
    end(world, "FAILED", hours_ago=25)
    assert run() == {}


def test_a_duplicate_upload_event_is_told_to_nobody(world: World, run: Any) -> None:
    end(world, "SUCCEEDED", output='{"outcome": "already_processed"}')
    assert run() == {}
    assert world.mails() == []


def test_a_running_execution_is_not_mailed(world: World, asked: Asked, run: Any) -> None:
    assert run() == {}


# Jobs


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_a_job_of_an_execution_that_ended_days_ago_is_stopped(world: World, run: Any, status: str) -> None:
    job = f"{end(world, status, hours_ago=100)}-evaluate-0-0"
    world.sagemaker.jobs = {job: "InProgress", "mpg-20260301-0925-00000000-0": "InProgress"}
    assert run() == {"job": 1}
    assert world.sagemaker.jobs == {job: "Stopping", "mpg-20260301-0925-00000000-0": "InProgress"}


def test_the_job_of_an_execution_that_runs_goes_on(world: World, asked: Asked, run: Any) -> None:
    started = world.stepfunctions.executions[asked.execution_arn]["startDate"]
    job = f"{run_id(asked.execution_arn, started)}-0"
    world.sagemaker.jobs = {job: "InProgress"}
    assert run() == {}
    assert world.sagemaker.jobs == {job: "InProgress"}


def test_an_execution_redriven_since_it_was_listed_keeps_its_jobs(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = f"{end(world, 'FAILED', hours_ago=100)}-preprocess-0-0"
    world.sagemaker.jobs = {job: "InProgress"}
    monkeypatch.setattr("runs.orphans.describe", lambda _: {"status": "RUNNING", "redriveCount": 1})
    assert run() == {}
    assert world.sagemaker.jobs == {job: "InProgress"}


def test_the_older_of_two_attempts_at_a_step_is_stopped(world: World, asked: Asked, run: Any) -> None:
    its_run = run_id(asked.execution_arn, world.stepfunctions.executions[asked.execution_arn]["startDate"])
    older, newer = f"{its_run}-predict-0-9", f"{its_run}-predict-0-10"
    world.sagemaker.jobs = {newer: "InProgress", older: "InProgress", f"{its_run}-0": "InProgress"}
    assert run() == {"job": 1}
    assert world.sagemaker.jobs == {newer: "InProgress", older: "Stopping", f"{its_run}-0": "InProgress"}


def test_an_older_attempt_is_stopped_also_when_the_newer_one_has_ended(
    world: World, asked: Asked, run: Any
) -> None:
    its_run = run_id(asked.execution_arn, world.stepfunctions.executions[asked.execution_arn]["startDate"])
    older, newer = f"{its_run}-preprocess-0-0", f"{its_run}-preprocess-0-1"
    world.sagemaker.jobs = {newer: "Completed", older: "InProgress", f"{its_run}-evaluate-0-0": "InProgress"}
    assert run() == {"job": 1}
    assert world.sagemaker.jobs[older] == "Stopping"
    assert world.sagemaker.jobs[f"{its_run}-evaluate-0-0"] == "InProgress"


# Reminders


def test_an_approver_is_reminded_once(world: World, run: Any) -> None:
    ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)
    assert [run() for _ in range(3)] == [{"reminder": 1}, {}, {}]
    ((subject, _),) = world.mails(world.approval_topic)
    assert subject.startswith("Reminder, 23 hours left")


def test_a_request_without_a_waiting_execution_gets_no_reminder(world: World, run: Any) -> None:
    asked = ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)
    end(world, "ABORTED", asked.execution_arn)
    run()
    assert world.mails(world.approval_topic) == []


def test_a_sweep_that_finds_a_decision_in_studio_sends_no_reminder(world: World, run: Any) -> None:
    asked = ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    assert run() == {"decision": 1}
    assert world.mails() == []


# The sweep itself


def test_the_longest_wait_is_measured(world: World, measured: Any) -> None:
    ask(world, WEEK * 3600, hours_ago=42, model_package_arn="arn:1", execution_arn="arn:e:1")
    ask(world, WEEK * 3600, hours_ago=84, model_package_arn="arn:2", execution_arn="arn:e:2")
    found = measured()
    assert found["ApprovalWaitingHours"] == [pytest.approx(84, abs=0.1)]
    assert found["ApprovalTimeUsedPercent"] == [pytest.approx(50, abs=0.1)]


def test_when_nobody_waits_zero_is_measured_so_that_the_alarm_ends(world: World, measured: Any) -> None:
    asked = ask(world, WEEK * 3600, hours_ago=80)
    end(world, "ABORTED", asked.execution_arn)
    assert measured()["ApprovalWaitingHours"] == [0.0]


def test_a_sweep_that_succeeds_is_counted(measured: Any) -> None:
    assert measured()["SweepDone"] == [1.0]


def test_a_failure_does_not_stop_the_sweep_and_the_next_one_retries(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: Any
) -> None:
    ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)
    end(world, "FAILED", "arn:aws:states:us-east-1:0:execution:m:first")
    end(world, "FAILED", "arn:aws:states:us-east-1:0:execution:m:second")
    job = f"{end(world, 'FAILED', 'arn:aws:states:us-east-1:0:execution:m:third')}-0"
    world.sagemaker.jobs = {job: "InProgress"}
    with monkeypatch.context() as patch:
        patch.setattr("runs.notifying.send", _fail)
        with pytest.raises(SweepIncomplete, match=r"^3 things"):
            run()
    assert "SweepDone" not in capsys.readouterr().out
    assert "ConnectionError" in log.getvalue()
    assert len(world.mails(world.approval_topic)) == 1
    assert world.sagemaker.jobs == {job: "Stopping"}
    assert run() == {"end": 3}


def test_the_rest_of_the_sweep_is_done_although_nobody_knows_which_ends_were_mailed(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)
    end(world, "FAILED", "arn:aws:states:us-east-1:0:execution:m:first")
    with monkeypatch.context() as patch:
        patch.setattr("shared.once.read_items", _fail)
        with pytest.raises(SweepIncomplete):
            run()
    assert len(world.mails(world.approval_topic)) == 1
    assert run() == {"end": 1}


def test_a_token_in_an_error_of_step_functions_is_not_logged(
    world: World, asked: Asked, run: Any, log: Any
) -> None:
    decide_on_the_page(asked)
    world.stepfunctions.broken = "ThrottlingException"
    with pytest.raises(SweepIncomplete) as raised:
        run()
    assert asked.token not in log.getvalue() + str(raised.value)
    world.stepfunctions.broken = ""
    assert run() == {"decision": 1}


def test_executions_from_before_the_longest_run_are_not_listed(world: World, run: Any) -> None:
    started = datetime.now(UTC) - LONGEST_RUN - timedelta(days=1)
    end(world, "FAILED", hours_ago=50 * 24, startDate=started)
    job = f"{run_id(EXECUTION, started)}-0"
    world.sagemaker.jobs = {job: "InProgress"}
    assert run() == {}
    assert world.sagemaker.jobs == {job: "InProgress"}


def test_the_end_of_the_longest_run_is_mailed(world: World, run: Any) -> None:
    started = datetime.now(UTC) - LONGEST_RUN + timedelta(hours=1)
    end(world, "TIMED_OUT", startDate=started)
    assert run() == {"end": 1}


def _fail(*_: object) -> None:
    raise ConnectionError
