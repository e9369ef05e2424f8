"""How an execution that waits for a decision gets it.

Every decision, on the review page or in SageMaker, ends as the approval status of the model package, and from
there takes this one road. Calling `settle` again, late or twice at once is harmless: the first recorded
decision stays, and Step Functions takes a token's result once.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from botocore.exceptions import ClientError

from approvals import Approval, Decision, Verdict, decide_in_sagemaker, find, mark_resumed, mark_too_late
from aws import client, error_code
from packages import read_status
from telemetry import ForPeople, logger
from text import now, timestamp

Settled = Literal["unknown", "pending", "resumed", "already resumed", "too late"]
# How Step Functions says that nothing waits behind a token any more.
_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class CouldNotResume(ForPeople):
    """Step Functions did not take the decision. The text names the service's error code and nothing else."""


def settle(package_arn: str, hint: Verdict | None = None) -> Settled:
    """Hand the decision about a package to the execution that waits for it.

    `hint` is what an event said. The record comes first, then the package as it is now, then the hint, since
    events come late, twice and out of order, and a read right after a write may be stale. A decision that is
    recorded but not on the package yet is pending: the review page offers to finish it.
    """
    approval = find(package_arn)
    if approval is None:
        return "unknown"
    if approval.resumed_at:
        return "already resumed"
    if approval.decision and (hint or approval.package_updated_at):
        return _send(approval, approval.decision)
    on_package = read_status(package_arn).decision() or _hinted(hint)
    if on_package is None:
        return "pending"
    decided = approval if approval.decision else _recorded(approval, on_package)
    return _send(decided, decided.decision or on_package)


def task_result(decision: Decision) -> dict[str, str]:
    """What the state that asked for approval gets."""
    return {
        "decision": decision.verdict,
        "reviewer": decision.reviewer,
        "comment": decision.comment,
        "decided_at": decision.decided_at,
    }


def _hinted(hint: Verdict | None) -> Decision | None:
    return Decision(hint, "someone in SageMaker", "", timestamp(now()), via="SageMaker") if hint else None


def _recorded(approval: Approval, on_package: Decision) -> Approval:
    decide_in_sagemaker(approval.package_arn, on_package)
    # Read again: a reviewer may have been a moment earlier.
    return find(approval.package_arn) or approval


def _send(approval: Approval, decision: Decision) -> Settled:
    try:
        client("stepfunctions").send_task_success(
            taskToken=approval.task_token, output=json.dumps(task_result(decision))
        )
    except ClientError as error:
        if error_code(error) in _GONE:
            return _nobody_waits(approval, error_code(error))
        # A service's text may repeat the token it was sent.
        raise CouldNotResume(error_code(error)) from None
    mark_resumed(approval, now())
    return "resumed"


def _nobody_waits(approval: Approval, code: str) -> Settled:
    """Tell a duplicate, whose twin has resumed the execution, from a decision after the run's end."""
    logger.info("nothing waits behind the task token", execution_arn=approval.execution_arn, error_code=code)
    execution = _describe(approval.execution_arn)
    if execution.get("status") == "RUNNING":
        return "already resumed"
    outcome = json.loads(execution.get("output") or "{}").get("outcome")
    if outcome in ("approved", "rejected"):
        mark_resumed(approval, now())
        return "already resumed"
    mark_too_late(approval, now())
    return "too late"


def _describe(execution_arn: str) -> Mapping[str, Any]:
    try:
        return cast(Mapping[str, Any], client("stepfunctions").describe_execution(executionArn=execution_arn))
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return {}  # forgotten, 90 days after its end
        raise
