"""Starts a retraining once, however many ask for it at the same time.

1. An item `retrain#<workload>` is written, unless the one that is there is too recent. It has the name and
   the input of the execution.
2. The execution is started under that name. Step Functions starts an execution with the same name and input
   only once.
3. The item gets the execution's ARN.

If a function dies in between, the item has no ARN, and whoever asks next starts that execution.
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from retraining.choosing import Choice
from shared.aws import client, error_code, table, write_if
from shared.text import now, timestamp


@dataclass(frozen=True)
class TooRecent:
    """A retraining of the workload was asked for at that time, and started."""

    asked_at: str


def start(workload: str, reason: str, choice: Choice, at_most_every: timedelta) -> str | TooRecent:
    """Start the pipeline on these uploads, unless it is too soon; returns the execution's ARN."""
    moment = now()
    name = f"retrain-{workload}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    item = {
        "pk": f"retrain#{workload}",
        "asked_at": timestamp(moment),
        "reason": reason,
        "name": name,
        "input": json.dumps(_event(name, reason, choice)),
    }
    old_enough = Attr("asked_at").lte(timestamp(moment - at_most_every))
    if write_if(Attr("pk").not_exists() | old_enough, _table().put_item, Item=item):
        return _start(item)
    last = _table().get_item(Key={"pk": item["pk"]}, ConsistentRead=True)["Item"]
    if "execution_arn" in last:
        return TooRecent(str(last["asked_at"]))
    return _start(last)


def _start(item: dict[str, Any]) -> str:
    machine = os.environ["STATE_MACHINE_ARN"]
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=machine, name=item["name"], input=item["input"]
        )
    except ClientError as error:
        # It has ended already. While it runs, Step Functions answers as it did the first time.
        if error_code(error) != "ExecutionAlreadyExists":
            raise
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{item['name']}"
    write_if(
        Attr("name").eq(item["name"]),
        _table().update_item,
        Key={"pk": item["pk"]},
        UpdateExpression="SET execution_arn = :arn",
        ExpressionAttributeValues={":arn": arn},
    )
    return arn


def _event(name: str, reason: str, choice: Choice) -> dict[str, Any]:
    """An event of S3's form about the newest of the uploads, with the reason and all of them."""
    newest = choice.uploads[0]
    several = {"uploads": [dict(upload.file) for upload in reversed(choice.uploads)]}
    return {
        "id": name,
        "detail-type": "Retraining Requested",
        "time": newest.uploaded_at,
        "detail": {
            "bucket": {"name": newest.bucket},
            "object": {"key": newest.key, "size": newest.size, "version-id": newest.version_id},
            "requester": newest.uploaded_by,
            "source-ip-address": newest.source_ip,
            "reason": reason,
            "left_out": choice.left_out,
            **(several if len(choice.uploads) > 1 else {}),
        },
    }


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
