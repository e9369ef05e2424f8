"""One deployed pipeline that has done everything once, and every decision of its policies."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from local.cli.deploy import set_parameter
from local.cli.interrupts import Interrupts
from local.cli.session import session
from tests.builds import shared_build
from tests.conftest import eventually, free_port
from tests.e2e.up import TRIALS
from tests.faults.conftest import WAIT_SCALE
from tests.faults.pipeline import Pipeline
from tests.faults.run import Run
from tests.faults.tally import Tally
from tests.integration.iam.key import ON_CALL, deliver_into_the_queue, make_key, sound_alarm
from tests.integration.iam.live import Live
from tests.integration.iam.monitoring import monitor_everything
from tests.integration.iam.policies import Asked, Granted, deployed
from tests.integration.iam.releasing import release_everything


@pytest.fixture(scope="session")
def used() -> Iterator[Pipeline]:
    """The pipeline, deployed under a key of its own, after it has done everything that it can do."""
    shared_build()
    with pytest.MonkeyPatch.context() as environment, session(Interrupts()) as started:
        environment.setenv("SFN_WAIT_SCALE", WAIT_SCALE)
        aws = started.start_aws(free_port())
        started.deploy(
            aws,
            KmsKeyArn=make_key(aws.client("kms")),
            AlarmEmail=ON_CALL,
            MaxTrials=TRIALS,
            EndpointType="none",
            # Only of trials on spot instances does anybody read the description, for what they cost.
            UseSpot="true",
            MonthlyBudgetUSD="50",
        )
        pipeline = Pipeline(aws, started.work, Tally())
        _do_everything(pipeline)
        yield pipeline


@pytest.fixture(scope="session")
def asked(used: Pipeline) -> list[Asked]:
    """Every policy decision, and of those that differ only in the run or the execution one."""
    questions = [Asked.from_json(entry) for entry in used.permissions()]
    return list({question.kind: question for question in questions}.values())


@pytest.fixture(scope="session")
def granted(used: Pipeline) -> Granted:
    """The statements of a role, by its logical id, as they are deployed. Whoever takes one away gives it back."""
    return cache(lambda role: deployed(used.client("iam"), used.stack[role]))


@pytest.fixture(scope="session")
def live(used: Pipeline) -> Live:
    return Live(used)


def _do_everything(pipeline: Pipeline) -> None:
    approved = pipeline.upload()
    assert approved.ends().outcome == "pending", approved.ends()
    # It has run every job. Of a later run only the jobs that something happens to have to run again.
    pipeline.reuse = True
    assert approved.approve_by_mail() == 200
    assert approved.is_over().outcome == "approved"
    _follow_link_to_report(approved.reported().text)
    _retrain(pipeline)
    # The first one has a champion to compare itself with; the second one reuses all.
    for _ in range(2):
        assert pipeline.upload().ends().outcome == "pending"
    assert pipeline.upload(content=b"a,b\n1,2\n").is_over().error == "UploadRefused"
    deliver_into_the_queue(pipeline, content=b"a,b\n1,2\n")
    sound_alarm(pipeline)
    _stop_and_redrive(pipeline)
    _decide_at_odd_times(pipeline)
    _with_deleted_files(pipeline)
    _all_trials_fail(pipeline).reported()
    _fails(pipeline, "/prepared/").reported()
    _without_events(pipeline)
    _with_broken_mail(pipeline, approved)
    monitor_everything(pipeline)
    release_everything(pipeline, approved.packages()[0])
    # Deletes the model's file at the end.
    _use_catalogue(pipeline, approved)
    # The workloads are published again, to groups that are there.
    set_parameter(pipeline.endpoint, "MseThreshold", "45")


def _retrain(pipeline: Pipeline) -> None:
    """Ask for a retraining; again while it is open; and again once it was stopped, which is too soon."""
    upload = pipeline.upload()
    assert upload.ends().outcome == "pending"
    assert upload.approve().outcome == "approved"

    def answer() -> dict[str, str]:
        asked = {"workload": "auto_mpg", "reason": "retrain"}
        found: dict[str, str] = json.loads(pipeline.invoke("RetrainFunction", asked))
        return found

    started = answer()["started"]
    assert "has not ended" in answer()["why_not"]
    pipeline.client("stepfunctions").stop_execution(executionArn=started)
    assert "RetrainAtMostEveryDays" in answer()["why_not"]


def _follow_link_to_report(mail: str) -> None:
    [link] = re.findall(r"^http://\S+/report/report\.html\?\S+$", mail, re.MULTILINE)
    with urllib.request.urlopen(link, timeout=60) as report:
        assert b"<h1>Approved</h1>" in report.read()


def _use_catalogue(pipeline: Pipeline, approved: Run) -> None:
    """List, download and show a model, also after its file is gone; issue a link, and revoke it in both ways."""
    (package,) = approved.packages()
    model = {"workload": "auto_mpg", "version": int(package.rpartition("/")[2])}
    link = json.loads(pipeline.invoke("IssueCatalogueLinkFunction", {}))["url"]
    path = "/" + link.split("/", 3)[3]
    http = {"method": "GET", "sourceIp": "127.0.0.1", "userAgent": "test"}
    page = {"rawPath": f"{path}models.json", "requestContext": {"http": http}}
    for problem in (None, f"models/{approved.run_id}/model.tar.gz was deleted"):
        if problem:
            pipeline.delete(f"models/{approved.run_id}/model.tar.gz")
        for function, event in (("ListModelsFunction", {}), ("CatalogueFunction", page)):
            assert (problem or package) in pipeline.invoke(function, event)
        assert (problem or "url") in pipeline.invoke("DownloadModelFunction", model)
    for which, revoked in ((link, 1), ("all", 0)):
        answer = pipeline.invoke("IssueCatalogueLinkFunction", {"revoke": which})
        assert json.loads(answer) == {"revoked": revoked}


def _stop_and_redrive(pipeline: Pipeline) -> None:
    for state, output in JOBS:
        run = _stopped_in(pipeline, state, output, lambda run: None)
        run.reported()
    again = run.redrive()
    assert again.outcome == "pending", again
    assert run.approve().outcome == "approved"


# The states that wait for a job, and what the job writes: while it cannot write that, it keeps running.
JOBS = (("Preprocess", "/prepared/"), ("Tune", "/tuning/"), ("Batch transform", "/predictions/"))


def _stopped_in(pipeline: Pipeline, state: str, output: str, then: Callable[[Run], object]) -> Run:
    """A run that was stopped in a state, and whose job was stopped by somebody else after `then`."""
    run = pipeline.upload(reuse=state == "Batch transform")
    with pipeline.held("s3:PutObject", containing=output):
        run.until_in(state)
        eventually(lambda: "InProgress" in run.jobs().values())
        run.stop()
        then(run)
        eventually(lambda: {"Stopping", "Stopped"} & set(run.jobs().values()))
    return run


def _decide_at_odd_times(pipeline: Pipeline) -> None:
    early, gone, late, later = (pipeline.upload() for _ in range(4))
    # While the function that requests approval is about to do so.
    pipeline.fault("sns:ListSubscriptionsByTopic", delay=60.0, times=None)
    for run in (early, gone, late, later):
        run.until_in("Ask for approval")
    # Each has already verified its execution's request; for a run stopped earlier, nobody would be asked.
    pipeline.until_met(4)
    _decide(pipeline, early)
    gone.stop()
    _decide(pipeline, gone)
    pipeline.heal()
    assert early.is_over().outcome == "approved"
    # After the execution has stopped waiting for it.
    for run in (late, later):
        assert run.ends().outcome == "pending"
        run.stop()
        run.reported()
    _decide(pipeline, late)
    eventually(lambda: _told_too_late(late))
    with _no_mail(pipeline):
        # A rule that only watches: the claim on the mail is released once sending has failed for good.
        pipeline.fault("dynamodb:DeleteItem", times=None)
        _decide(pipeline, later)
        eventually(lambda: pipeline.faults()[-1]["seen"])
    pipeline.sweep()
    assert _told_too_late(later)


def _told_too_late(run: Run) -> bool:
    subject = f"Approved after the run's end: model {run.run_id}"
    return any(mail.subject == subject for mail in run.pipeline.mails())


def _decide(pipeline: Pipeline, run: Run, status: str = "Approved") -> None:
    (package,) = run.packages()
    pipeline.client("sagemaker").update_model_package(
        ModelPackageArn=package, ModelApprovalStatus=status, ApprovalDescription="by the test"
    )


def _with_deleted_files(pipeline: Pipeline) -> None:
    """Delete what a function is about to read."""
    with pipeline.held("lambda:Invoke", "CheckUpload"):
        unchecked = pipeline.upload()
        pipeline.until_met()
        pipeline.delete(unchecked.key, VersionId=unchecked.version_id)
    assert unchecked.is_over().error == "UploadRefused"
    with pipeline.held("lambda:Invoke", "KeepModel"):
        evaluated = pipeline.upload(reuse=False)
        pipeline.until_met()
        pipeline.delete(f"runs/{evaluated.run_id}/evaluation/evaluation.json")
    assert evaluated.is_over().error == "ArtifactRefused"
    registered = pipeline.upload()
    assert registered.ends().outcome == "pending"
    pipeline.delete(f"models/{registered.run_id}/model.tar.gz")
    assert registered.approve_by_mail() == 422
    with pipeline.held("lambda:Invoke", "RequestApproval"):
        unasked = pipeline.upload()
        pipeline.until_met()
        pipeline.delete(f"models/{unasked.run_id}/evaluation.json")
    assert unasked.is_over().error == "ArtifactRefused"


def _all_trials_fail(pipeline: Pipeline) -> Run:
    return _fails(pipeline, "/tuning/")


def _fails(pipeline: Pipeline, output: str) -> Run:
    """A run whose job cannot write this."""
    pipeline.fault("s3:PutObject", containing=output, error="AccessDenied", times=None)
    run = pipeline.upload(reuse=False)
    assert run.is_over().outcome == "failed"
    pipeline.heal()
    return run


def _without_events(pipeline: Pipeline) -> None:
    """The sweep finds what no event reported: a decision, an end, an orphaned job."""
    with _no_events(pipeline):
        rejected, unfinished = pipeline.upload(), pipeline.upload()
        assert {rejected.ends().outcome, unfinished.ends().outcome} == {"pending"}
        _decide(pipeline, rejected, "Rejected")
        pipeline.fault("sagemaker:UpdateModelPackage", error="InternalFailure", times=None)
        assert unfinished.approve_by_mail() != 404
        pipeline.heal()
        failed, unprepared = _all_trials_fail(pipeline), _fails(pipeline, "/prepared/")
        with _no_mail(pipeline):
            assert "SweepIncomplete" in pipeline.invoke("SweepFunction", {})
        for state, output in JOBS:
            _stopped_in(pipeline, state, output, lambda run: pipeline.sweep())
        pipeline.sweep()
        assert (rejected.is_over().outcome, unfinished.is_over().outcome) == ("rejected", "approved")
        pipeline.sweep()
        for run in (rejected, unfinished, failed, unprepared):
            run.reported()


@contextmanager
def _no_mail(pipeline: Pipeline) -> Iterator[None]:
    """While entered, SNS is down."""
    pipeline.fault("sns:Publish", error="InternalError", times=None)
    try:
        yield
    finally:
        pipeline.heal()


def _with_broken_mail(pipeline: Pipeline, run: Run) -> None:
    """A mail is sent once; one that cannot be sent is retried and finally kept as a dead letter."""
    pipeline.invoke("NotifyFunction", _event_of(pipeline, run))
    _forget_reports(pipeline, run)
    pipeline.fault("sns:Publish", error="InternalError", times=None)
    pipeline.fault("dynamodb:Scan", error="InternalServerError", times=None)
    pipeline.invoke("NotifyFunction", _event_of(pipeline, run), asynchronously=True)
    pipeline.fault("states:ListExecutions", error="InternalFailure", times=None)
    others = ("ResumePipelineFunction", "StopJobsFunction", "SweepFunction", "RetrainFunction")
    for function in others:
        event = {"detail": "nothing that an event says", "reason": "schedule"}
        pipeline.invoke(function, event, asynchronously=True)
    awaited = {pipeline.stack[function] for function in ("NotifyFunction", *others)}

    def all_came() -> bool:
        # A message that is not deleted is redelivered after a while.
        for letter in map(json.loads, pipeline.messages("EventDeadLetters")):
            awaited.discard(letter.get("requestContext", {}).get("functionArn", "").rpartition(":")[2])
        return not awaited

    eventually(all_came, 120)
    pipeline.heal()


def _event_of(pipeline: Pipeline, run: Run) -> dict[str, Any]:
    """The event of an end whose input and output are too long for it."""
    found = pipeline.describe(run.arn)
    detail = {name: found[name] for name in ("executionArn", "stateMachineArn", "name", "status")}
    left_out = {"input": None, "output": None, "startDate": 0, "stopDate": 1}
    detail |= left_out | {"inputDetails": {"included": False}, "outputDetails": {"included": False}}
    return {
        "id": "event",
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": detail,
    }


def _forget_reports(pipeline: Pipeline, run: Run) -> None:
    table = pipeline.stack["TableName"]
    found = pipeline.client("dynamodb").scan(TableName=table)["Items"]
    for item in found:
        if item["pk"]["S"].startswith("told#") and run.arn in json.dumps(item):
            pipeline.client("dynamodb").delete_item(TableName=table, Key={"pk": item["pk"]})


@contextmanager
def _no_events(pipeline: Pipeline) -> Iterator[None]:
    """While entered, events of decisions and ends are not delivered."""
    events = pipeline.client("events")
    rules = [
        rule["Name"]
        for rule in events.list_rules()["Rules"]
        if any(source in rule.get("EventPattern", "") for source in ("aws.states", "aws.sagemaker"))
    ]
    for name in rules:
        events.disable_rule(Name=name)
    try:
        yield
    finally:
        for name in rules:
            events.enable_rule(Name=name)
