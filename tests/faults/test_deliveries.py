"""Events come at least once, and keys are whatever people type: one upload is one run all the same."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from tests.faults.pipeline import SAMPLE, Pipeline

NAMES = [
    "two words.csv",
    "a+b.csv",
    "100%.csv",
    "%2Fetc%2Fpasswd.csv",
    "Übersicht für Zoë.csv",
    '"><script>alert(1)</script>&amp;.csv',
    "..csv",
    "x" * 980 + ".csv",
    "ü" * 490 + ".csv",
]


def test_a_throttled_transform_is_tried_again(pipeline: Pipeline) -> None:
    pipeline.fault("sagemaker:CreateTransformJob", error="ThrottlingException", times=2)
    assert pipeline.upload("cars.csv").ends().outcome == "pending"
    assert pipeline.faults()[0]["applied"] == 2


@pytest.mark.parametrize("copies", [2, 10])
def test_an_event_that_comes_several_times_at_once_starts_one_run(pipeline: Pipeline, copies: int) -> None:
    pipeline.fault("dynamodb:PutItem", containing="upload#", times=None, delay=60)
    run = pipeline.upload()
    pipeline.deliver_again(run, copies - 1)
    pipeline.until_met(copies)
    pipeline.heal()
    assert run.ends().outcome == "pending"
    assert run.approve().outcome == "approved"
    run.told()
    others = [arn for arn in pipeline.executions_of(run) if arn != run.arn]
    assert len(others) == copies - 1
    assert all("already_processed" in pipeline.describe(arn)["output"] for arn in others)
    assert (len(run.packages()), len(run.questions()), len(run.endings())) == (1, 1, 1)


@pytest.mark.parametrize("hours", [0, 1, 24 * 365])
def test_an_event_that_comes_again_hours_after_the_end_does_nothing(pipeline: Pipeline, hours: int) -> None:
    run = pipeline.upload()
    run.ends()
    run.approve()
    run.told()
    claim = run.claim()
    # No lifetime: the table never forgets a claim.
    assert set(claim) == {"pk", "execution_arn", "claimed_at"}
    earlier = datetime.fromisoformat(claim["claimed_at"]["S"]) - timedelta(hours=hours)
    claim["claimed_at"]["S"] = earlier.isoformat()
    pipeline.client("dynamodb").put_item(TableName=pipeline.stack["TableName"], Item=claim)
    mails = len(pipeline.mails())
    (late,) = pipeline.deliver_again(run)
    run.told()
    assert "already_processed" in pipeline.describe(late)["output"]
    assert (len(run.packages()), len(pipeline.mails())) == (1, mails)


def test_the_same_file_uploaded_anew_is_a_new_run(pipeline: Pipeline) -> None:
    first = pipeline.upload()
    second = pipeline.upload(key=first.key)
    assert (first.ends().outcome, second.ends().outcome) == ("pending", "pending")
    assert first.arn != second.arn
    assert len({*first.packages(), *second.packages()}) == 2


def test_every_key_that_s3_allows_works(pipeline: Pipeline) -> None:
    runs = [pipeline.upload(name) for name in NAMES]
    for run, name in zip(runs, NAMES, strict=True):
        assert run.ends().outcome == "pending", name
        (question,) = run.questions()
        assert run.key[:200] in question.text
        kept = pipeline.client("s3").get_object(
            Bucket=pipeline.stack["BucketName"], Key=f"runs/{run.run_id}/input/upload.csv"
        )
        assert kept["Body"].read() == SAMPLE
    assert runs[0].approve_by_mail() == 200
    assert runs[0].is_over().outcome == "approved"


def test_the_end_of_a_run_is_told_once_however_often_its_event_comes(pipeline: Pipeline) -> None:
    run = pipeline.upload("cars.csv", b"nothing that can be used")
    assert run.ends().error == "UploadRefused"
    run.told()
    event = run.end_event()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: pipeline.invoke("NotifyFunction", event), range(5)))
    assert {answer for answer in answers if "errorType" not in answer} <= {'{"mailed": false}'}
    assert len(run.endings()) == 1


def test_a_decision_resumes_once_however_often_its_event_comes(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.held("states:SendTaskSuccess"):
        run.decide("Rejected")
        pipeline.until_met()
        # The first delivery has not got through yet when the others come.
        answers = [pipeline.invoke("ResumePipelineFunction", run.decision_event()) for _ in range(3)]
    assert run.is_over().outcome == "rejected"
    assert "resumed" in answers[0]
    assert all("already resumed" in answer for answer in answers[1:])
    run.told()
    assert len(run.endings()) == 1
