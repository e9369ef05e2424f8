"""Every end of a run is mailed once, with what happened and what to do."""

import json
from typing import Any

import pytest

from handlers import notify
from runs.executions import NotEnded
from tests.evaluation import DRIFTED
from tests.unit.functions.conftest import BUCKET, World, event
from tests.unit.functions.requests import ended

EXECUTION = event("notify-approved")["detail"]["executionArn"]


@pytest.fixture
def mail(world: World, context: Any) -> Any:
    """The mail that an event leads to."""

    def deliver(name: str, **detail: Any) -> tuple[str, str]:
        notify.handler(ended(world, name, **detail), context)
        return world.mails(world.notification_topic)[-1]

    return deliver


@pytest.mark.parametrize(
    ("name", "subject", "words"),
    [
        (
            "notify-approved",
            "Approved: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)",
            [
                "Ada Lovelace approved the model.",
                "release to an endpoint follows",
                "s3://",
                "8.73 (at most 46)",
            ],
        ),
        (
            "notify-rejected",
            "Rejected: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)",
            ["Ada Lovelace rejected the model.", "Errors grow with mpg.\nLook at the diesel cars first."],
        ),
        (
            "notify-expired",
            "Expired: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)",
            ["still is PendingManualApproval", "model-package/mpg-pipeline-auto-mpg/1"],
        ),
        (
            "notify-upload-refused",
            "Refused: incoming/cars 2026+spring.csv",
            ['line 14: horsepower is "abc"; expected a number', "upload it again", "UploadRefused"],
        ),
        (
            "notify-too-many-runs",
            "Not started: incoming/cars 2026+spring.csv, too many runs today",
            ["100 runs were started on 2026-03-01 (UTC)", "MaxRunsPerDay", "is kept", "0 for no limit"],
        ),
        (
            "notify-model-quality-too-low",
            "Not good enough: no model from incoming/cars 2026+spring.csv",
            ["61.2034", "above the 46 that the gate allows", "nobody was asked", "the workload's gate"],
        ),
        (
            "notify-failed",
            "Failed: the run of incoming/cars 2026+spring.csv (preparing the data)",
            ["has no row with mpg", "-preprocess-0-0", "/aws/sagemaker/ProcessingJobs", "redrive"],
        ),
        (
            "notify-tuning-failed",
            "Failed: the run of incoming/cars 2026+spring.csv (tuning the model)",
            ["All training jobs failed.", "mpg-1-001-abcdef01: ClientError: empty channel", "TrainingJobs"],
        ),
        (
            "notify-artifact-refused",
            "Failed: the run of incoming/cars 2026+spring.csv (a file was changed or is missing)",
            ["evaluation/model.tar.gz was changed after the evaluation", "Find out who changed it"],
        ),
        (
            "notify-nobody-to-ask",
            "Failed: the run of incoming/cars 2026+spring.csv (nobody to ask for approval)",
            ["no subscription of arn:", "goes on where it stopped"],
        ),
        (
            "notify-quota-missing",
            "Failed: the run of incoming/cars 2026+spring.csv (a quota is missing)",
            ["'ml.m5.large for processing job usage' is 0", "Service Quotas"],
        ),
        (
            "notify-timed-out",
            "Timed out: the run of incoming/cars 2026+spring.csv",
            ["longer than a run may", "Jobs of the run that are still at work are stopped."],
        ),
        (
            "notify-aborted",
            "Stopped: the run of incoming/cars 2026+spring.csv",
            ["Somebody stopped the run.", "Wrong file uploaded", "StoppedByHand"],
        ),
    ],
)
def test_each_end_is_mailed_with_the_next_step_and_where_to_look(
    world: World, mail: Any, name: str, subject: str, words: list[str]
) -> None:
    world.sagemaker.failed_trials = [
        {"TrainingJobName": "mpg-1-001-abcdef01", "FailureReason": "ClientError: empty channel"}
    ]
    world.sagemaker.last_words = {
        "ExitMessage": "cars.csv has no row with mpg",
        "FailureReason": "exit code: 1",
    }
    found, text = mail(name)
    assert found == subject
    for word in (*words, "What next:", EXECUTION, "https://us-east-1.console.aws.amazon.com/states/home"):
        assert word in text or word in " ".join(text.split()), word
    assert "stackTrace" not in text
    assert "/var/task" not in text


