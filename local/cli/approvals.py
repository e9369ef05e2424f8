"""`mpg approvals`: who was asked about which model, what was decided, by whom, why and from where."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from common.evaluation import Evaluation
from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import Endpoint, connected
from local.cli.running import running
from local.cli.screen import Screen, printable
from local.cli.up import show_trouble
from shared.text import defang

HEADER = ("asked", "file", "run", "workload", "measured", "status", "decided", "by", "from", "why")
# What is read of a record: neither the task token nor the hash of the link.
FIELDS = (
    *(
        "package_arn",
        "execution_arn",
        "run_id",
        "requested_at",
        "reminded_at",
        "decide_before",
        "status",
        "facts",
    ),
    *("reviewer", "comment", "decided_at", "decided_via", "decided_from_address", "decided_with_browser"),
    *("overruled", "changed_to"),
)
WHY_SHOWN = 40


def show(*, as_json: bool) -> int:
    """Print every request of the running `mpg up`, oldest first. Returns the exit code."""
    screen = Screen.on(stderr=as_json)
    try:
        endpoint = running()
        with connected(endpoint):
            requests = [read_request(record, time.time()) for record in _records(endpoint)]
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    requests.sort(key=lambda request: str(request["requested_at"]))
    if as_json:
        print(json.dumps(requests, indent=2), flush=True)
    elif requests:
        screen.table(HEADER, [row(request) for request in requests])
    else:
        screen.line("Nobody has been asked to approve a model yet.")
    return 0


def read_request(record: Mapping[str, Any], moment: float) -> dict[str, Any]:
    """A record as `--json` prints it. `moment`, in epoch seconds, separates pending from expired."""
    facts = json.loads(record["facts"])
    evaluation = Evaluation.from_json(facts.get("evaluation"))
    status = str(record["status"]).lower()
    if status == "pending" and moment >= int(record["decide_before"]):
        status = "expired"
    return {
        "file": facts.get("key"),
        "run_id": record["run_id"],
        "workload": evaluation.workload,
        "metrics": {metric.name: metric.value for metric in evaluation.metrics},
        "gate": evaluation.to_json()["gate"],
        "status": status,
        "requested_at": record["requested_at"],
        "reminded_at": record.get("reminded_at"),
        "decide_before": _utc(int(record["decide_before"])),
        "decided_at": record.get("decided_at"),
        "reviewer": record.get("reviewer"),
        "comment": record.get("comment"),
        "via": record.get("decided_via"),
        "address": record.get("decided_from_address") or None,
        "browser": record.get("decided_with_browser") or None,
        "overruled": json.loads(record.get("overruled", "null")),
        "changed_to": json.loads(record.get("changed_to", "null")),
        "model_package_arn": record["package_arn"],
        "execution_arn": record["execution_arn"],
    }


def row(request: Mapping[str, Any]) -> list[str]:
    """A request as a line of the table; text that people typed is made safe for a terminal."""
    came_from = [request["via"], request["address"]]
    changed = request["changed_to"]
    cells = [
        request["requested_at"],
        request["file"],
        request["run_id"],
        request["workload"],
        _measured(request),
        f"{request['status']}, now {changed['verdict']}" if changed else request["status"],
        request["decided_at"],
        request["reviewer"],
        ", ".join(part for part in came_from if part),
        request["comment"],
    ]
    shown = [defang(printable(str(cell or ""))) for cell in cells]
    return [*shown[:-1], shown[-1] if len(shown[-1]) <= WHY_SHOWN else f"{shown[-1][: WHY_SHOWN - 3]}..."]


def _measured(request: Mapping[str, Any]) -> str:
    metric = request["gate"]["metric"]
    return f"{metric} {request['metrics'][metric]:.4g}" if metric in request["metrics"] else ""


def _records(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    from boto3.dynamodb.types import TypeDeserializer

    names = {f"#{field}": field for field in FIELDS}
    pages = (
        endpoint.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=deploy.outputs(endpoint)["TableName"],
            FilterExpression="begins_with(pk, :package)",
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":package": {"S": "package#"}},
        )
    )
    plain = TypeDeserializer().deserialize
    for page in pages:
        yield from ({name: plain(value) for name, value in item.items()} for item in page["Items"])


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
