"""How a failed task is named: Step Functions gives each integration its own error names."""

from botocore.exceptions import ClientError

# What an optimized SageMaker task calls by name; anything else is AmazonSageMakerException.
_SAGEMAKER_NAMED = {"ResourceLimitExceeded", "ResourceInUse", "ResourceNotFound", "ConflictException"}


class TaskError(Exception):
    """A task failed: `error` is the name that Retry and Catch match, `cause` the text or JSON behind it."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def optimized_error(service: str, failure: ClientError) -> TaskError:
    """The error of `arn:aws:states:::<service>:<action>`."""
    code = error_code(failure)
    if service == "sagemaker":
        name = _with_exception(code) if code in _SAGEMAKER_NAMED else "AmazonSageMakerException"
        return TaskError(f"SageMaker.{name}", _cause("SageMaker", failure))
    if service == "dynamodb":
        return TaskError(f"DynamoDB.{_with_exception(code)}", _cause("DynamoDB", failure))
    return TaskError(f"Lambda.{_with_exception(code)}", _cause("Lambda", failure))


def sdk_error(service: str, failure: ClientError, modelled: set[str]) -> TaskError:
    """The error of `arn:aws:states:::aws-sdk:<service>:<action>`.

    `modelled` holds the error codes of the operation's service model; a code that is not among them (such as
    ValidationException in SageMaker) is reported as `<Service>.<Service>Exception`.
    """
    prefix = {"sagemaker": "SageMaker", "s3": "S3", "dynamodb": "DynamoDb", "sns": "Sns"}.get(
        service, service.capitalize()
    )
    code = error_code(failure)
    name = _with_exception(code) if code in modelled else f"{prefix}Exception"
    return TaskError(f"{prefix}.{name}", _cause(prefix, failure))


def error_code(failure: ClientError) -> str:
    """The service's own code, without the namespace that some protocols put before it."""
    return str(failure.response.get("Error", {}).get("Code", "Unknown")).rsplit("#", 1)[-1]


def _with_exception(code: str) -> str:
    return code if code.endswith("Exception") else f"{code}Exception"


def _cause(service: str, failure: ClientError) -> str:
    metadata = failure.response.get("ResponseMetadata", {})
    message = failure.response.get("Error", {}).get("Message", "")
    return (
        f"{message} (Service: {service}, Status Code: {metadata.get('HTTPStatusCode', 400)}, "
        f"Request ID: {metadata.get('RequestId', '-')})"
    )