@pytest.mark.parametrize("name", ["notify-approved", "notify-rejected", "notify-expired"])
def test_an_end_with_a_model_says_how_the_upload_differed(mail: Any, name: str) -> None:
    output = json.loads(event(name)["detail"]["output"])
    _, text = mail(name, output=json.dumps({**output, "evaluation": DRIFTED}))
    words = " ".join(text.split())
    assert "The upload differs from the data that version 1 was trained on: weight and origin." in words
    assert "version 1 does worse than at its approval: Mean squared error 21.30 now, 9.50 then" in words


def test_a_job_that_cannot_be_described_is_reported_as_by_step_functions(world: World, mail: Any) -> None:
    world.sagemaker.broken = "AccessDeniedException"
    _, text = mail("notify-failed")
    assert "AlgorithmError: , exit code: 1" in text
    assert "-preprocess-0-0" in text


@pytest.mark.parametrize(
    "error",
    [
        "NobodyToAsk", "States.TaskFailed", "States.Timeout", "States.Runtime", "SageMaker.SageMakerException",
        "DynamoDB.ProvisionedThroughputExceededException", "Lambda.Unknown", "ClientError", None,
    ],
)  # fmt: skip
def test_every_error_name_gets_its_reason_and_a_next_step(mail: Any, error: str | None) -> None:
    subject, text = mail("notify-failed", error=error, cause="The disk is full.")
    assert subject.startswith("Failed: ")
    assert "The disk is full." in text
    assert len(text.split("What next:")[1].split("\n\n")[0]) > 40


@pytest.mark.parametrize(
    ("step", "name"), [("evaluate", "evaluating the model"), ("predict", "predicting the batch")]
)
def test_a_failed_job_is_named_with_its_step_and_its_log(mail: Any, step: str, name: str) -> None:
    kind = "TransformJob" if step == "predict" else "ProcessingJob"
    cause = {f"{kind}Name": f"mpg-20260301-0925-3fa85f64-{step}-1-2", "FailureReason": "out of memory"}
    subject, text = mail("notify-failed", cause=json.dumps(cause))
    assert subject.endswith(f"({name})")
    assert f"CloudWatch Logs /aws/sagemaker/{kind}s, streams mpg-20260301-0925-3fa85f64-{step}-1-2..." in text


def test_unreadable_trials_do_not_prevent_the_mail(world: World, mail: Any) -> None:
    world.sagemaker.broken = "AccessDeniedException"
    assert "All training jobs failed." in mail("notify-tuning-failed")[1]


def test_a_duplicate_upload_event_is_told_to_nobody(world: World, context: Any) -> None:
    assert notify.handler(ended(world, "notify-already-processed"), context) == {"mailed": False}
    assert world.mails() == []


def test_the_same_event_ten_times_is_one_mail(world: World, context: Any) -> None:
    told = [notify.handler(ended(world, "notify-approved"), context)["mailed"] for _ in range(10)]
    assert told == [True] + [False] * 9
    assert len(world.mails()) == 1


def test_only_the_first_run_beyond_a_days_limit_is_mailed(
    world: World, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(number: int, day: str = "2026-03-01") -> None:
        cause = event("notify-too-many-runs")["detail"]["cause"].replace("2026-03-01", day)
        arn = f"{EXECUTION}{number}"
        notify.handler(ended(world, "notify-too-many-runs", executionArn=arn, cause=cause), context)

    for number in range(30):
        end(number)
    assert len(world.mails()) == 1
    assert sum("RunOverLimit" in line for line in capsys.readouterr().out.splitlines()) == 30
    end(30, "2026-03-02")
    assert len(world.mails()) == 2


def test_a_link_in_an_uploaders_text_cannot_be_clicked(world: World, mail: Any) -> None:
    told = json.loads(event("notify-upload-refused")["detail"]["input"])
    told["detail"]["object"]["key"] = "incoming/http://evil.example/x.csv"
    hostile = 'line 1: "https://evil.example", www.evil.example and evil.example are no columns'
    subject, text = mail("notify-upload-refused", input=json.dumps(told), cause=hostile)
    assert "evil.example" not in subject + text
    report, console = [line for line in (subject + text).splitlines() if "://" in line]
    assert report.startswith(f"https://{BUCKET}.s3.amazonaws.com/runs/")
    assert console.startswith("https://us-east-1.console.aws.amazon.com/states/")


def test_a_link_in_a_comment_or_a_name_cannot_be_clicked(mail: Any) -> None:
    output = json.loads(event("notify-rejected")["detail"]["output"])
    output["decision"] |= {"reviewer": "Ada (ada.example)", "comment": "See http://evil.example/?a=b"}
    text = mail("notify-rejected", output=json.dumps(output))[1]
    assert "Ada (ada[.]example) rejected the model." in text
    assert "See http[:]//evil[.]example/?a=b" in text


def test_the_end_after_a_redrive_is_mailed_again(world: World, mail: Any) -> None:
    mail("notify-failed")
    mail("notify-failed", redriveCount=1)
    mail("notify-approved")
    assert len(world.mails()) == 3


def test_a_mail_that_could_not_be_sent_is_sent_by_the_retry(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("runs.notifying.send", _fail)
        with pytest.raises(ConnectionError):
            notify.handler(ended(world, "notify-approved"), context)
    assert notify.handler(ended(world, "notify-approved"), context) == {"mailed": True}
    assert len(world.mails()) == 1


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("notify-approved", "RunApproved"),
        ("notify-rejected", "RunRejected"),
        ("notify-expired", "RunExpired"),
        ("notify-already-processed", "RunRepeated"),
        ("notify-upload-refused", "RunRefused"),
        ("notify-too-many-runs", "RunOverLimit"),
        ("notify-model-quality-too-low", "RunBelowThreshold"),
        ("notify-aborted", "RunStopped"),
        ("notify-failed", "PipelineFailed"),
        ("notify-tuning-failed", "PipelineFailed"),
        ("notify-nobody-to-ask", "PipelineFailed"),
        ("notify-artifact-refused", "PipelineFailed"),
        ("notify-timed-out", "PipelineFailed"),
    ],
)
def test_an_end_is_counted_once_under_its_kind(
    world: World, context: Any, capsys: pytest.CaptureFixture[str], name: str, metric: str
) -> None:
    for _ in range(3):
        notify.handler(ended(world, name), context)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ends = [(name, line[name]) for line in printed for name in line if name.startswith(("Run", "Pipeline"))]
    assert ends == [(metric, [1.0])]


