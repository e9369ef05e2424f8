"""Requests for approval and requests of a browser, for the tests of the approval."""

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from approval.asking import new_request
from approval.records import find, hash_link, new_link_id, open_request
from approval.request import Approval
from common.evaluation import Evaluation
from model.artifacts import copy
from shared.text import now, timestamp
from tests.evaluation import EVALUATION
from tests.unit.functions.conftest import BUCKET, World, event

HOST = "abcdefghij.lambda-url.us-east-1.on.aws"
BROWSER = {"host": HOST, "sec-fetch-site": "same-origin", "origin": f"https://{HOST}"}
APPROVE = {"decision": "approve", "reviewer": "Ada Lovelace", "comment": ""}
REJECT = {"decision": "reject", "reviewer": "Grace Hopper", "comment": "Errors grow.\nLook again."}


@dataclass
class Asked:
    """A request that was made, and its mailed link's id."""

    link_id: str
    arn: str
    execution_arn: str
    token: str

    @property
    def path(self) -> str:
        return f"/review/{self.link_id}"

    @property
    def record(self) -> Approval:
        found = find(self.arn)
        assert found is not None
        return found


def ask(
    world: World,
    timeout_seconds: int = 3600,
    *,
    hours_ago: float = 0,
    evaluation: dict[str, Any] | None = None,
    **facts: Any,
) -> Asked:
    """Register a package and open a request for it, as `request_approval` does, or did some hours ago."""
    link_id = new_link_id()
    request = {**event("request_approval-with-champion"), "task_token": f"token of {link_id}", **facts}
    model = {"digests": {"model": keep(world, request["run_id"])}}
    made = new_request(request, Evaluation(), link_id, timeout_seconds)
    asked_at = now() - timedelta(hours=hours_ago)
    approval = replace(
        made,
        requested_at=timestamp(asked_at),
        decide_before=int(asked_at.timestamp()) + timeout_seconds,
        facts={**made.facts, "evaluation": {**(evaluation or EVALUATION), **model}},
    )
    if approval.package_arn not in world.sagemaker.packages:
        world.sagemaker.register(approval.package_arn)
    world.stepfunctions.wait(approval.task_token, approval.execution_arn)
    assert approval.link_hash == hash_link(link_id)
    open_request(approval)
    return Asked(link_id, approval.package_arn, approval.execution_arn, approval.task_token)


def keep(world: World, run_id: str) -> str:
    """Put a model where it is kept, as `keep_model` does; returns its digest."""
    evaluated = f"runs/{run_id}/evaluation/model.tar.gz"
    world.put(evaluated, b"a model")
    return copy(
        {"Bucket": BUCKET, "Key": evaluated}, BUCKET, f"models/{run_id}/model.tar.gz", "application/gzip"
    )


def ended(world: World, name: str, **detail: Any) -> dict[str, Any]:
    """One of the events about an execution's end; Step Functions says what it says."""
    happened = event(name)
    happened["detail"] |= detail
    said = {
        name: happened["detail"].get(name) for name in ("input", "output", "error", "cause", "redriveCount")
    }
    started = datetime.fromtimestamp(happened["detail"]["startDate"] / 1000, UTC)
    world.stepfunctions.end(
        happened["detail"]["executionArn"], happened["detail"]["status"], startDate=started, **said
    )
    return happened


def http(
    method: str, path: str, form: dict[str, str] | bytes | None = None, **headers: str
) -> dict[str, Any]:
    """An event of a Function URL; a form's body is base64, as AWS sends it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    made: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "headers": sent,
        "requestContext": {"http": {"method": method, "sourceIp": "203.0.113.7", "userAgent": "Firefox"}},
        "isBase64Encoded": False,
    }
    if form is not None:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
        made |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return made


def post(path: str, form: dict[str, str] | bytes) -> dict[str, Any]:
    """The form, sent from the page itself."""
    return http("POST", path, form, **BROWSER)
