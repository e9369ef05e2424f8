"""SageMaker's event "a model package changed": if it was decided, the execution that waits for it goes on.

The event only says which package to look at; whoever may invoke this function can make one up. What counts
is the package's own status. A package that is still pending though its event says otherwise is read again for
some seconds, then the event fails (`DecisionNotVisible`), so that Lambda delivers it again a minute later.
Should that be in vain, too, it is in the dead-letter queue, and the scheduled sweep finds the decision.

Events of other packages, of other changes, late ones and duplicates do nothing. A decision that comes after
the run's end is recorded all the same, and people are told that nothing runs any more; so they are when
somebody changes a decided package later.
"""

import os
from datetime import datetime

from approval.packages import read_status, verdict_of
from approval.records import Approval, Decision, find, record_change
from approval.resuming import Settled, in_words, settle
from shared.aws import prepare
from shared.mails import Mail, facts_block, paragraphs, send
from shared.once import tell_once
from shared.patience import read_patiently
from shared.telemetry import Answer, Event, ForPeople, count, logger, measure, observed
from shared.text import defang, many_lines, one_line, readable_time

prepare("stepfunctions", "sagemaker")


class DecisionNotVisible(ForPeople):
    """An event says that a package was decided, and SageMaker that it was not."""


@observed
def handler(event: Event) -> Answer:
    arn = str(event["detail"]["ModelPackageArn"])
    says_decided = verdict_of(str(event["detail"].get("ModelApprovalStatus", ""))) is not None
    settled = read_patiently(lambda: _settled(arn)) if says_decided else "no decision"
    logger.info("model package changed", model_package_arn=arn, settled=settled or "pending")
    if settled is None:
        raise DecisionNotVisible(arn)
    return {"settled": settled}


def _settled(package_arn: str) -> Settled | None:
    settled = resume(package_arn)
    return None if settled == "pending" else settled


def resume(package_arn: str) -> Settled:
    """Hand on the decision about a package (see `settle`), measure how long it took, tell what came late."""
    settled = settle(package_arn)
    approval = find(package_arn) if settled in ("resumed", "too late", "changed") else None
    if approval and settled == "resumed":
        count("PipelineResumed")
        measure_time_to_decision(approval)
    if approval and settled == "too late":
        tell_too_late(approval)
    if approval and settled == "changed":
        tell_change(approval)
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


def tell_change(approval: Approval) -> None:
    """Tell once, and note, that a package was changed after its execution had its answer."""
    changed = read_status(approval.package_arn).decision()
    if changed is None or approval.standing is None:
        return
    mail, topic = change_mail(approval, approval.standing, changed), os.environ["NOTIFICATION_TOPIC_ARN"]
    tell_once(f"{approval.package_arn}#{changed.verdict}#{changed.decided_at}", lambda: send(mail, topic))
    record_change(approval, changed)


def change_mail(approval: Approval, before: Decision, now: Decision) -> Mail:
    """Says what the package says now, and what people were told before."""
    facts = [
        ("Now", defang(in_words(now))),
        ("Before", defang(in_words(before))),
        ("Run", approval.run_id),
        ("Model package", approval.package_arn),
    ]
    comment = defang(many_lines(now.comment, 2000))
    said = paragraphs(facts_block(facts), f"Comment:\n{comment}" if comment else "")
    return Mail(
        subject=f"Changed to {now.verdict}: model {approval.run_id}",
        text=f"""\
The model package was changed after its run had gone on: it is {now.verdict} now.

{said}
The package's own status is what counts. The run does nothing more. If nobody meant
this, set the status in SageMaker as it should be.
""",
    )


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
