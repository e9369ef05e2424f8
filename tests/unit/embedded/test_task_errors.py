"""Errors have the names that the state machine matches on AWS."""

import pytest
from botocore.exceptions import ClientError

from local.embedded.task_errors import optimized_error, sdk_error


def client_error(code: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "what happened"},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r", "HostId": "", "HTTPHeaders": {}, "RetryAttempts": 0},
        },
        "Operation",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        ("sagemaker", "ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        ("sagemaker", "ResourceInUse", "SageMaker.ResourceInUseException"),
        ("sagemaker", "ThrottlingException", "SageMaker.AmazonSageMakerException"),
        ("sagemaker", "ValidationException", "SageMaker.AmazonSageMakerException"),
        ("dynamodb", "ConditionalCheckFailedException", "DynamoDB.ConditionalCheckFailedException"),
        ("lambda", "TooManyRequestsException", "Lambda.TooManyRequestsException"),
        ("sns", "NotFound", "SNS.NotFoundException"),
        ("states", "ExecutionAlreadyExists", "StepFunctions.ExecutionAlreadyExistsException"),
    ],
)
def test_an_optimized_integration_names_its_errors(service: str, code: str, name: str) -> None:
    error = optimized_error(service, client_error(code))
    assert error.error == name
    assert error.cause.startswith("what happened (Service: ")


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        ("SageMaker", "ValidationException", "SageMaker.SageMakerException"),
        ("SageMaker", "ResourceNotFound", "SageMaker.ResourceNotFoundException"),
        ("S3", "NoSuchKey", "S3.NoSuchKeyException"),
        ("S3", "SlowDown", "S3.S3Exception"),
        ("SQS", "AccessDenied", "Sqs.SqsException"),
        ("CloudWatch Logs", "AccessDenied", "CloudWatchLogs.CloudWatchLogsException"),
        ("RDS", "DBClusterNotFoundFault", "Rds.DbClusterNotFoundException"),
    ],
)
def test_an_sdk_integration_names_only_the_errors_of_its_model(service: str, code: str, name: str) -> None:
    modelled = {known: known for known in ("ResourceNotFound", "NoSuchKey", "DBClusterNotFoundFault")}
    assert sdk_error(service, client_error(code), modelled).error == name
