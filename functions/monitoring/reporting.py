"""What comes of one look at a workload: report, metrics, mail, and where the next one begins."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.monitored import Monitored
from monitoring.findings import read_findings
from monitoring.mails import Told, identity_of, mail_about
from monitoring.measuring import measure_findings
from monitoring.plans import MONITOR, NOTHING_NEW, folder_of
from monitoring.records import LastLook, last_look, record_look
from shared import once
from shared.aws import client
from shared.mails import send
from shared.telemetry import count
from shared.text import one_line
from web.templating import render

TOO_LITTLE, FINE, FOUND, OVERTAKEN = "too_little_data", "fine", "found", "overtaken"
REPORT = "report.html"


@dataclass(frozen=True)
class Outcome:
    """`outcome` is one of the words above, or what the plan was; `drifted` asks for a retraining."""

    workload: str
    outcome: str
    drifted: bool = False
    degraded: bool = False
    report_uri: str = ""
    notes: tuple[str, ...] = ()


def report(request: Mapping[str, Any]) -> Outcome:
    """Report on a workload's plan and, if there was something to look at, what the job found."""
    plan, digest = request["plan"], str(request["digest"])
    workload, notes = str(plan["workload"]), tuple(map(str, plan["notes"]))
    if plan["todo"] not in (MONITOR, NOTHING_NEW):
        return Outcome(workload, plan["todo"], notes=notes)
    monitoring_id = str(request["monitoring_id"])
    before = last_look(workload)
    if before and before.monitoring_id != monitoring_id and before.until > str(plan["since"]):
        return Outcome(workload, OVERTAKEN, notes=("Another execution has looked at this meanwhile.",))
    if plan["todo"] == NOTHING_NEW:
        count("MonitoringNothingNew")
        record_look(workload, _after(before, plan, monitoring_id, None))
        return Outcome(workload, NOTHING_NEW, notes=notes)
    return _report_findings(plan, monitoring_id, digest, before, notes)


def _report_findings(
    plan: Mapping[str, Any], monitoring_id: str, digest: str, before: LastLook | None, notes: tuple[str, ...]
) -> Outcome:
    workload = str(plan["workload"])
    folder = folder_of(workload, monitoring_id)
    found = read_findings(folder, digest)
    shown = (*notes, *(one_line(problem, 600) for problem in found.problems))
    key = f"{folder}{REPORT}"
    _write_report(key, plan, found, shown)
    measure_findings(found)
    told = Told(plan, found, shown, key)
    if mail := mail_about(told, before):
        topic = os.environ["NOTIFICATION_TOPIC_ARN"]
        once.do(identity_of(told), lambda: send(mail, topic))
    record_look(workload, _after(before, plan, monitoring_id, found))
    outcome = FOUND if found.drifted or found.degraded else FINE if is_judged(found) else TOO_LITTLE
    if outcome == TOO_LITTLE:
        count("MonitoringTooLittleData")
    uri = f"s3://{os.environ['BUCKET_NAME']}/{key}"
    reason = (found.drift.problem,) if found.drift and found.drift.problem else ()
    said = tuple(one_line(text, 600) for text in (*reason, *shown))
    return Outcome(workload, outcome, found.drifted, found.degraded, uri, said)


def is_judged(found: Monitored) -> bool:
    """Whether there was enough data to judge anything."""
    return bool((found.drift and found.drift.tests) or found.quality)


def _after(
    before: LastLook | None, plan: Mapping[str, Any], monitoring_id: str, found: Monitored | None
) -> LastLook:
    """What to remember. What could not be judged now stays as it was, if the model is the same."""
    model = str(plan["model_package_arn"])
    same = before if before and before.model_package_arn == model else None
    drifted = same.drifted if same else frozenset()
    degraded = same.degraded if same else False
    if found and found.drift and found.drift.tests:
        drifted = frozenset(found.drift.drifted_features)
    if found and found.quality:
        degraded = found.degraded
    return LastLook(str(plan["until"]), monitoring_id, model, drifted, degraded)


def _write_report(key: str, plan: Mapping[str, Any], found: Monitored, notes: tuple[str, ...]) -> None:
    page = render("monitoring.html", plan=plan, found=found, notes=notes, judged=is_judged(found))
    client("s3").put_object(
        Bucket=os.environ["BUCKET_NAME"], Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8"
    )
