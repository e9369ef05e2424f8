"""SageMaker's event "a model package changed": if it was decided, the execution that waits for it goes on.

Events of other packages, of other changes, late ones and duplicates do nothing. A decision that comes after
the run's end is recorded all the same, and people are told that nothing runs any more.
"""

import os
from datetime import datetime

from approvals import Approval, Verdict, find
from aws import prepare
from mails import Mail, facts_block, paragraphs, send
from packages import verdict_of
from resuming import Settled, settle
from telemetry import Answer, Event, count, logger, measure, observed
from text import defang, many_lines, one_line, readable_time
from told import tell_once

prepare("stepfunctions", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    arn = str(event["detail"]["ModelPackageArn"])
    verdict = verdict_of(str(event["detail"].get("ModelApprovalStatus", "")))
    settled = resume(arn, verdict) if verdict else "no decision"
    logger.info("model package changed", model_package_arn=arn, settled=settled)
    return {"settled": settled}


def resume(package_arn: str, verdict: Verdict | None = None) -> Settled:
    """Hand on the decision about a package (see `settle`), measure how long it took, tell if it came late."""
    settled = settle(package_arn, verdict)
    approval = find(package_arn) if settled in ("resumed", "too late") else None
    if approval and settled == "resumed":
        count("PipelineResumed")
        measure_time_to_decision(approval)
    if approval and settled == "too late":
        tell_too_late(approval)
    return settled


def measure_time_to_decision(approval: Approval) -> None:
    """How long people took. Not for a decision older than the request, which a redrive has repeated."""
    if approval.decision is None:
        return
    asked, decided = map(datetime.fromisoformat, (approval.requested_at, approval.decision.decided_at))
    if decided >= asked:
        measure("TimeToDecisionHours", (decided - asked).total_seconds() / 3600)


def tell_too_late(approval: Approval) -> bool:
    """Tell once that a package was decided after its execution's end. Returns whether it was told now."""
    mail, topic = too_late_mail(approval), os.environ["NOTIFICATION_TOPIC_ARN"]
    told = tell_once(f"{approval.execution_arn}#LATE", lambda: send(mail, topic))
    if told:
        count("DecisionTooLate")
    return told


def too_late_mail(approval: Approval) -> Mail:
    """Says what was decided, that it counts, and that the run had ended."""
    decision = approval.decision
    verdict = decision.verdict if decision else "decided"
    facts = [
        ("By", defang(one_line(decision.reviewer, 100)) if decision else ""),
        ("At", readable_time(decision.decided_at) if decision else ""),
        ("Run", approval.run_id),
        ("Model package", approval.package_arn),
    ]
    comment = defang(many_lines(decision.comment, 2000)) if decision else ""
    said = paragraphs(facts_block(facts), f"Comment:\n{comment}" if comment else "")
    return Mail(
        subject=f"{verdict.capitalize()} after the run's end: model {approval.run_id}",
        text=f"""\
The model package was {verdict} after its run had ended.

{said}
The decision is recorded and the package carries it. The run itself ended
before, as its own mail said, and does not go on. There is nothing to do.
""",
    )
