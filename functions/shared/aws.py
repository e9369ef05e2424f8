"""The AWS clients that the functions share. boto3 honours AWS_ENDPOINT_URL."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import ConditionBase
from botocore.config import Config
from botocore.exceptions import ClientError

# Short enough that a function can retry a call that hangs. The template sets lower limits for the page, for
# which a person waits.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=int(os.environ.get("CALL_TIMEOUT_SECONDS", "10")),
    retries={"mode": "standard", "total_max_attempts": int(os.environ.get("CALL_ATTEMPTS", "4"))},
)


# As many items as DynamoDB returns for one request.
READ_AT_ONCE = 100


@cache
def client(service: str, **config: Any) -> Any:
    """One client for each service and botocore `config`, for the life of the execution environment."""
    return boto3.client(service, config=_CONFIG.merge(Config(**config)))


@cache
def table(name: str) -> Any:
    """The DynamoDB table of that name."""
    return boto3.resource("dynamodb", config=_CONFIG).Table(name)


def prepare(*services: str, **config: Any) -> None:
    """Create the clients while the execution environment starts, the only time when a Lambda has a whole CPU.

    Does nothing outside of Lambda, where importing a module must not require a region.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for service in services:
            client(service, **config)
        if name := os.environ.get("TABLE_NAME"):
            table(name)


def read_items(name: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The items of the table that have these keys, by key; at most READ_AT_ONCE, read consistently."""
    found: dict[str, dict[str, Any]] = {}
    waiting: Any = {name: {"Keys": [{"pk": key} for key in dict.fromkeys(keys)], "ConsistentRead": True}}
    while waiting and waiting[name]["Keys"]:
        answer = table(name).meta.client.batch_get_item(RequestItems=waiting)
        found |= {item["pk"]: item for item in answer["Responses"].get(name, [])}
        # Of more than 16 MB, or when the table is throttled, DynamoDB returns a part.
        waiting = answer["UnprocessedKeys"]
    return found


def write_if(condition: ConditionBase, write: Callable[..., Any], **arguments: Any) -> bool:
    """Call a write method of a table. False, and nothing is written, if the condition does not hold."""
    try:
        write(ConditionExpression=condition, **arguments)
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def error_code(error: ClientError) -> str:
    """The service's error code, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))
