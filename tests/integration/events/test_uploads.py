"""From an upload to what is kept and remembered of its run, and to a retraining."""

import hashlib
import json
import re
import time
from datetime import UTC, datetime

import pytest

from tests.conftest import ROOT
from tests.evaluation import DRAWN, EVALUATION
from tests.integration.events.stage import Stage, digest

SAMPLE = (ROOT / "data" / "auto-mpg.csv").read_bytes()
BROKEN = SAMPLE.replace(b",130", b",many", 1)


@pytest.mark.parametrize(
    ("event", "checked", "rows"),
    # The last line of a head may be truncated, so it does not count.
    [("check_upload-accepted", "whole", 398), ("check_upload-head", "head", 397)],
)
def test_a_good_upload_is_kept(stage: Stage, event: str, checked: str, rows: int) -> None:
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    version = stage.upload(given["key"], SAMPLE)
    answer = stage.invoke(event, {given["version_id"]: version})
    kept = f"runs/{given['run_id']}/input/upload.csv"
    digest = f"sha256:{hashlib.sha256(SAMPLE).hexdigest()}"
    assert answer == {
        "workload": "auto_mpg",
        "suffix": ".csv",
        "upload_key": kept,
        "digest": digest,
        "rows": rows,
        "labelled": rows,
        "checked": checked,
        "reuse": True,
    }
    body = stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=kept)["Body"].read()
    assert body == SAMPLE


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("check_upload-refused", r"incoming/broken\.csv, line \d+: horsepower is .*expected"),
        (
            "check_upload-too-large",
            r"incoming/huge\.csv: the file has 20,000,000,000 bytes; at most 10,737,418,240",
        ),
        (
            "check_upload-unknown-workload",
            r'incoming/flowers/petals\.csv: there is no workload "flowers"\. Upload .*\.csv to incoming/ or ',
        ),
    ],
)
def test_a_bad_upload_is_refused_under_the_name_that_the_state_machine_knows(
    stage: Stage, event: str, message: str
) -> None:
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    version = stage.upload(given["key"], BROKEN)
    answer = stage.invoke(event, {given["version_id"]: version})
    assert answer["errorType"] == "UploadRefused"
    assert re.match(message, answer["errorMessage"])


def test_what_was_evaluated_is_kept_and_what_was_changed_is_refused(stage: Stage) -> None:
    given = json.loads((ROOT / "events" / "keep_model-evaluated.json").read_text(encoding="utf-8"))
    digests = {"model": f"sha256:{hashlib.sha256(b'a model').hexdigest()}"}
    kept = {**EVALUATION, "digests": digests}
    evaluation = (json.dumps({**kept, **DRAWN}, indent=2) + "\n").encode()
    folder = f"runs/{given['run_id']}/evaluation"
    stage.upload(f"{folder}/evaluation.json", evaluation)
    stage.upload(f"{folder}/model.tar.gz", b"a model")
    uri = f"s3://{stage.bucket}/{folder}"
    scheduled = {**given, "evaluation_uri": uri, "evaluation_digest": digest(evaluation)}
    with stage.scheduled(**scheduled) as (arn, _):
        told = {given["evaluation_digest"]: digest(evaluation), given["execution_arn"]: arn}
        answer = stage.invoke("keep_model-evaluated", told)
        assert answer == {
            **kept,
            "champion": {**EVALUATION["champion"], "change": None},
            "drift": None,
            "batch_files": 1,
            "digests": {**digests, "evaluation": digest(evaluation)},
        }
        model = stage.aws.client("s3").get_object(
            Bucket=stage.bucket, Key=f"models/{given['run_id']}/model.tar.gz"
        )
        assert model["Body"].read() == b"a model"
        stage.upload(f"{folder}/model.tar.gz", b"another")
        refused = stage.invoke("keep_model-changed", told)
    assert refused["errorType"] == "ArtifactRefused"
    assert refused["errorMessage"].startswith(f"{folder}/model.tar.gz was changed")


def test_what_a_run_remembers_is_found_by_a_later_one(stage: Stage) -> None:
    summary = b'{"digests": {}}'
    given = json.loads((ROOT / "events" / "remember_results-prepared.json").read_text(encoding="utf-8"))
    stage.upload(f"runs/{given['run_id']}/prepared/summary.json", summary)
    prepared = {"uri": f"s3://{stage.bucket}/runs/{given['run_id']}/prepared", "digest": digest(summary)}
    unknown = stage.invoke("find_result-prepared")
    request = {
        **given,
        "started_at": datetime.now(UTC).isoformat(),
        "keys": {"preprocess": unknown["key"]},
        "results": {"preprocess": prepared},
    }
    with stage.scheduled(**request) as (arn, _):
        told = {
            given["execution_arn"]: arn,
            given["started_at"]: request["started_at"],
            given["keys"]["preprocess"]: unknown["key"],
            given["results"]["preprocess"]["digest"]: digest(summary),
        }
        assert stage.invoke("remember_results-prepared", told) == {"remembered": ["preprocess"]}
        found = stage.invoke("find_result-prepared")
    assert found == {**unknown, "found": {**prepared, "run_id": given["run_id"]}}


def test_a_retraining_is_asked_for_once(stage: Stage) -> None:
    version = stage.upload("incoming/auto_mpg/retrained.csv", SAMPLE)
    upload = {"bucket": stage.bucket, "key": "incoming/auto_mpg/retrained.csv", "version_id": version}
    upload |= {"uploaded_at": "2999-01-01T00:00:00Z", "uploaded_by": "ada", "source_ip": "192.0.2.7"}
    day = time.strftime("%Y-%m-%d", time.gmtime())
    stage.aws.client("dynamodb").put_item(
        TableName=stage.table,
        Item={
            "pk": {"S": f"accepted#auto_mpg#{day}"},
            "uploads": {"SS": [json.dumps({**upload, "size": len(SAMPLE)})]},
        },
    )
    started = stage.invoke("retrain-asked")["started"]
    states = stage.aws.client("stepfunctions")
    event = json.loads(states.describe_execution(executionArn=started)["input"])
    assert event["detail"]["object"]["version-id"] == version
    answers = stage.invoke("retrain-scheduled")
    assert answers["auto_mpg"]["started"] is None
    assert answers["digits"]["why_not"].startswith("There is no upload of digits")
    states.stop_execution(executionArn=started)
