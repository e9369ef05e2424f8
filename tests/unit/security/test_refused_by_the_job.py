"""A file too large to be checked whole beforehand is refused by the job, and that is told as a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest

from common import preprocessing
from common.digests import file_digest
from common.workload import find_workload
from handlers import notify
from local.cli.history import Ended
from local.cli.outcome import Result
from tests.unit.functions.conftest import World, event
from tests.unit.functions.requests import ended
from tests.unit.security.conftest import ROOT

JOB = "mpg-20260301-0925-3fa85f64-preprocess-0-0"


def exit_message(folder: Path, upload: bytes) -> str:
    """What the job writes for people about an upload."""
    (folder / "upload.csv").write_bytes(upload)
    message = folder / "output" / "message"
    paths = ["--upload", folder / "upload.csv", "--output", folder / "prepared", "--exit-message", message]
    digest = file_digest(folder / "upload.csv")
    texts = ["--output-uri", "s3://b/p/", "--upload-digest", digest, "--file-name", "incoming/large.csv"]
    assert preprocessing.main(find_workload("auto_mpg"), [*map(str, paths), *texts]) == 1
    return message.read_text()


def cause(job: str = JOB) -> str:
    """The `Cause` that Step Functions makes of a processing job that failed: nothing of its exit message."""
    return json.dumps({"ProcessingJobName": job, "FailureReason": "AlgorithmError: , exit code: 1"})


@pytest.fixture
def refusal(tmp_path: Path, world: World) -> str:
    """The exit message of a job that refuses an upload, which SageMaker's description has."""
    message = exit_message(tmp_path, (ROOT / "data/auto-mpg.csv").read_bytes() + b"no,car\n")
    world.sagemaker.last_words = {"ExitMessage": message}
    return message


def failed(cause: str) -> dict[str, Any]:
    told = event("notify-failed")
    told["detail"] |= {"error": "States.TaskFailed", "cause": cause}
    return told


def test_the_mail_and_the_metrics_tell_a_refusal_and_no_failure(
    refusal: str, world: World, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ended(world, "notify-failed", error="States.TaskFailed", cause=cause())
    notify.handler(told, context)
    subject, text = world.mails(world.notification_topic)[-1]
    assert subject.startswith("Refused: ")
    assert "\nincoming/large.csv, line 400: has 2 fields; expected 9\n" in text
    assert "Correct the file and upload it again" in text
    metrics = capsys.readouterr().out
    assert '"RunRefused"' in metrics
    assert "PipelineFailed" not in metrics


def test_the_command_line_tells_a_refusal(refusal: str) -> None:
    result = Result()
    result.take_end(Ended("FAILED", {}, "States.TaskFailed", cause()), refusal)
    assert (result.outcome, result.exit_code) == ("refused", 1)
    assert result.cause == "incoming/large.csv, line 400: has 2 fields; expected 9"


@pytest.mark.parametrize(
    ("message", "job"),
    [
        ("unexpected error MemoryError: ; see the job's log", JOB),
        ("unexpected error OSError: UploadRefused: x; see the job's log", JOB),
        ("UploadRefused: x", JOB.replace("preprocess", "evaluate")),
        ("", JOB),
    ],
)
def test_a_job_that_failed_for_another_reason_stays_a_failure(message: str, job: str, world: World) -> None:
    world.sagemaker.last_words = {"ExitMessage": message}
    assert notify.read_ending(failed(cause(job))["detail"]).outcome == "States.TaskFailed"
