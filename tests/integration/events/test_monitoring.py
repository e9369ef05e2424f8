"""Looks at live models: what they compare, find and tell."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from common.drift import Drift, FeatureTest
from common.monitored import Monitored
from tests.conftest import ROOT
from tests.integration.events.stage import Stage, digest, run_id

MODEL_RUN = "mpg-20260301-0925-3fa85f64"


def test_what_a_model_saw_is_listed_for_its_next_look(stage: Stage) -> None:
    package = stage.register(stage.keep(MODEL_RUN, champion=False), run_id=MODEL_RUN, model_digest="sha256:3")
    live = {"pk": "live#auto_mpg", "package_arn": package, "since": "2026-03-01T09:46:00Z"}
    live |= {
        "workload": "auto_mpg",
        "endpoint_type": "function",
        "endpoint_name": "f",
        "execution_arn": "arn:r",
    }
    stored = {name: {"S": text} for name, text in live.items()} | {"version": {"N": "1"}}
    stage.aws.client("dynamodb").put_item(TableName=stage.table, Item=cast(Any, stored))
    uploaded = {"bucket": {"name": stage.bucket}, "object": {"key": "incoming/seen.csv"}}
    states = stage.aws.client("stepfunctions")
    with stage.scheduled(detail=uploaded) as (arn, _):
        run = run_id(arn, states.describe_execution(executionArn=arn)["startDate"])
        stage.upload(f"runs/{run}/predictions/batch.csv.out", b"1\n")
        given = json.loads((ROOT / "events" / "plan_monitoring-one-workload.json").read_text())
        soon = {given["until"]: (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}
        [plan] = stage.invoke("plan_monitoring-one-workload", soon)["plans"]
        both = {
            each["workload"]: each["todo"]
            for each in stage.invoke("plan_monitoring-scheduled", soon)["plans"]
        }
    states.stop_execution(executionArn=arn)
    assert both == {"auto_mpg": "monitor", "digits": "no_model"}
    key = f"monitoring/auto_mpg/{given['monitoring_id']}/seen.manifest"
    assert (plan["seen_uri"], plan["model_package_arn"]) == (f"s3://{stage.bucket}/{key}", package)
    manifest = json.loads(stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=key)["Body"].read())
    assert manifest == [{"prefix": f"s3://{stage.bucket}/"}, f"runs/{run}/predictions/batch.csv.out"]


def test_what_a_look_found_is_told_once_and_the_next_one_begins_there(stage: Stage) -> None:
    given = json.loads((ROOT / "events" / "report_monitoring-found.json").read_text(encoding="utf-8"))
    folder = f"monitoring/auto_mpg/{given['monitoring_id']}"
    package, plan = given["plan"]["model_package_arn"], given["plan"]
    weight = FeatureTest("weight", "kolmogorov_smirnov", 0.4, 0.1, drifted=True)
    drift = Drift(package, 300, 100, 0.001, (weight,))
    found = Monitored("auto_mpg", package, plan["since"], plan["until"], {"batch": 100}, drift)
    body = json.dumps(found.to_json()).encode()
    stage.upload(f"{folder}/monitoring.json", body)
    before = len(stage.mails())
    text = (
        json.dumps(given).replace("mpg-pipeline-bucket", stage.bucket).replace(given["digest"], digest(body))
    )
    with stage.scheduled(**json.loads(text)) as (arn, _):
        told = {given["digest"]: digest(body), given["execution_arn"]: arn}
        answers = [stage.invoke("report_monitoring-found", told) for _ in range(2)]
        stage.upload(f"{folder}/monitoring.json", body + b" ")
        assert stage.invoke("report_monitoring-found", told)["errorType"] == "FindingsRefused"
    assert [(answer["outcome"], answer["drifted"]) for answer in answers] == [("found", True)] * 2
    assert [mail["subject"] for mail in stage.mails()[before:]] == [f"Drift: {plan['title']}, version 7"]
    page = stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=f"{folder}/report.html")
    assert b"weight" in page["Body"].read()
    later = json.loads((ROOT / "events" / "report_monitoring-nothing-new.json").read_text(encoding="utf-8"))
    text = json.dumps(later).replace("mpg-pipeline-bucket", stage.bucket)
    with stage.scheduled(**json.loads(text)) as (arn, _):
        answer = stage.invoke("report_monitoring-nothing-new", {later["execution_arn"]: arn})
    assert answer["outcome"] == "nothing_new"
    item = cast(Any, stage.aws.client("dynamodb")).get_item(
        TableName=stage.table, Key={"pk": {"S": "monitor#auto_mpg"}}
    )["Item"]
    assert (item["until"]["S"], item["drifted"]["L"]) == (later["plan"]["until"], [{"S": "weight"}])


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("notify_monitoring-failed", "Monitoring failed"),
        ("notify_monitoring-timed-out", "Monitoring took too long"),
        ("notify_monitoring-aborted", "Monitoring was stopped"),
    ],
)
def test_the_end_of_a_look_that_failed_is_mailed_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    assert [mail["subject"] for mail in stage.mails()[before:]] == [subject]
