"""Passes a decision to the execution that waits for it.

Every decision, on the review page or in SageMaker, ends as the approval status of the model package, and
reaches the execution only from there. Neither an event nor the record is trusted over the package. Calling
`settle` again, late or concurrently, is harmless: Step Functions accepts a token's result only once.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from botocore.exceptions import ClientError

from approval.packages import agree, read_status
from approval.records import find, mark_resumed, mark_too_late
from approval.request import Approval, Decision
from shared.aws import client, error_code
from shared.telemetry import PublicError, logger
from shared.text import now

Settled = Literal["unknown", "pending", "resumed", "already resumed", "too late", "changed"]
# Step Functions' errors for a token whose task no longer waits.
_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class CouldNotResume(PublicError):
    """Step Functions did not take the decision. The text names only the service's error code."""


def settle(package_arn: str) -> Settled:
    """Pass a package's decision to the execution that waits for it.

    A decision that is recorded but not on the package yet is pending: the review page offers to retry.
    "changed" means that the package's verdict changed after the execution got its answer, or ended.
    """
    approval = find(package_arn)
    if approval is None:
        return "unknown"
    on_package = read_status(package_arn).decision()
    if approval.standing and (approval.resumed_at or approval.too_late_at):
        if on_package and on_package.verdict != approval.standing.verdict:
            return "changed"
        return "already resumed" if approval.resumed_at else "too late"
    if on_package is None:
        return "pending"
    agreed = agree(approval, on_package)
    return _send(agreed, agreed.decision or on_package, agreed.overruled)


def task_result(decision: Decision, overruled: Decision | None = None) -> dict[str, str]:
    """The result of the state Ask for approval."""
    result = {
        "decision": decision.verdict,
        "reviewer": decision.reviewer,
        "comment": decision.comment,
        "decided_at": decision.decided_at,
    }
    return {**result, "overruled": overruled.in_words} if overruled else result


def _send(approval: Approval, decision: Decision, overruled: Decision | None) -> Settled:
    try:
        client("stepfunctions").send_task_success(
            taskToken=approval.task_token, output=json.dumps(task_result(decision, overruled))
        )
    except ClientError as error:
        if error_code(error) in _GONE:
            return _nobody_waits(approval, error_code(error))
        # A service's text may repeat the token from the request.
        raise CouldNotResume(error_code(error)) from None
    mark_resumed(approval, now())
    return "resumed"


def _nobody_waits(approval: Approval, code: str) -> Settled:
    """Distinguish a duplicate of a delivered decision from a decision after the run's end."""
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
