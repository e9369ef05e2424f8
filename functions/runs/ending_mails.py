"""The mail that tells how a run ended: what happened, what to do next, where to look."""

from collections.abc import Callable
from typing import Any

from approval.mails import metric, model_facts
from runs.endings import Ending
from runs.failure_mails import failure_mail
from runs.where_to_look import where_to_look
from shared.mails import Mail, facts_block, paragraphs
from shared.text import defang, many_lines, number, one_line, readable_time


def ending_mail(ending: Ending) -> Mail | None:
    """The mail about an end, None for a duplicate upload event, of which nobody needs to hear."""
    if ending.outcome == "already_processed":
        return None
    if ending.status == "SUCCEEDED":
        return _SUCCESSES.get(ending.outcome, _succeeded)(ending)
    return failure_mail(ending)


def _approved(ending: Ending) -> Mail:
    return _model_mail(
        ending,
        f"Approved: model {_run(ending)}, MSE {_mse(ending)}",
        f"{_reviewer(ending)} approved the model.",
        "What next: the model package is Approved and can be deployed. The predictions for the\n"
        "rows without mpg and for the test rows are at the address above.",
    )


def _rejected(ending: Ending) -> Mail:
    return _model_mail(
        ending,
        f"Rejected: model {_run(ending)}, MSE {_mse(ending)}",
        f"{_reviewer(ending)} rejected the model.",
        "What next: the model package is Rejected and should not be deployed. The comment says\n"
        "why; a new upload starts a new run.",
    )


def _expired(ending: Ending) -> Mail:
    return _model_mail(
        ending,
        f"Expired: nobody decided about model {_run(ending)}, MSE {_mse(ending)}",
        "Nobody decided about the model in time. The run has ended.",
        "What next: the model package still is PendingManualApproval. It can be approved or\n"
        "rejected in SageMaker; that is recorded and told, but the run does not go on.",
    )


def _succeeded(ending: Ending) -> Mail:
    return _model_mail(ending, f"Ended: run {_run(ending)}, {ending.outcome}", "The run has ended.", "")


_SUCCESSES: dict[str, Callable[[Ending], Mail]] = {
    "approved": _approved,
    "rejected": _rejected,
    "expired": _expired,
}


def _model_mail(ending: Ending, subject: str, what: str, what_next: str) -> Mail:
    output = ending.output
    key = (output.get("upload") or {}).get("key") or ending.upload
    facts = [
        *model_facts({**output, "key": key}),
        ("Decided", readable_time(str(_decision(ending).get("decided_at") or ""))),
        ("Overruled", defang(one_line(str(_decision(ending).get("overruled") or ""), 300))),
        ("Model package", str(output.get("model_package_arn") or "")),
        ("Predictions", str(output.get("predictions_uri") or "")),
    ]
    return Mail(
        subject, paragraphs(what, _comment(ending), facts_block(facts), what_next, where_to_look(ending))
    )


def _comment(ending: Ending) -> str:
    comment = defang(many_lines(str(_decision(ending).get("comment") or ""), 2000))
    return f"Comment:\n{comment}" if comment else ""


def _reviewer(ending: Ending) -> str:
    return defang(one_line(str(_decision(ending).get("reviewer") or "Somebody"), 100))


def _decision(ending: Ending) -> dict[str, Any]:
    decision = ending.output.get("decision")
    return decision if isinstance(decision, dict) else {}


def _run(ending: Ending) -> str:
    return str(ending.output.get("run_id") or "")


def _mse(ending: Ending) -> str:
    return number(metric(ending.output, "mse"))
