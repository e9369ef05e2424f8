"""Sets back what a release left behind that was stopped, timed out or broke: what was live stays live.

Only the state machine changes endpoints, one release of a workload at a time. So this starts a release of the
model that is live according to the table; without one, nothing has proven itself, and the endpoint goes.
"""

import hashlib
import json
import os
from typing import Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from model.live import LiveModel, ReleaseRecord, find_live, find_release
from release.ending import ReleaseEnd
from shared.aws import client, error_code, table, write_if
from shared.telemetry import logger
from shared.text import now, timestamp


def recover(end: ReleaseEnd) -> None:
    """Finish the records of a release that could not, and set its endpoint back. May be called again."""
    record = find_release(end.package_arn)
    if record is None or record.execution_arn != end.execution_arn or record.status != "started":
        return
    live = find_live(record.workload)
    if live and live.execution_arn == end.execution_arn:
        _close(record, "live", "")
    else:
        if _was_its_turn(record):
            _set_back(record, live)
        _close(record, "failed", end.reason)
    _free(record)


def start_release(package_arn: str, reason: str, name: str) -> bool:
    """Start a release; `name` makes a repeated call harmless. Returns whether this call started it."""
    request = {"ModelPackageArn": package_arn, "reason": reason}
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=os.environ["RELEASE_MACHINE_ARN"],
            name=f"{reason}-{hashlib.sha256(name.encode()).hexdigest()[:32]}",
            input=json.dumps({"detail-type": "Release Requested", "detail": request}),
        )
    except ClientError as error:
        if error_code(error) == "ExecutionAlreadyExists":
            return False
        raise
    logger.info("release started", model_package_arn=package_arn, reason=reason)
    return True


def _set_back(record: ReleaseRecord, live: LiveModel | None) -> None:
    if live and live.endpoint_type == "function":
        # One request in ten may get its answer from the other version.
        start_release(live.package_arn, "request", record.execution_arn)
        return
    endpoint = _endpoint_name(record, live)
    found = _configuration_of(endpoint)
    if not found or (live and found == live.config_name):
        return
    if live:
        start_release(live.package_arn, "request", record.execution_arn)
        return
    logger.info("endpoint of an unfinished release deleted", endpoint=endpoint)
    client("sagemaker").delete_endpoint(EndpointName=endpoint)


def _configuration_of(endpoint: str) -> str:
    """The configuration that an endpoint has, or is changing to; empty if there is no endpoint."""
    try:
        found = client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error_code(error) == "ValidationException":
            return ""
        raise
    return "changing" if found["EndpointStatus"] != "InService" else str(found["EndpointConfigName"])


def _endpoint_name(record: ReleaseRecord, live: LiveModel | None) -> str:
    if live:
        return live.endpoint_name
    stack = os.environ["RELEASE_MACHINE_ARN"].rpartition(":")[2].removesuffix("-release")
    return f"{stack}-{record.workload.replace('_', '-')}"


def _was_its_turn(record: ReleaseRecord) -> bool:
    item = _table().get_item(Key=_turn(record), ConsistentRead=True).get("Item") or {}
    return bool(item.get("execution_arn") == record.execution_arn)


def _close(record: ReleaseRecord, status: str, reason: str) -> None:
    """Record the end, unless another release of the same model has started meanwhile."""
    write_if(
        Attr("execution_arn").eq(record.execution_arn),
        _table().update_item,
        Key={"pk": f"release#{record.package_arn}"},
        UpdateExpression="SET #status = :status, ended_at = :now, reason = :reason",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": status, ":now": timestamp(now()), ":reason": reason},
    )


def _free(record: ReleaseRecord) -> None:
    mine = Attr("execution_arn").eq(record.execution_arn)
    write_if(mine, _table().delete_item, Key=_turn(record))


def _turn(record: ReleaseRecord) -> dict[str, str]:
    return {"pk": f"releasing#{record.workload}"}


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
