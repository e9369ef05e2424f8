"""Events are delivered at least once, and keys are arbitrary: one upload is still one run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from tests.faults.pipeline import Pipeline


def test_a_throttled_transform_is_retried(pipeline: Pipeline) -> None:
    pipeline.fault("sagemaker:CreateTransformJob", error="ThrottlingException", times=2)
    assert pipeline.upload("cars.csv").ends().outcome == "pending"
    assert pipeline.faults()[0]["applied"] == 2


@pytest.mark.parametrize("copies", [2, 10])
def test_an_event_that_arrives_several_times_at_once_starts_one_run(pipeline: Pipeline, copies: int) -> None:
    pipeline.fault("dynamodb:PutItem", containing="upload#", times=None, delay=60)
    run = pipeline.upload()
    pipeline.deliver_again(run, copies - 1)
    pipeline.until_met(copies)
    pipeline.heal()
    assert run.ends().outcome == "pending"
    assert run.approve().outcome == "approved"
    run.reported()
    others = [arn for arn in pipeline.executions_of(run) if arn != run.arn]
    assert len(others) == copies - 1
    assert all("already_processed" in pipeline.describe(arn)["output"] for arn in others)
    assert (len(run.packages()), len(run.questions()), len(run.endings())) == (1, 1, 1)


def test_an_event_that_arrives_again_hours_after_the_end_does_nothing(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    run.approve()
    run.reported()
    claim = run.claim()
    # No expiry: the table keeps every claim.
    assert set(claim) == {"pk", "execution_arn", "claimed_at"}
    claimed_at, mails = datetime.fromisoformat(claim["claimed_at"]["S"]), len(pipeline.mails())
    for hours in (0, 1, 24 * 365):
        claim["claimed_at"]["S"] = (claimed_at - timedelta(hours=hours)).isoformat()
        pipeline.client("dynamodb").put_item(TableName=pipeline.stack["TableName"], Item=claim)
        (late,) = pipeline.deliver_again(run)
        run.reported()
        assert "already_processed" in pipeline.describe(late)["output"], hours
        assert (len(run.packages()), len(pipeline.mails())) == (1, mails), hours


def test_the_same_file_uploaded_again_is_a_new_run(pipeline: Pipeline) -> None:
    first = pipeline.upload()
    second = pipeline.upload(key=first.key)
    assert (first.ends().outcome, second.ends().outcome) == ("pending", "pending")
    assert first.arn != second.arn
    assert len({*first.packages(), *second.packages()}) == 2


def test_the_end_of_a_run_is_reported_once_however_often_its_event_arrives(pipeline: Pipeline) -> None:
    run = pipeline.upload("cars.csv", b"nothing that can be used")
    assert run.ends().error == "UploadRefused"
    run.reported()
    event = run.end_event()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: pipeline.invoke("NotifyFunction", event), range(5)))
    assert {answer for answer in answers if "errorType" not in answer} <= {'{"mailed": false}'}
    assert len(run.endings()) == 1


def test_a_decision_resumes_once_however_often_its_event_arrives(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.held("states:SendTaskSuccess"):
        run.decide("Rejected")
        pipeline.until_met()
        # The first delivery is still being processed when the others arrive.
        answers = [pipeline.invoke("ResumePipelineFunction", run.decision_event()) for _ in range(3)]
    assert run.is_over().outcome == "rejected"
    assert "resumed" in answers[0]
    assert all("already resumed" in answer for answer in answers[1:])
    run.reported()
    assert len(run.endings()) == 1
