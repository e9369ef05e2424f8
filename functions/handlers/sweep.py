"""Every few minutes: reconcile what an event failed to report.

AWS delivers its events on best effort, and a function can fail on one until it is given up. The table,
Step Functions and SageMaker know the truth, so this function asks them. What it finds it does with the
functions that do it when an event comes, all of which may be called again:

1. a decision that was recorded but did not reach the model package, or not the execution; a package that says
   something else than the record
2. an execution that ended without a mail about it
3. a job that works though no execution waits for it
4. a request for approval whose time is running out: a reminder

What fails is logged and keeps nothing else from being done; at the end the sweep fails, and the next one
tries again. `SweepDone` counts those that did not fail; an alarm rings when there are none.
"""

import os
from datetime import timedelta

from approval.reconciling import hand_on_decisions, remind_approvers
from approval.records import to_look_after
from runs.executions import list_executions
from runs.reconciling import announce_ends, stop_orphans
from shared.aws import prepare
from shared.chores import Chores
from shared.telemetry import Answer, Event, PublicError, count, logger, measure, observed
from shared.text import now

prepare("stepfunctions", "sagemaker", "sns")

# The machine's own limit of 45 days, 14 in which an execution that ended can be redriven, its limit anew.
_LISTED = timedelta(days=45 + 14 + 45)
# What nobody heard of for longer than this is no news; the alarm about the sweep itself has come before.
_NEWS = timedelta(days=1)


class SweepIncomplete(PublicError):
    """Something could not be done; the log says what. The next sweep tries it again."""


@observed
def handler(event: Event) -> Answer:
    chores, moment = Chores(), now()
    executions = list_executions(os.environ["STATE_MACHINE_ARN"], moment - _LISTED)
    requests = list(to_look_after(answered_since=moment - _NEWS))
    hand_on_decisions(chores, requests, moment, _NEWS)
    announce_ends(chores, executions, moment, _NEWS)
    stop_orphans(chores, executions)
    running = {execution.arn for execution in executions if execution.status == "RUNNING"}
    remind_approvers(chores, requests, running, moment)
    logger.info("swept", failed=chores.failed, done=chores.done)
    measure("Reconciled", sum(chores.done.values()) - chores.done["reminder"])
    if chores.failed:
        raise SweepIncomplete(f"{chores.failed} things could not be done; the next sweep tries again")
    count("SweepDone")
    return dict(chores.done)
