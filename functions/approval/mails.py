"""The mail that asks for a decision: the facts, the link alone on its line, until when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from approval.records import Approval
from shared.mails import Mail, facts_block
from shared.text import defang, number, one_line, readable_time, timestamp


def approval_mail(approval: Approval, link: str) -> Mail:
    """What the approvers' topic gets. The link is nowhere but in this mail."""
    threshold = number(approval.facts.get("threshold"))
    mse = number(metric(approval.facts, "mse"))
    until = readable_time(timestamp(datetime.fromtimestamp(approval.decide_before, UTC)))
    return Mail(
        subject=f"Approve or reject: model {approval.run_id}, MSE {mse} (threshold {threshold})",
        text=f"""\
A new model waits for your decision.

{facts_block(model_facts(approval.facts))}

Look at it and decide here:

{link}

The link works until {until}. Opening it changes nothing; the page asks
you for a decision, your name and, to reject, a reason.
Whoever has the link can decide, so do not forward it.

Approving sets the model package to Approved, which lets it be deployed, and
ends the run. Rejecting sets it to Rejected. Without an answer the package
stays as it is and can be decided in SageMaker later:
{approval.package_arn}
""",
    )


def reminder_mail(approval: Approval, link: str, moment: datetime) -> Mail:
    """What the approvers' topic gets when the time to decide is running out. The link is a new one."""
    mse = number(metric(approval.facts, "mse"))
    left = time_left(approval.decide_before - moment.timestamp())
    until = readable_time(timestamp(datetime.fromtimestamp(approval.decide_before, UTC)))
    return Mail(
        subject=f"Reminder, {left} left: approve or reject model {approval.run_id}, MSE {mse}",
        text=f"""\
A model still waits for your decision. Time left: {left}.

{facts_block(model_facts(approval.facts))}

Look at it and decide here:

{link}

The link works until {until} and replaces the one in the mail
of {readable_time(approval.requested_at)}, which decides nothing any more.
Whoever has the link can decide, so do not forward it.

Without an answer the run ends, and the model package stays as it is and can
be decided in SageMaker later:
{approval.package_arn}
""",
    )


def time_left(seconds: float) -> str:
    """`3 days`, `23 hours`, `45 minutes`: rounded down, in the largest unit of which there are two."""
    minutes = max(int(seconds // 60), 1)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 2 * 60:
        return f"{minutes // 60} hours"
    return f"{minutes} minutes" if minutes > 1 else "1 minute"


def model_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What there is to say about a model, as name and value; also for the mails that tell how a run ended."""
    rows = _evaluation(facts).get("rows") or {}
    champion = _evaluation(facts).get("champion") or {}
    uploaded = readable_time(str(facts.get("uploaded_at") or ""))
    return [
        ("File", defang(one_line(str(facts.get("key") or ""), 256))),
        ("Uploaded", uploaded),
        ("Uploaded by", defang(_uploader(facts))),
        ("Rows", ", ".join(f"{number(rows[name])} {name}" for name in _SPLITS if name in rows)),
        ("Test MSE", f"{number(metric(facts, 'mse'))} (threshold {number(facts.get('threshold'))})"),
        ("Test RMSE", number(metric(facts, "rmse"))),
        ("Std. of errors", number(metric(facts, "mse", "standard_deviation"))),
        ("Predicting mean", f"MSE {number((_evaluation(facts).get('baseline') or {}).get('mse'))}"),
        (
            "Earlier model",
            f"approved, MSE {number(champion.get('mse'))} on the same rows"
            if champion
            else defang(champion_problem(facts)) or "none approved yet",
        ),
        ("Run", str(facts.get("run_id") or "")),
    ]


def champion_problem(facts: Mapping[str, Any]) -> str:
    """Why the approved model could not be measured on the same rows; empty if it was, or if there is none."""
    return one_line(str(_evaluation(facts).get("champion_problem") or ""), 600)


def _uploader(facts: Mapping[str, Any]) -> str:
    """What S3 says of who sent the file: an account or a service, and an address."""
    who, address = (one_line(str(facts.get(name) or ""), 100) for name in ("uploaded_by", "source_ip"))
    return f"{who} from {address}" if who and address else who or address


_SPLITS = ("train", "validation", "test", "batch")


def metric(facts: Mapping[str, Any], name: str, part: str = "value") -> object:
    """A regression metric of `evaluation.json`, None if it is not there."""
    metrics = _evaluation(facts).get("regression_metrics") or {}
    return (metrics.get(name) or {}).get(part)


def _evaluation(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return facts.get("evaluation") or {}
