"""The AWS clients that the functions share. They honour AWS_ENDPOINT_URL by themselves."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import ConditionBase
from botocore.config import Config
from botocore.exceptions import ClientError

# Short enough that a hanging connection leaves the Lambda time to try again.
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
# A copy inside S3 may take a minute until it says something.
_CONFIGS = {"s3": _CONFIG.merge(Config(read_timeout=90))}


@cache
def client(service: str) -> Any:
    """One client a service for the life of the execution environment."""
    return boto3.client(service, config=_CONFIGS.get(service, _CONFIG))


@cache
def table(name: str) -> Any:
    """The DynamoDB table of that name."""
    return boto3.resource("dynamodb", config=_CONFIG).Table(name)


def prepare(*services: str) -> None:
    """Make the clients while the execution environment starts: a Lambda has a whole CPU only then.

    Does nothing outside of Lambda, where importing a module should not need a region.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for service in services:
            client(service)
        if name := os.environ.get("TABLE_NAME"):
            table(name)


def write_if(condition: ConditionBase, write: Callable[..., Any], **arguments: Any) -> bool:
    """Call a write method of a table. False, and nothing is written, when the condition does not hold."""
    try:
        write(ConditionExpression=condition, **arguments)
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def error_code(error: ClientError) -> str:
    """The service's own name for what went wrong, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))
