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
from tests.integration.iam.monitoring import NOT_TRIED_AGAIN, monitor_everything
from tests.integration.iam.policies import Asked, Granted, deployed
from tests.integration.iam.releasing import release_everything


@pytest.fixture(scope="session")
def used() -> Iterator[Pipeline]:
    """The pipeline, deployed under a key of its own, after it has done everything that it can do."""
    shared_build()
    with pytest.MonkeyPatch.context() as environment, session(Interrupts()) as started:
        environment.setenv("SFN_WAIT_SCALE", WAIT_SCALE)
        # Lambda waits so long before it repeats a call that nobody waits for, and then twice as long.
        environment.setenv("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0.1")
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
    compared = pipeline.upload()
    assert compared.ends().outcome == "pending"
    reusing = pipeline.upload()
    assert reusing.ends().outcome == "pending"
    assert pipeline.upload(content=b"a,b\n1,2\n").is_over().error == "UploadRefused"
    deliver_into_the_queue(pipeline, content=b"a,b\n1,2\n")
    sound_alarm(pipeline)
    _check_deleted_file(pipeline)
    troubled = _fail_and_stop_in_every_job(pipeline)
    _decide_at_odd_times(pipeline, compared, reusing)
    monitored = monitor_everything(pipeline)
    _decide_without_events(pipeline, monitored, troubled)
    _with_broken_mail(pipeline, approved)
    release_everything(pipeline, approved.packages()[0])
    # Deletes the model's file at the end.
    _use_catalogue(pipeline, approved)
    # The workloads are published again, to groups that are there.
    set_parameter(pipeline.endpoint, "MseThreshold", "45")


def _retrain(pipeline: Pipeline) -> None:
    """Ask for a retraining; again while it is open; and again once it was stopped, which is too soon."""

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


def _check_deleted_file(pipeline: Pipeline) -> None:
    with pipeline.held("lambda:Invoke", "CheckUpload"):
        unchecked = pipeline.upload()
        pipeline.until_met()
        pipeline.delete(unchecked.key, VersionId=unchecked.version_id)
    assert unchecked.is_over().error == "UploadRefused"


def _fail_and_stop_in_every_job(pipeline: Pipeline) -> Run:
    """A run that waits for approval, after a long way: each of its jobs failed or was stopped, files were missing.

    After each failure it is redriven. What events report to one function, the sweep finds without them.
    """
    with _no_events(pipeline):
        with _refused(pipeline, "/prepared/"):
            run = pipeline.upload(reuse=False)
            _fails(run)
        _is_stopped(run, "/prepared/", pipeline.sweep)
    _is_stopped(run, "/prepared/", run.reported)
    with _no_events(pipeline):
        with _refused(pipeline, "/tuning/"):
            run.resume()
            _fails(run)
        _is_stopped(run, "/tuning/", pipeline.sweep)
    _is_stopped(run, "/tuning/", run.reported)
    _misses(run, "KeepModel", f"runs/{run.run_id}/evaluation/evaluation.json")
    with _no_events(pipeline):
        _is_stopped(run, "/predictions/", pipeline.sweep)
    _is_stopped(run, "/predictions/", run.reported)
    _misses(run, "RequestApproval", f"models/{run.run_id}/evaluation.json")
    assert run.redrive().outcome == "pending"
    with _deleted(pipeline, f"models/{run.run_id}/model.tar.gz"):
        assert run.approve_by_mail() == 422
    return run


@contextmanager
def _refused(pipeline: Pipeline, output: str) -> Iterator[None]:
    """While entered, no job can write this."""
    pipeline.fault("s3:PutObject", containing=output, error="AccessDenied", times=None)
    yield
    pipeline.heal()


def _fails(run: Run) -> None:
    """It fails; the sweep reports it and, once that is forgotten, the function that gets the events."""
    assert run.is_over().outcome == "failed"
    run.pipeline.sweep()
    run.reported()
    _forget_reports(run.pipeline, run)
    run.pipeline.invoke("NotifyFunction", _event_of(run.pipeline, run))
    run.reported()


