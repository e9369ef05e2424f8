"""Looks for a finished run that did the same step with the same content.

Only a hit counts. Whatever else happens here, the run does the step itself: reuse saves time, and must not
be able to break a run.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from reuse.entries import Entry, read
from reuse.files import VOUCHERS, digest, fingerprint
from reuse.keys import find_key
from runs.executions import ENDED_BADLY, describe
from shared.aws import error_code
from shared.telemetry import Answer, count, describe_error, logger, measure_apart
from shared.text import now


def find(request: Mapping[str, Any]) -> Answer:
    """Answer with `key`, by which this run's result is remembered, and `found`, the result to reuse.

    Each is missing if it is unknown. `found` has the earlier run's `run_id`. `model_digest` is that of the
    model that is evaluated. Never raises.
    """
    answer: Answer = {}
    try:
        answer |= find_key(request)
        if request["reuse"] and "key" in answer:
            answer |= _find(str(request["step"]), answer["key"])
    except Exception as error:
        logger.warning("could not look for a result", step=request["step"], **describe_error(error))
        count("ReuseFailed")
    return answer


def _find(step: str, key: str) -> Answer:
    entry = read(key)
    if entry is None:
        return {}
    if problem := _problem(entry):
        logger.info("result not reused", step=step, of=entry.run_id, problem=problem)
        return {}
    logger.info("result reused", step=step, of=entry.run_id)
    measure_apart("ResultReused", 1, Step=step)
    return {"found": {**entry.result, "run_id": entry.run_id}}


def _problem(entry: Entry) -> str:
    """Why the result cannot be reused; empty if it can."""
    if entry.expires_at <= now().timestamp():
        return "expired"
    if (status := _status(entry.execution_arn)) in {*ENDED_BADLY, ""}:
        return f"its run has the status {status or 'unknown'}"
    uri = entry.result["uri"]
    if fingerprint(uri) != entry.fingerprint:
        return "its files were changed or deleted"
    if digest(uri + VOUCHERS[entry.step]) != entry.result["digest"]:
        return "its file has another digest"
    return ""


def _status(execution_arn: str) -> str:
    """The execution's status; empty once Step Functions has deleted it."""
    try:
        return str(describe(execution_arn)["status"])
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return ""
        raise
