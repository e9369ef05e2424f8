"""What people are told about what monitoring found: report, mail, metrics; and how far it looked."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from handlers import report_monitoring
from monitoring.findings import FindingsRefused
from monitoring.plans import folder_of
from monitoring.records import LastLook, last_look, record_look
from runs.scheduled import RequestNotScheduled
from shared.mails import send
from shared.once import InProgress
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.fakes import service_error
from tests.unit.functions.monitoring import (
    CALM,
    DEGRADED,
    DRIFTED,
    FOLDER,
    ID,
    MONITOR,
    PACKAGE,
    WORKLOAD,
    findings,
    found,
    plan_of,
)


def report(
    world: World, context: Any, digest: str = "none", monitoring_id: str = ID, **changes: Any
) -> dict[str, Any]:
    request = {
        "execution_arn": MONITOR,
        "monitoring_id": monitoring_id,
        "plan": plan_of(**changes),
        "digest": digest,
    }
    world.stepfunctions.schedule(request)
    return report_monitoring.handler(request, context)


def page(world: World) -> str:
    answer = world.s3.get_object(Bucket=BUCKET, Key=f"{FOLDER}report.html")
    assert answer["ContentType"] == "text/html; charset=utf-8"
    return str(answer["Body"].read().decode())


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], float]:
    """Namespace and name of each metric on stdout, and its value."""
    values = {}
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                values[directive["Namespace"], metric["Name"]] = document[metric["Name"]][0]
    return values


def test_a_drift_is_reported_mailed_and_remembered(world: World, context: Any) -> None:
    answer = report(world, context, findings(world, found(DRIFTED, CALM)))
    assert (answer["outcome"], answer["drifted"], answer["degraded"]) == ("found", True, False)
    assert answer["report_uri"] == f"s3://{BUCKET}/{FOLDER}report.html"
    [(subject, text)] = world.mails()
    assert subject == "Drift: A title, version 3"
    assert "weight" in text
    assert "mpg retrain auto_mpg" in text
    assert last_look(WORKLOAD) == LastLook("2026-03-10T00:00:00Z", ID, PACKAGE, frozenset({"weight"}))


def test_worse_predictions_are_mailed_with_both_errors(world: World, context: Any) -> None:
    answer = report(world, context, findings(world, found(CALM, quality=DEGRADED)))
    assert (answer["drifted"], answer["degraded"]) == (False, True)
    [(subject, text)] = world.mails()
    assert subject == "Worse predictions: A title, version 3"
    assert "Mean error 2 now, 1 then" in " ".join(text.split())


def test_both_are_one_mail(world: World, context: Any) -> None:
    report(world, context, findings(world, found(DRIFTED, quality=DEGRADED)))
    [(subject, _)] = world.mails()
    assert subject == "Drift and worse predictions: A title, version 3"


def test_the_mailed_link_leads_to_the_report_and_says_until_when(world: World, context: Any) -> None:
    report(world, context, findings(world, found(DRIFTED)))
    [(_, text)] = world.mails()
    link = next(line for line in text.splitlines() if line.startswith("https://"))
    parts, query = urlsplit(link), parse_qs(urlsplit(link).query)
    assert f"{BUCKET}" in parts.netloc + parts.path
    assert parts.path.endswith(f"/{FOLDER}report.html")
    assert query["X-Amz-Expires"] == ["3600"]
    # S3 refuses an older signature for objects under a KMS key.
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert re.search(r"This link to it works until \d{4}-\d\d-\d\d \d\d:\d\d UTC:", text)
    assert f"aws s3 cp s3://{BUCKET}/{FOLDER}report.html" in text


def test_a_retraining_that_was_asked_for_is_said(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAINS_ON_DRIFT", "true")
    report(world, context, findings(world, found(DRIFTED)))
    [(_, text)] = world.mails()
    assert "it was asked for" in text
    assert "mpg retrain" not in text


def test_the_report_shows_every_feature_and_what_was_looked_at(world: World, context: Any) -> None:
    report(
        world,
        context,
        findings(world, found(DRIFTED, CALM, quality=DEGRADED)),
        notes=["One file was left out."],
    )
    text = page(world)
    for shown in ("weight", "year", "150", "One file was left out.", "2026-03-10 00:00 UTC", "<svg", PACKAGE):
        assert shown in text, shown


def test_what_a_job_wrote_cannot_become_part_of_the_page_or_a_link_in_the_mail(
    world: World, context: Any
) -> None:
    hostile = replace(DRIFTED, name="<script>alert(1)</script> http://evil.example")
    report(world, context, findings(world, found(hostile, problems=("see http://evil.example",))))
    assert "<script>" not in page(world)
    [(_, text)] = world.mails()
    assert "http://evil.example" not in text


@pytest.mark.parametrize("quality", [None, replace(DEGRADED, degraded=False, low=-0.5)])
def test_a_calm_window_is_reported_and_not_mailed(world: World, context: Any, quality: Any) -> None:
    answer = report(world, context, findings(world, found(CALM, quality=quality)))
    assert answer["outcome"] == "fine"
    assert "No drift" in page(world)
    assert world.mails() == []


def test_too_little_data_is_said_and_not_judged(world: World, context: Any, capsys: Any) -> None:
    answer = report(world, context, findings(world, found(problem="There are 3 rows; 30 are needed.")))
    assert (answer["outcome"], answer["drifted"]) == ("too_little_data", False)
    assert answer["notes"] == ("There are 3 rows; 30 are needed.",)
    assert "Too little data" in page(world)
    assert "There are 3 rows" in page(world)
    assert world.mails() == []
    assert metrics(capsys)["MpgPipeline", "MonitoringTooLittleData"] == 1


def test_nothing_new_is_counted_and_moves_the_window(world: World, context: Any, capsys: Any) -> None:
    answer = report(world, context, todo="nothing_new")
    assert answer["outcome"] == "nothing_new"
    assert world.mails() == []
    assert metrics(capsys)["MpgPipeline", "MonitoringNothingNew"] == 1
    look = last_look(WORKLOAD)
    assert look
    assert look.until == "2026-03-10T00:00:00Z"


@pytest.mark.parametrize("todo", ["no_model", "not_watched"])
def test_what_is_not_watched_leaves_nothing_behind(world: World, context: Any, todo: str) -> None:
    answer = report(world, context, todo=todo, notes=["It has no monitoring.py."])
    assert (answer["outcome"], answer["notes"]) == (todo, ("It has no monitoring.py.",))
    assert world.items() == []


def test_the_metrics_have_model_monitors_names(world: World, context: Any, capsys: Any) -> None:
    report(world, context, findings(world, found(DRIFTED, CALM, quality=DEGRADED)))
    data, quality = (f"/aws/sagemaker/ModelMonitoring/{kind}-metrics" for kind in ("data", "model"))
    values = metrics(capsys)
    assert {place: value for place, value in values.items() if place[0] != "MpgPipeline"} == {
        (data, "feature_baseline_drift_weight"): 0.4,
        (data, "feature_baseline_drift_year"): 0.05,
        (quality, "error"): 2.0,
    }
    assert values["MpgPipeline", "DriftFound"] == values["MpgPipeline", "DegradationFound"] == 1
    assert values["MpgPipeline", "RowsMonitored"] == 40


def test_a_document_of_metrics_stays_within_its_limits(world: World, context: Any, capsys: Any) -> None:
    many = [replace(CALM, name=f"feature {n} {'x' * 300} é") for n in range(130)]
    report(world, context, findings(world, found(*many)))
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    directives = [d for line in documents for d in line.get("_aws", {}).get("CloudWatchMetrics", ())]
    about = [d for d in directives if d["Namespace"].endswith("data-metrics")]
    assert [len(d["Metrics"]) for d in about] == [100, 30]
    names = [metric["Name"] for d in about for metric in d["Metrics"]]
    assert all(len(name) <= 255 and name.isascii() for name in names)
    for directive in about:
        [dimensions] = directive["Dimensions"]
        assert "MonitoringSchedule" in dimensions
        assert len(dimensions) <= 30


def before(**changes: Any) -> LastLook:
    look = LastLook("2026-03-03T00:00:00Z", "earlier", PACKAGE, frozenset({"weight"}), degraded=True)
    return replace(look, **changes)


def test_the_same_drift_is_not_mailed_again(world: World, context: Any) -> None:
    record_look(WORKLOAD, before())
    answer = report(world, context, findings(world, found(DRIFTED, quality=DEGRADED)))
    assert answer["drifted"]
    assert world.mails() == []


@pytest.mark.parametrize(
    "changes",
    [{"drifted": frozenset({"year"})}, {"degraded": False}, {"model_package_arn": "arn:model-package/x/2"}],
)
def test_what_is_new_is_mailed(world: World, context: Any, changes: dict[str, Any]) -> None:
    record_look(WORKLOAD, before(**changes))
    report(world, context, findings(world, found(DRIFTED, quality=DEGRADED)))
    assert len(world.mails()) == 1


def test_a_drift_that_was_over_is_mailed_when_it_comes_back(world: World, context: Any) -> None:
    record_look(WORKLOAD, before())
    report(world, context, findings(world, found(CALM)))
    look = last_look(WORKLOAD)
    assert look
    assert look.drifted == frozenset()
    # Without late labels, what was said about the predictions still holds.
    assert look.degraded


@pytest.mark.parametrize("todo", ["monitor", "nothing_new"])
def test_what_could_not_be_judged_changes_no_verdict(world: World, context: Any, todo: str) -> None:
    record_look(WORKLOAD, before())
    report(world, context, findings(world, found(problem="Too few rows.")), todo=todo)
    look = last_look(WORKLOAD)
    assert look
    assert (look.drifted, look.degraded) == (frozenset({"weight"}), True)


def test_a_retry_sends_no_second_mail(world: World, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = findings(world, found(DRIFTED))
    with monkeypatch.context() as patch:
        patch.setattr("monitoring.reporting.record_look", _fail)
        with pytest.raises(Exception, match="UpdateItem"):
            report(world, context, digest)
    assert report(world, context, digest)["outcome"] == "found"
    assert report(world, context, digest)["outcome"] == "found"
    assert len(world.mails()) == 1


def _fail(*_: Any) -> None:
    raise service_error("InternalServerError", "UpdateItem")


def test_two_executions_at_once_tell_once(world: World, context: Any) -> None:
    record_look(WORKLOAD, LastLook("2026-03-11T00:00:00Z", "another"))
    answer = report(world, context, findings(world, found(DRIFTED)))
    assert answer["outcome"] == "overtaken"
    assert world.mails() == []
    look = last_look(WORKLOAD)
    assert look
    assert look.monitoring_id == "another"


def test_two_looks_at_the_same_that_report_at_the_same_moment_tell_once(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = findings(world, found(DRIFTED))
    findings(world, found(DRIFTED), folder_of(WORKLOAD, "another"))
    other = {"execution_arn": f"{MONITOR}2", "monitoring_id": "another", "plan": plan_of(), "digest": digest}
    world.stepfunctions.schedule(other)

    def send_while_another_look_reports(*mail: Any) -> None:
        monkeypatch.setattr("monitoring.reporting.send", send)
        with pytest.raises(InProgress):
            report_monitoring.handler(other, context)
        send(*mail)

    monkeypatch.setattr("monitoring.reporting.send", send_while_another_look_reports)
    answers = [report(world, context, digest), report_monitoring.handler(other, context)]
    assert [answer["outcome"] for answer in answers] == ["found", "overtaken"]
    assert len(world.mails()) == 1


@pytest.mark.parametrize(
    ("call", "mails"),
    [("last_look", 0), ("read_findings", 0), ("_write_report", 0), ("send", 0), ("record_look", 1)],
)
def test_whatever_fails_in_a_report_the_next_look_finds_the_same_and_tells_once(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch, call: str, mails: int
) -> None:
    digest = findings(world, found(DRIFTED))
    with monkeypatch.context() as patch:
        patch.setattr(f"monitoring.reporting.{call}", _fail)
        with pytest.raises(Exception, match="InternalServerError"):
            report(world, context, digest)
    assert (len(world.mails()), last_look(WORKLOAD)) == (mails, None)
    findings(world, found(DRIFTED), folder_of(WORKLOAD, "next"))
    answer = report(world, context, digest, monitoring_id="next")
    assert (answer["outcome"], len(world.mails())) == ("found", 1)


def test_what_a_look_said_before_it_died_hides_nothing_that_the_next_one_finds(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("monitoring.reporting.record_look", _fail)
        with pytest.raises(Exception, match="UpdateItem"):
            report(world, context, findings(world, found(DRIFTED)))
    report(world, context, findings(world, found(DRIFTED, quality=DEGRADED)))
    assert [subject.partition(":")[0] for subject, _ in world.mails()] == [
        "Drift",
        "Drift and worse predictions",
    ]


def test_findings_that_were_changed_are_refused(world: World, context: Any) -> None:
    digest = findings(world, found(CALM))
    findings(world, found(DRIFTED))
    with pytest.raises(FindingsRefused, match="was changed after the job wrote it"):
        report(world, context, digest)
    assert (world.mails(), world.items()) == ([], [])


def test_findings_that_are_missing_or_huge_are_refused(world: World, context: Any) -> None:
    with pytest.raises(FindingsRefused, match="is missing"):
        report(world, context, "sha256:0")
    world.put(f"{FOLDER}monitoring.json", b" " * 5_000_001)
    with pytest.raises(FindingsRefused, match="5,000,001 bytes"):
        report(world, context, "sha256:0")


def test_nobody_can_have_something_reported_that_no_execution_asks_for(world: World, context: Any) -> None:
    digest = findings(world, found(DRIFTED))
    report(world, context, digest)
    forged = {
        "execution_arn": MONITOR,
        "monitoring_id": ID,
        "plan": plan_of(title="Forged"),
        "digest": digest,
    }
    with pytest.raises(RequestNotScheduled):
        report_monitoring.handler(forged, context)
    assert len(world.mails()) == 1