def _is_stopped(run: Run, output: str, then: Callable[[], object]) -> None:
    """Redrive it, and stop it while a job is about to write this. Somebody else stops the job after `then`."""
    pipeline, before = run.pipeline, _stopped_jobs(run)
    with pipeline.held("s3:PutObject", containing=output):
        run.resume()
        pipeline.until_met()
        run.stop()
        then()
        eventually(lambda: _stopped_jobs(run) > before)
    # Until it has stopped, it may go on writing.
    eventually(lambda: "Stopping" not in run.jobs().values())


def _stopped_jobs(run: Run) -> set[str]:
    return {job for job, status in run.jobs().items() if status in ("Stopping", "Stopped")}


def _misses(run: Run, function: str, key: str) -> None:
    """Redrive it, and delete what a function is about to read."""
    pipeline = run.pipeline
    with pipeline.held("lambda:Invoke", function):
        run.resume()
        pipeline.until_met()
        with _deleted(pipeline, key):
            pipeline.heal()
            assert run.is_over().error == "ArtifactRefused"


@contextmanager
def _deleted(pipeline: Pipeline, key: str) -> Iterator[None]:
    """While entered, the bucket does not have this object."""
    s3, bucket = pipeline.client("s3"), pipeline.stack["BucketName"]
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    yield
    s3.delete_object(Bucket=bucket, Key=key, VersionId=marker)


def _decide_at_odd_times(pipeline: Pipeline, late: Run, later: Run) -> None:
    early, gone = pipeline.upload(), pipeline.upload()
    # While the function that requests approval is about to do so.
    pipeline.fault("sns:ListSubscriptionsByTopic", delay=60.0, times=None)
    for run in (early, gone):
        run.until_in("Ask for approval")
    # Each has already verified its execution's request; for a run stopped earlier, nobody would be asked.
    pipeline.until_met(2)
    _decide(pipeline, early)
    gone.stop()
    _decide(pipeline, gone)
    pipeline.heal()
    assert early.is_over().outcome == "approved"
    for run in (early, gone):
        run.reported()
    # After the execution has stopped waiting for it.
    for run in (late, later):
        run.stop()
        run.reported()
    _decide(pipeline, late)
    eventually(lambda: _told_too_late(late))
    with _no_mail(pipeline):
        # A rule that only watches: the claim on the mail is released once sending has failed for good.
        pipeline.fault("dynamodb:DeleteItem", containing="#LATE", times=None)
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


def _decide_without_events(pipeline: Pipeline, rejected: Run, unfinished: Run) -> None:
    """The sweep passes on decisions that no event reported."""
    with _no_events(pipeline):
        _decide(pipeline, rejected, "Rejected")
        pipeline.fault("sagemaker:UpdateModelPackage", error=NOT_TRIED_AGAIN, times=None)
        assert unfinished.approve_by_mail() != 404
        pipeline.heal()
        pipeline.sweep()
        assert (rejected.is_over().outcome, unfinished.is_over().outcome) == ("rejected", "approved")
        with _no_mail(pipeline):
            assert "SweepIncomplete" in pipeline.invoke("SweepFunction", {})
        pipeline.sweep()
        for run in (rejected, unfinished):
            run.reported()


@contextmanager
def _no_mail(pipeline: Pipeline) -> Iterator[None]:
    """While entered, SNS is down."""
    pipeline.fault("sns:Publish", error=NOT_TRIED_AGAIN, times=None)
    try:
        yield
    finally:
        pipeline.heal()


def _with_broken_mail(pipeline: Pipeline, run: Run) -> None:
    """A mail is sent once; one that cannot be sent is retried and finally kept as a dead letter."""
    pipeline.invoke("NotifyFunction", _event_of(pipeline, run))
    _forget_reports(pipeline, run)
    pipeline.fault("sns:Publish", error=NOT_TRIED_AGAIN, times=None)
    pipeline.fault("dynamodb:Scan", error=NOT_TRIED_AGAIN, times=None)
    pipeline.invoke("NotifyFunction", _event_of(pipeline, run), asynchronously=True)
    pipeline.fault("states:ListExecutions", error=NOT_TRIED_AGAIN, times=None)
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
