"""A retraining: the pipeline runs on uploads that it accepted before."""

import json
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import PACKAGE, looked_up, retraining_event, run, upload_event

GIB = 1 << 30
UPLOADS = [
    {"key": "incoming/old.csv", "version_id": "v1", "size": 3 * GIB},
    {"key": "incoming/cars.csv", "version_id": "v2", "size": 2 * GIB},
]
REASONS = ["schedule", "drift", "retrain"]


def claimed(**changes: Any) -> str:
    return str(run(**changes).arguments("Claim upload")["Item"]["pk"]["S"])


@pytest.mark.parametrize("reason", REASONS)
def test_a_retraining_has_a_claim_of_its_own_and_says_why_it_runs(reason: str) -> None:
    ending = run(event=retraining_event(reason))
    assert ending.arguments("Claim upload")["Item"]["pk"]["S"] == "retraining#retrain-0a1b2c3d"
    assert ending.output["reason"] == ending.arguments("Ask for approval")["Payload"]["reason"] == reason
    assert ending.output["outcome"] == "approved"


def test_the_same_retraining_delivered_twice_runs_once() -> None:
    refused = TaskError("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")
    assert run({"Claim upload": refused}, event=retraining_event()).output == {"outcome": "already_processed"}


@pytest.mark.parametrize("reason", ["PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"])
def test_a_reason_of_s3_is_an_upload(reason: str) -> None:
    event = upload_event()
    event["detail"]["reason"] = reason
    ending = run(event=event)
    assert ending.arguments("Claim upload")["Item"]["pk"]["S"].startswith("upload#")
    assert ending.output["reason"] == "upload"


def test_an_event_without_a_reason_is_an_upload() -> None:
    event = upload_event()
    del event["detail"]["reason"]
    assert run(event=event).output["reason"] == "upload"


def test_a_retraining_counts_as_a_run_of_its_day() -> None:
    refused = TaskError("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")
    assert run({"Count run": refused}, event=retraining_event()).error == "TooManyRuns"


def test_an_upload_is_noted_once_it_has_a_model() -> None:
    ending = run()
    noted = ending.arguments("Note accepted upload")
    assert noted["Key"] == {"pk": {"S": "accepted#auto_mpg#2026-11-20"}}
    (entry,) = noted["ExpressionAttributeValues"][":this"]["SS"]
    assert json.loads(entry) == {
        "bucket": "mpg-pipeline-bucket",
        "key": "incoming/cars.csv",
        "version_id": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        "size": 17000,
        "uploaded_at": "2026-11-20T11:59:58Z",
        "uploaded_by": "000000000000",
        "source_ip": "192.0.2.7",
    }
    assert ending.states.index("Register model") < ending.states.index("Note accepted upload")


def test_an_upload_that_cannot_be_noted_asks_for_approval_all_the_same() -> None:
    ending = run({"Note accepted upload": TaskError("DynamoDB.DynamoDbException", "Item size exceeded")})
    assert ending.output["outcome"] == "approved"
    assert ending.states.count("Remember results") == 1


def test_a_retraining_is_no_upload_to_note() -> None:
    assert "Note accepted upload" not in run(event=retraining_event()).states


def test_a_retraining_searches_anew_on_prepared_data_that_may_be_reused() -> None:
    found = {"uri": "s3://b/runs/x/prepared", "digest": "sha256:1", "run_id": "x"}
    ending = run({"Find prepared data": looked_up("preprocess", found=found)}, event=retraining_event())
    assert "Preprocess" not in ending.states
    assert ending.arguments("Find prepared data")["Payload"]["reuse"] is True
    assert ending.arguments("Find tuned model")["Payload"]["reuse"] is False
    assert run().arguments("Find tuned model")["Payload"]["reuse"] is True


def test_several_uploads_go_through_together() -> None:
    event = retraining_event("drift", uploads=UPLOADS, left_out="incoming/gone.csv (deleted)")
    event["detail"]["object"] |= {"size": 2 * GIB, "version-id": "v2"}
    ending = run(event=event)
    assert ending.arguments("Check upload")["Payload"]["uploads"] == UPLOADS
    assert ending.arguments("Check upload")["Payload"]["size"] == 5 * GIB
    assert ending.output["upload"]["files"] == 2
    asked = ending.arguments("Ask for approval")["Payload"]
    assert (asked["files"], asked["left_out"]) == (2, "incoming/gone.csv (deleted)")
    assert asked["model_package_arn"] == PACKAGE


def test_the_jobs_have_room_and_time_for_all_uploads() -> None:
    ending = run(event=retraining_event(uploads=UPLOADS))
    preprocess = ending.arguments("Preprocess")
    assert preprocess["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 30 + 4 * 5
    assert preprocess["StoppingCondition"]["MaxRuntimeInSeconds"] == 3600 + 1080 * 5


def test_an_upload_alone_has_one_file() -> None:
    ending = run()
    assert ending.arguments("Check upload")["Payload"]["uploads"] == []
    assert ending.output["upload"]["files"] == 1
