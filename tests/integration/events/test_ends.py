"""How runs end: mails, jobs that are stopped, and events that never arrived."""

import json
import re

import pytest

from tests.conftest import ROOT, eventually
from tests.integration.events.stage import Asked, Stage, run_id


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("notify-approved", "Approved: model mpg-"),
        ("notify-rejected", "Rejected: model mpg-"),
        ("notify-expired", "Expired: model mpg-"),
        ("notify-upload-refused", "Refused: incoming/cars 2026+spring.csv"),
        ("notify-too-many-runs", "Not started: incoming/cars 2026+spring.csv, too many runs today"),
        ("notify-model-quality-too-low", "Not good enough: no model"),
        ("notify-failed", "Failed: the run of incoming/cars 2026+spring.csv (preparing the data)"),
        ("notify-tuning-failed", "Failed: the run of incoming/cars 2026+spring.csv (tuning the model)"),
        ("notify-artifact-refused", "Failed: the run of incoming/cars 2026+spring.csv (a file was changed"),
        ("notify-nobody-to-ask", "Failed: the run of incoming/cars 2026+spring.csv (nobody to ask"),
        ("notify-quota-missing", "Failed: the run of incoming/cars 2026+spring.csv (a quota is missing)"),
        ("notify-timed-out", "Timed out: the run of"),
        ("notify-aborted", "Stopped: the run of"),
    ],
)
def test_an_end_is_reported_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    (mail,) = stage.mails()[before:]
    assert mail["subject"].startswith(subject)


def test_a_duplicate_upload_event_is_told_to_nobody(stage: Stage) -> None:
    before = len(stage.mails())
    processed = stage.end("notify-already-processed")
    assert stage.invoke("notify-already-processed", processed) == {"mailed": False}
    assert len(stage.mails()) == before


@pytest.mark.parametrize("event", ["stop_jobs-aborted", "stop_jobs-timed-out"])
def test_a_job_of_an_unsuccessful_run_is_stopped(stage: Stage, event: str) -> None:
    states, given = (
        stage.aws.client("stepfunctions"),
        json.loads((ROOT / "events" / f"{event}.json").read_text()),
    )
    arn, _ = stage.wait_for_a_token()
    started = states.describe_execution(executionArn=arn)["startDate"]
    job = stage.start_job(f"{run_id(arn, started)}-preprocess-0-0")
    changes = {
        given["detail"]["executionArn"]: arn,
        str(given["detail"]["startDate"]): str(int(started.timestamp() * 1000)),
    }
    assert stage.invoke(event, changes)["errorType"] == "NotEnded", "it runs"
    states.stop_execution(executionArn=arn)
    assert stage.invoke(event, changes) == {"stopped": [job]}
    assert stage.invoke(event, changes) == {"stopped": []}
    sagemaker = stage.aws.client("sagemaker")
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"
    )


def test_the_sweep_reconciles_events_that_never_arrived(stage: Stage, asked: Asked) -> None:
    stage.aws.client("sagemaker").update_model_package(
        ModelPackageArn=asked.package_arn, ModelApprovalStatus="Approved"
    )
    orphaned, _ = stage.wait_for_a_token()
    states = stage.aws.client("stepfunctions")
    job = stage.start_job(
        f"{run_id(orphaned, states.describe_execution(executionArn=orphaned)['startDate'])}-evaluate-0-0"
    )
    states.stop_execution(executionArn=orphaned, error="StoppedByHand")
    before = len(stage.mails())
    done = stage.invoke("sweep-scheduled")
    assert (done["decision"], done["job"]) == (1, 1), done
    # Executions of other tests have ended here too, and no event reported them.
    mails = stage.mails()[before:]
    assert len(mails) == done["end"]
    assert [mail["subject"] for mail in mails if orphaned in mail["text"]] == [
        "Stopped: the run of an upload"
    ]
    waiting = states.describe_execution
    eventually(lambda: waiting(executionArn=asked.execution_arn)["status"] == "SUCCEEDED")
    assert stage.invoke("sweep-scheduled").keys() <= {"end"}
    # Nothing is reconciled twice. Executions of other tests may have ended since.
    eventually(lambda: stage.invoke("sweep-scheduled") == {})
    job_status = stage.aws.client("sagemaker").describe_processing_job(ProcessingJobName=job)
    assert job_status["ProcessingJobStatus"] in ("Stopping", "Stopped")


def test_the_functions_do_not_mention_x_ray_where_there_is_none(stage: Stage) -> None:
    stage.invoke("notify-already-processed", stage.end("notify-already-processed"))
    log = stage.runtimes("notify").log
    assert '"message":"run ended"' in log
    assert not re.search(r"x-?ray|segment", log, re.IGNORECASE)