def test_everything_in_an_event_but_the_execution_is_ignored(world: World, context: Any) -> None:
    told = ended(world, "notify-upload-refused")
    invented = event("notify-approved")["detail"] | {"cause": "invented", "error": "Invented"}
    told["detail"] = {**invented, "executionArn": told["detail"]["executionArn"]}
    notify.handler(told, context)
    ((subject, text),) = world.mails()
    assert subject.startswith("Refused: ")
    assert "invented" not in text.lower()


@pytest.mark.parametrize("name", ["notify-approved", "notify-failed", "notify-aborted"])
def test_no_event_ends_an_execution_that_runs(world: World, context: Any, name: str) -> None:
    world.stepfunctions.wait("token", EXECUTION)
    with pytest.raises(NotEnded, match=f"^{EXECUTION}$"):
        notify.handler(event(name), context)
    assert world.mails() == []
    assert world.items() == []


def test_an_end_that_step_functions_shows_a_moment_later_is_mailed(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, shown = ended(world, "notify-aborted"), [{"status": "RUNNING"}, {"status": "RUNNING"}]
    described = world.stepfunctions.describe_execution
    monkeypatch.setattr(
        world.stepfunctions,
        "describe_execution",
        lambda **named: shown.pop() if shown else described(**named),
    )
    assert notify.handler(told, context) == {"mailed": True}


def test_an_end_that_was_redriven_before_its_mail_is_not_mailed(world: World, context: Any) -> None:
    world.stepfunctions.wait("token", EXECUTION)
    world.stepfunctions.executions[EXECUTION]["redriveCount"] = 1
    assert notify.handler(event("notify-failed"), context) == {"mailed": False}
    assert world.mails() == []


def test_outside_aws_no_console_is_linked(mail: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert "console" not in mail("notify-failed")[1]


def test_the_console_of_the_executions_partition_is_linked(mail: Any) -> None:
    arn = EXECUTION.replace("arn:aws:", "arn:aws-us-gov:").replace("us-east-1", "us-gov-west-1")
    assert (
        "https://us-gov-west-1.console.amazonaws-us-gov.com/states/"
        in mail("notify-failed", executionArn=arn)[1]
    )


def test_the_log_has_neither_comment_nor_reviewer(mail: Any, log: Any) -> None:
    mail("notify-rejected")
    assert '"outcome":"rejected"' in log.getvalue()
    assert "diesel" not in log.getvalue()
    assert "Ada" not in log.getvalue()


@pytest.mark.parametrize(
    "output",
    ["", "null", "[]", "{", '{"outcome": "approved"}', '{"decision": "approved", "outcome": "rejected"}'],
)
def test_an_output_of_another_shape_is_mailed(world: World, mail: Any, output: str) -> None:
    assert mail("notify-approved", output=output)[0]


def _fail(*_: object) -> None:
    raise ConnectionError
