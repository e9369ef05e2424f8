"""Logs, traces and metrics of every function, set up in one place.

Logs and traces contain neither credentials (task token, link id) nor what people wrote (names, comments):
events and return values are not recorded, and each log line names its values. Lambda writes the text of an
exception that leaves a function to the log and to X-Ray. Therefore only a `PublicError`, which may quote a
refused file, keeps its text; any other exception is reduced to the service's error code and the operation.
"""

import os
import re
import traceback
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.text import ascii_only, one_line

Event = Mapping[str, Any]
Answer = dict[str, Any]
Logic = Callable[[Event], Answer]
Handler = Callable[[dict[str, Any], LambdaContext], Answer]

logger = Logger()
metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "MpgPipeline"))
# Lambda sets the address of its X-Ray daemon. An emulator has none: the SDK would then log a warning at every
# call, and its import takes longer than most handlers run.
tracer: Any = None
if "AWS_XRAY_DAEMON_ADDRESS" in os.environ:
    from shared.traces import new_tracer

    tracer = new_tracer()
# An event without effect has no metrics, and needs no warning about that.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# The parts of a refusal that may be logged: the action that IAM names, and the key.
_REFUSED_ACTION = re.compile(r"\b[a-z0-9-]+:[A-Z][A-Za-z]+\b|\barn:aws[a-z-]*:kms:[\w:/-]+")


class PublicError(Exception):
    """An error whose text may be shown: it is written for people and contains no credentials."""


def observed(logic: Logic) -> Handler:
    """Make a Lambda handler from a function of the event: adds JSON logs, a trace, metrics on stdout."""

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
    """An error of the same name whose text may be recorded."""
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
    """The same, for a metric with further dimensions besides the service."""
    with single_metric(name, MetricUnit.NoUnit, value, namespace=metrics.namespace) as metric:
        for dimension, of in dimensions.items():
            metric.add_dimension(dimension, of)


def measure_in(namespace: str, values: Mapping[str, float], **dimensions: str) -> None:
    """Add values to metrics of another namespace. Names are shortened to what CloudWatch accepts."""
    if not values:
        return
    # Writes a document for each 100 metrics, as many as one may have; a second dimension is the service.
    apart = EphemeralMetrics(namespace=namespace)
    for dimension, of in dimensions.items():
        apart.add_dimension(name=dimension, value=of)
    for name, value in values.items():
        apart.add_metric(name=ascii_only(one_line(name, 255)), unit=MetricUnit.NoUnit, value=value)
    apart.flush_metrics()


def describe_error(error: BaseException) -> dict[str, Any]:
    """The loggable part of an exception: its type and lines of code, but never its text.

    A service's error text can repeat the request, which may contain a task token.
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
