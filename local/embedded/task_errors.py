"""The error names of failed tasks, which Step Functions chooses per integration."""

import re
from collections.abc import Mapping

from botocore.exceptions import ClientError

from local.embedded.sdk import sdk_name

# The prefix of an optimized integration's errors.
_PREFIXES = {
    "dynamodb": "DynamoDB",
    "ecs": "ECS",
    "events": "EventBridge",
    "lambda": "Lambda",
    "sagemaker": "SageMaker",
    "sns": "SNS",
    "sqs": "SQS",
    "states": "StepFunctions",
}
_ACRONYM = re.compile(r"[A-Z]+(?![a-z])")
# The errors that an optimized SageMaker task names; any other is AmazonSageMakerException.
_SAGEMAKER_NAMED = {"ResourceLimitExceeded", "ResourceInUse", "ResourceNotFound", "ConflictException"}


class TaskError(Exception):
    """A task failed: `error` is the name that Retry and Catch match, `cause` the text or JSON behind it."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def optimized_error(service: str, failure: ClientError) -> TaskError:
    """The error of `arn:aws:states:::<service>:<action>`."""
    code, prefix = error_code(failure), _PREFIXES[service]
    if service == "sagemaker":
        name = _with_exception(code) if code in _SAGEMAKER_NAMED else "AmazonSageMakerException"
        return TaskError(f"SageMaker.{name}", _cause("SageMaker", failure))
    return TaskError(f"{prefix}.{_with_exception(code)}", _cause(prefix, failure))


def sdk_error(service_id: str, failure: ClientError, modelled: Mapping[str, str]) -> TaskError:
    """The error of `arn:aws:states:::aws-sdk:<service>:<action>`.

    `service_id` is the service's own (`DynamoDB`); `modelled` holds the exceptions of the operation's service
    model by their codes. Any other code (such as ValidationException in SageMaker) is reported as
    `<Service>.<Service>Exception`.
    """
    prefix = _ACRONYM.sub(lambda found: found[0].capitalize(), service_id.replace(" ", ""))
    name = modelled.get(error_code(failure), prefix)
    return TaskError(f"{prefix}.{_with_exception(sdk_name(name))}", _cause(prefix, failure))


def error_code(failure: ClientError) -> str:
    """The service's own code, without the namespace that some protocols put before it."""
    return str(failure.response.get("Error", {}).get("Code", "Unknown")).rsplit("#", 1)[-1]


def _with_exception(code: str) -> str:
    return re.sub(r"(Exception|Fault)$", "", code) + "Exception"


def _cause(service: str, failure: ClientError) -> str:
    metadata = failure.response.get("ResponseMetadata", {})
    message = failure.response.get("Error", {}).get("Message", "")
    return (
        f"{message} (Service: {service}, Status Code: {metadata.get('HTTPStatusCode', 400)}, "
        f"Request ID: {metadata.get('RequestId', '-')})"
    )
