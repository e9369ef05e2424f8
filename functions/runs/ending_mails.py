"""The mail that says how a run ended: what happened, what to do next, where the details are."""

import os

from costs.words import cost_row
from model.report import Report
from runs.endings import Ending
from shared.commands import report_command
from shared.links import Link
from shared.mails import Mail, render

# Ends with a template of their own. Other successes use `succeeded`, other failures `failed`.
_TEMPLATES = {
    "approved": "decided",
    "rejected": "decided",
    "expired": "expired",
    "UploadRefused": "refused",
    "ModelQualityTooLow": "not_good_enough",
    "TooManyRuns": "too_many_runs",
    "RunTooExpensive": "too_expensive",
    "TIMED_OUT": "timed_out",
    "ABORTED": "aborted",
}
_CONSOLES = {"aws-us-gov": "console.amazonaws-us-gov.com"}


def ending_mail(ending: Ending, link: Link | None = None) -> Mail:
    """The mail about an end, with the link to the run's report if there is one."""
    fallback = "succeeded" if ending.status == "SUCCEEDED" else "failed"
    return render(
        f"runs/{_TEMPLATES.get(ending.outcome, fallback)}",
        ending=ending,
        report=_report(ending),
        decision=ending.decision,
        console=console_of(ending.execution_arn),
        link=link,
        report_command=report_command(ending.run_id),
        cost=cost_row(ending.cost),
    )


def _report(ending: Ending) -> Report:
    cost = {"cost": ending.cost.to_json()} if ending.cost else {}
    return Report.from_facts({"key": ending.upload, **ending.output, **cost})


def console_of(execution_arn: str) -> str:
    """The execution's page in the AWS console; empty outside of AWS."""
    if "AWS_ENDPOINT_URL" in os.environ:
        return ""
    partition, region = execution_arn.split(":")[1], execution_arn.split(":")[3]
    console = _CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{console}/states/home?region={region}#/v2/executions/details/{execution_arn}"
