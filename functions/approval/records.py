"""The record of every request for approval, and the one write that decides it.

One table, three kinds of items:

    package#<model package ARN>   the request and its decision; who, when, what, why, from where: the audit
                                  record
    link#<SHA-256 of a link id>   the package of a mailed link
    told#...                      see shared/once.py

No item contains a link id, so reading the table does not let anyone open or use a link. The task token is
stored, but using it takes permission to call Step Functions.

A package has one live link, the one in the newest mail (`link_hash` of its record). A second attempt to ask,
after a crash or a redrive, replaces the link and the task token, and a reminder replaces the link. Only one
link can decide at a time, and the next mail disables a leaked one. A replaced link still shows what became of
the request. A reminder's link is kept as `announced_link` while it is mailed, and becomes the live one
afterwards.

A decision is final, unless the model package has another one when the execution is about to get its answer,
because a person decided in SageMaker at the same moment. The package's decision then replaces the recorded
one (`overrule`), which the record keeps as `overruled`. `changed_to` records a later change of the package.

A request past `decide_before` has expired. Reads and the conditional write compare the time; no status
records it, and DynamoDB's own expiry (which may be days late) has no part in it.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from approval.items import PENDING, from_item, status_of, to_item
from approval.request import Approval, Decision
from shared.aws import read_items, table, write_if
from shared.text import timestamp

_PACKAGE = "package#"
# A link outlives its request, so that its page says "expired" or "decided" rather than "unknown".
_LINK_KEPT_AFTERWARDS = timedelta(days=90)
_LEFT_BY_AN_ATTEMPT = ("resumed_at", "too_late_at", "reminded_at", "announced_link", "changed_to")


def new_link_id() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_link(link_id: str) -> str:
    """The hash by which the table knows a link id."""
    return hashlib.sha256(link_id.encode()).hexdigest()


def open_request(approval: Approval) -> None:
    """Store the request, replacing token and link of an earlier attempt. Keeps a decision already made."""
    _table().put_item(Item=_link_item(approval))
    undecided = Attr("pk").not_exists() | Attr("status").eq(PENDING)
    everything = {**_item(approval), "status": PENDING}
    if not _update(approval.package_arn, everything, condition=undecided, remove=_LEFT_BY_AN_ATTEMPT):
        _update(approval.package_arn, _item(approval), remove=_LEFT_BY_AN_ATTEMPT)


def find(package_arn: str) -> Approval | None:
    """The request about a model package, read consistently."""
    item = _table().get_item(Key={"pk": f"{_PACKAGE}{package_arn}"}, ConsistentRead=True).get("Item")
    return from_item(item) if item else None


def find_all(package_arns: Sequence[str]) -> dict[str, Approval]:
    """The requests about these model packages, at most 100, by package; read consistently."""
    items = read_items(os.environ["TABLE_NAME"], [f"{_PACKAGE}{arn}" for arn in package_arns])
    return {key.removeprefix(_PACKAGE): from_item(item) for key, item in items.items()}


def open_or_answered_since(since: datetime) -> Iterator[Approval]:
    """Every request whose execution has no answer, or got one after `since`; eventually consistent.

    A scan reads a few kilobytes a run, some thousand times a month, for cents. Every write would have to
    maintain a sparse index, and it would need the same protection as the table.
    """
    answered = Attr("resumed_at")
    open_or_new = answered.not_exists() | answered.gte(timestamp(since))
    arguments: dict[str, Any] = {"FilterExpression": Attr("pk").begins_with(_PACKAGE) & open_or_new}
    while True:
        page = _table().scan(**arguments)
        yield from map(from_item, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def find_by_link(link_hash: str) -> Approval | None:
    """The request of a link. The link is live only if the request's `link_hash` is the same."""
    item = _table().get_item(Key={"pk": f"link#{link_hash}"}, ConsistentRead=True).get("Item")
    return find(str(item["package_arn"])) if item else None


def announce_link(approval: Approval, link_hash: str) -> bool:
    """Store the link of a reminder before it is mailed, in place of one announced earlier.

    The live link does not change yet. False if the request was decided or asked again meanwhile, in which
    case the announced link could never become live.
    """
    _table().put_item(Item=_link_item(replace(approval, link_hash=link_hash)))
    return _update(approval.package_arn, {"announced_link": link_hash}, condition=_still_asked(approval))


def make_live(approval: Approval, moment: datetime) -> bool:
    """Replace the live link by the announced one, after that was mailed.

    False, and nothing changes, if that was done, or the request was decided or asked again meanwhile.
    """
    return write_if(
        _still_asked(approval) & Attr("announced_link").exists(),
        _table().update_item,
        Key={"pk": f"{_PACKAGE}{approval.package_arn}"},
        UpdateExpression="SET link_hash = announced_link, reminded_at = :now REMOVE announced_link",
        ExpressionAttributeValues={":now": timestamp(moment)},
    )


