"""Every few minutes: reconcile what an event failed to report.

AWS delivers events on a best-effort basis, and a function may fail on every attempt at one. The table, Step
Functions and SageMaker have the true state, so this function reads it there. It calls the same idempotent
code as the functions that handle the events:

1. a decision that was recorded but did not reach the model package or the execution; a package whose verdict
   differs from the record's
2. an execution that ended without a mail
3. a job that runs although no execution waits for it
4. a request for approval whose time is running out: a reminder
5. an approved model that no event released; a release that ended without a mail
6. an execution of monitoring that failed without a mail

A failure is logged and does not keep the sweep from its other work; at the end the sweep fails, and the next
one tries again. `SweepDone` counts the successful sweeps; an alarm goes off when there are none.
"""

import os
from datetime import timedelta

from approval.reconciling import hand_on_decisions, remind_approvers
from approval.records import open_or_answered_since
from monitoring.reconciling import announce_monitoring
from release.reconciling import announce_releases, start_missed_releases
from runs.executions import list_executions
from runs.reconciling import announce_ends, stop_orphans
from shared.aws import prepare
from shared.chores import Chores
from shared.telemetry import Answer, Event, PublicError, count, logger, measure, observed
from shared.text import now

prepare("stepfunctions", "sagemaker", "sns")

# The state machine's limit of 45 days, 14 days in which an execution can be redriven, and the limit again.
_LISTED = timedelta(days=45 + 14 + 45)
# A release that takes a day times out.
_RELEASES_LISTED = timedelta(days=2)
# Monitoring that takes two days times out.
_MONITORING_LISTED = timedelta(days=4)
# An end older than this is not mailed any more; the alarm on missing sweeps has gone off long before.
_NEWS = timedelta(days=1)


class SweepIncomplete(PublicError):
    """Part of the sweep failed; the log says which. The next sweep tries again."""


@observed
def handler(event: Event) -> Answer:
    chores, moment = Chores(), now()
    executions = list_executions(os.environ["STATE_MACHINE_ARN"], moment - _LISTED)
    requests = list(open_or_answered_since(moment - _NEWS))
    hand_on_decisions(chores, requests, moment, _NEWS)
    announce_ends(chores, executions, moment, _NEWS)
    monitoring = list_executions(os.environ["MONITOR_MACHINE_ARN"], moment - _MONITORING_LISTED)
    announce_monitoring(chores, monitoring, moment, _NEWS)
    stop_orphans(chores, [*executions, *monitoring])
    running = {execution.arn for execution in executions if execution.status == "RUNNING"}
    remind_approvers(chores, requests, running, moment)
    releases = list_executions(os.environ["RELEASE_MACHINE_ARN"], moment - _RELEASES_LISTED)
    announce_releases(chores, releases, moment, _NEWS)
    if os.environ["ENDPOINT_TYPE"] != "none":
        start_missed_releases(chores, moment, _NEWS)
    logger.info("swept", failed=chores.failed, done=chores.done)
    measure("Reconciled", sum(chores.done.values()) - chores.done["reminder"])
    if chores.failed:
        raise SweepIncomplete(f"{chores.failed} things could not be done; the next sweep tries again")
    count("SweepDone")
    return dict(chores.done)
