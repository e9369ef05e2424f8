"""Every few minutes: find what no event told, and do it.

AWS delivers its events on best effort, and a function can fail on one until it is given up. The table,
Step Functions and SageMaker know the truth, so this function asks them. What it finds it does with the
functions that do it when an event comes, all of which may be called again:

1. a decision that was recorded but did not reach the model package, or not the execution; a package that says
   something else than the record
2. an execution that ended and nobody was told
3. a job that works though no execution waits for it
4. a request for approval whose time is running out: a reminder

What fails is logged and keeps nothing else from being done; at the end the sweep fails, and the next one
tries again. `SweepDone` counts those that did not fail; an alarm hears when there are none.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from botocore.exceptions import ClientError

from approval.packages import bring_decision
from approval.records import Approval, to_look_after
from approval.reminder import remind
from handlers.notify import read_ending, tell
from handlers.resume_pipeline import resume, tell_too_late
from runs.endings import identity
from runs.executions import ENDED, Execution, describe_end, list_executions
from runs.names import PREFIX
from runs.orphans import Job, jobs_in_progress, stop, stop_jobs_of, superseded
from shared.aws import error_code, prepare
from shared.once import BeingTold, was_told
from shared.telemetry import Answer, Event, ForPeople, count, describe_error, logger, measure, observed
from shared.text import now

prepare("stepfunctions", "sagemaker", "sns")

# The machine's own limit of 45 days, 14 in which an execution that ended can be redriven, its limit anew.
_LISTED = timedelta(days=45 + 14 + 45)
# What nobody was told of for longer than this is no news; the alarm about the sweep itself has come before.
_TOLD_WITHIN = timedelta(days=1)
# A package may be decided in SageMaker after its request has expired: so long is looked for that.
_LATE_DECISIONS = timedelta(days=90)
_PACKAGE_IS_GONE = {"ValidationException", "ResourceNotFound"}


class SweepIncomplete(ForPeople):
    """Something could not be done; the log says what. The next sweep tries it again."""


class Chores:
    """Does one thing after the other and counts; one that fails does not keep the others from being done."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.failed = 0

    def do(self, name: str, chore: Callable[[], int], subject: str) -> None:
        """Call `chore`, which says how much it found to do. `subject` is for the log."""
        try:
            found = chore()
        except BeingTold:
            return  # by the event, which came after all
        except Exception as error:
            self.failed += 1
            logger.error(f"{name} failed", subject=subject, **describe_error(error))
            return
        if found:
            self.done[name] += found
            logger.info(f"{name}: made up for", subject=subject)


@observed
def handler(event: Event) -> Answer:
    chores = Chores()
    moment = now()
    executions = list_executions(os.environ["STATE_MACHINE_ARN"], moment - _LISTED)
    requests = list(to_look_after(answered_since=moment - _TOLD_WITHIN))
    hand_on_decisions(chores, requests, moment)
    tell_ends(chores, executions, moment)
    stop_orphans(chores, executions)
    look_after_the_waiting(chores, requests, executions, moment)
    logger.info("swept", failed=chores.failed, done=chores.done)
    measure("MadeUpFor", sum(chores.done.values()) - chores.done["reminder"])
    if chores.failed:
        raise SweepIncomplete(f"{chores.failed} things could not be done; the next sweep tries again")
    count("SweepDone")
    return dict(chores.done)


def hand_on_decisions(chores: Chores, requests: list[Approval], moment: datetime) -> None:
    """Bring recorded decisions to their packages, and packages' decisions to their executions."""
    for approval in requests:
        if _may_have_been_decided(approval, moment):
            chores.do("decision", partial(_hand_on, approval), approval.package_arn)


def tell_ends(chores: Chores, executions: list[Execution], moment: datetime) -> None:
    """Tell of executions that ended lately, if nobody was told."""
    for execution in executions:
        if execution.stopped and execution.stopped >= moment - _TOLD_WITHIN and execution.status in ENDED:
            chores.do("end", partial(_tell, execution), execution.arn)


def stop_orphans(chores: Chores, executions: list[Execution]) -> None:
    """Stop the jobs of executions that have ended, and those of attempts that a later one has replaced."""
    jobs = jobs_in_progress(PREFIX)
    for execution in executions:
        its_jobs = [job for job in jobs if job.attempt.run_id == execution.run_id]
        chores.do("job", partial(_stop, execution, its_jobs), execution.arn)


def look_after_the_waiting(
    chores: Chores, requests: list[Approval], executions: list[Execution], moment: datetime
) -> None:
    """Remind of the requests that an execution still waits for; measure how long they have been waiting."""
    running = {execution.arn for execution in executions if execution.status == "RUNNING"}
    hours_before = float(os.environ["REMINDER_HOURS"])
    waited, used = [0.0], [0.0]
    for approval in requests:
        if approval.decision or approval.expired(moment) or approval.execution_arn not in running:
            continue
        asked = datetime.fromisoformat(approval.requested_at).timestamp()
        waited.append((moment.timestamp() - asked) / 3600)
        used.append(100 * (moment.timestamp() - asked) / (approval.decide_before - asked))
        arn = approval.package_arn
        chores.do("reminder", partial(remind, arn, moment, hours_before), arn)
    measure("ApprovalWaitingHours", max(waited))
    # The same as a share of the time there is, so that one alarm fits every ApprovalTimeoutDays.
    measure("ApprovalTimeUsedPercent", max(used))


def _may_have_been_decided(approval: Approval, moment: datetime) -> bool:
    if approval.too_late_at:
        return datetime.fromisoformat(approval.too_late_at) >= moment - _TOLD_WITHIN
    return bool(approval.decision) or approval.decide_before >= (moment - _LATE_DECISIONS).timestamp()


def _hand_on(approval: Approval) -> bool:
    if approval.too_late_at and tell_too_late(approval):
        return True
    try:
        if approval.decision and not approval.package_updated_at and not approval.resumed_at:
            bring_decision(approval, approval.decision)
        settled = resume(approval.package_arn)
        return settled in ("resumed", "changed") or (settled == "too late" and not approval.too_late_at)
    except ClientError as error:
        if error_code(error) in _PACKAGE_IS_GONE:
            logger.warning("the model package was deleted", model_package_arn=approval.package_arn)
            return False
        raise


def _tell(execution: Execution) -> bool:
    if was_told(identity(execution.arn, execution.status, execution.redrives)):
        return False
    ended = describe_end({"executionArn": execution.arn, "redriveCount": execution.redrives})
    return ended is not None and tell(read_ending(ended), os.environ["NOTIFICATION_TOPIC_ARN"])


def _stop(execution: Execution, jobs: list[Job]) -> int:
    if execution.status in ENDED:
        return len(stop_jobs_of(execution.arn, jobs))
    return sum(stop(job) for job in superseded(jobs))