def decide_by_link(approval: Approval, link_hash: str, decision: Decision, moment: datetime) -> bool:
    """Record the decision in one write, if there is none, the link is live and the request has not expired.

    Of any number of concurrent callers, exactly one gets True.
    """
    live = Attr("link_hash").eq(link_hash) & Attr("decide_before").gt(int(moment.timestamp()))
    return _record(approval.package_arn, decision, Attr("status").eq(PENDING) & live)


def decide_in_sagemaker(package_arn: str, decision: Decision) -> bool:
    """Record a decision made on the package itself, even after the request's end. False: already decided."""
    done = {"package_updated_at": decision.decided_at}
    return _record(package_arn, decision, Attr("status").eq(PENDING), done)


def overrule(approval: Approval, decision: Decision) -> bool:
    """Replace the recorded decision by the package's, and keep the former one beside it.

    False if the execution has its answer, or another decision was recorded meanwhile.
    """
    if approval.decision is None:
        return False
    unchanged = Attr("status").eq(status_of(approval.decision)) & Attr("decided_at").eq(
        approval.decision.decided_at
    )
    kept = {"overruled": json.dumps(asdict(approval.decision)), "package_updated_at": decision.decided_at}
    return _record(approval.package_arn, decision, unchanged & Attr("resumed_at").not_exists(), kept)


def record_change(approval: Approval, decision: Decision) -> None:
    """Record a change of the package after the execution got its answer."""
    _update(approval.package_arn, {"changed_to": json.dumps(asdict(decision))})


def mark_package_updated(package_arn: str, moment: datetime) -> None:
    """Record that the model package has the decision."""
    _update(package_arn, {"package_updated_at": timestamp(moment)})


def mark_resumed(approval: Approval, moment: datetime) -> None:
    """Record that the execution has its answer, and remove its token, but not that of a later attempt."""
    mine = Attr("task_token").eq(approval.task_token)
    _update(approval.package_arn, {"resumed_at": timestamp(moment)}, condition=mine, remove=("task_token",))


def mark_too_late(approval: Approval, moment: datetime) -> None:
    """Record that the execution ended before its answer."""
    mine = Attr("task_token").eq(approval.task_token)
    _update(approval.package_arn, {"too_late_at": timestamp(moment)}, condition=mine)


def _still_asked(approval: Approval) -> ConditionBase:
    return Attr("status").eq(PENDING) & Attr("link_hash").eq(approval.link_hash)


def _record(
    arn: str, decision: Decision, condition: ConditionBase, also: Mapping[str, str] | None = None
) -> bool:
    kept = _kept_from(datetime.fromisoformat(decision.decided_at).timestamp())
    values = {
        "status": status_of(decision),
        "reviewer": decision.reviewer,
        "comment": decision.comment,
        "decided_at": decision.decided_at,
        "decided_via": decision.via,
        "decided_from_address": decision.address,
        "decided_with_browser": decision.browser,
    }
    return _update(arn, {**values, **kept, **(also or {})}, condition=condition)


def _kept_from(moment: float) -> dict[str, int]:
    """When DynamoDB may delete the record: AUDIT_RETENTION_DAYS after this, unless that is 0."""
    days = int(os.environ.get("AUDIT_RETENTION_DAYS") or 0)
    return {"expires_at": int(moment) + days * 86_400} if days else {}


def _update(
    package_arn: str,
    values: Mapping[str, Any],
    *,
    condition: ConditionBase | None = None,
    remove: tuple[str, ...] = (),
) -> bool:
    """Set and remove attributes of a package's record; False when the condition does not hold."""
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    removes = " REMOVE " + ", ".join(f"#{name}" for name in remove) if remove else ""
    changes = {
        "Key": {"pk": f"{_PACKAGE}{package_arn}"},
        "UpdateExpression": f"SET {sets}{removes}",
        "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *remove)},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
    if condition:
        return write_if(condition, _table().update_item, **changes)
    _table().update_item(**changes)
    return True


def _link_item(approval: Approval) -> dict[str, Any]:
    kept_until = approval.decide_before + int(_LINK_KEPT_AFTERWARDS.total_seconds())
    return {"pk": f"link#{approval.link_hash}", "package_arn": approval.package_arn, "expires_at": kept_until}


def _item(approval: Approval) -> dict[str, Any]:
    return {**to_item(approval), **_kept_from(approval.decide_before)}


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
