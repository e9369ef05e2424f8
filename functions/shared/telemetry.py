"""Logs, traces and metrics of every function, set up once.

Nothing that lets somebody act (task token, link id) and nothing that a person wrote (names, comments) is
logged or traced: events and return values are not recorded, and log lines name their values one by one. Of
what a function raises, Lambda itself writes the text to the log and to X-Ray. So only `PublicError` leaves a
function with its text, in which a refused file may be quoted; any other exception leaves it with the
service's code and the operation.
"""

import os
import re
import traceback
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

Event = Mapping[str, Any]
Answer = dict[str, Any]
Logic = Callable[[Event], Answer]
Handler = Callable[[dict[str, Any], LambdaContext], Answer]

logger = Logger()
metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "MpgPipeline"))
# Lambda tells where its X-Ray daemon listens. An emulator has none: there the SDK would complain at every
# call, and take longer to import than most handlers run.
tracer: Any = None
if "AWS_XRAY_DAEMON_ADDRESS" in os.environ:
    from shared.traces import new_tracer

    tracer = new_tracer()
# An event that leads to nothing is nothing to count, and nothing to warn of.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# What may be repeated of a refusal: the action that IAM names, and the key.
_REFUSED_ACTION = re.compile(r"\b[a-z0-9-]+:[A-Z][A-Za-z]+\b|\barn:aws[a-z-]*:kms:[\w:/-]+")


class PublicError(Exception):
    """An error whose text may be shown: written for people, it repeats nothing that lets somebody act."""


def observed(logic: Logic) -> Handler:
    """Make a Lambda handler of a function that takes the event: JSON logs, a trace, metrics on stdout."""

    @wraps(logic)
    def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
        try:
            return logic(event)
        except PublicError:
            raise
        except Exception as error:
            raise _without_text(error).with_traceback(error.__traceback__) from None

    with_metrics = metrics.log_metrics(_traced(handler), capture_cold_start_metric=True)
    return logger.inject_lambda_context(with_metrics, clear_state=True)


def _without_text(error: Exception) -> Exception:
    """An error of the same name that says no more than may be recorded."""
    said = [getattr(error, "operation_name", ""), _error_code(error), *_REFUSED_ACTION.findall(str(error))]
    text = " ".join(dict.fromkeys(part for part in said if part)) or "The log names the lines of code."
    kind: Any = type(type(error).__name__, (type(error),), {"__str__": lambda _: text})
    same: Exception = kind.__new__(kind)
    return same


def _traced(handler: Handler) -> Handler:
    if tracer is None:
        return handler
    traced: Handler = tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
    return traced


def count(name: str) -> None:
    """Add one to the CloudWatch metric `name`."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def measure(name: str, value: float) -> None:
    """Add a value to the CloudWatch metric `name`, whose unit is in its name."""
    metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)


def measure_apart(name: str, value: float, **dimensions: str) -> None:
    """The same for a metric that has dimensions of its own beside the service."""
    with single_metric(name, MetricUnit.NoUnit, value, namespace=metrics.namespace) as metric:
        for dimension, of in dimensions.items():
            metric.add_dimension(dimension, of)


def describe_error(error: BaseException) -> dict[str, Any]:
    """What may be logged of an exception: its type and the lines of code it came through, never its text.

    A service's error text can repeat what it was sent, which here may be a task token.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error_type": type(error).__name__,
        "error_code": _error_code(error),
        "operation": getattr(error, "operation_name", ""),
        "raised_at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _error_code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
