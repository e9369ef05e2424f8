"""Report what monitoring found about a workload: page, metrics, mail, and how far it looked.

The function reports only what an execution waits for (`runs/scheduled.py`), so that nobody can send a mail or
skip a window by invoking it. The execution looks at one workload at a time, so that its newest event is this
request.
"""

from dataclasses import asdict

from monitoring.reporting import report
from runs.scheduled import scheduled_request
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sns", "s3")


@observed
def handler(event: Event) -> Answer:
    outcome = report(scheduled_request(event, "monitoring_id", "plan", "digest"))
    logger.info("monitored", workload=outcome.workload, outcome=outcome.outcome)
    return asdict(outcome)
