"""Links to the catalogue's page: issued, revoked, checked and counted.

The table has an item `catalogue#<SHA-256 of the id>` for each link, and one with the number of its requests
in a minute, `catalogue-requests#<the same>#<minute>`. Neither contains an id, so reading the table opens
nothing. DynamoDB deletes both after `expires_at`; until then, reads compare the time.
"""

import os
import re
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr

from approval.records import hash_link, new_link_id
from shared.aws import table, write_if
from shared.refusals import Refused
from shared.text import now, one_line, timestamp

LONGEST_DAYS = 365
_LINK, _REQUESTS = "catalogue#", "catalogue-requests#"
_ID = re.compile(r"(?:^|/)([A-Za-z0-9_-]{43})/?$")
_ASK_AGAIN = "Ask whoever sent it for a new one."


def issue(days: int, issued_by: str) -> tuple[str, str]:
    """A new link's id and end, as a timestamp. `issued_by` is what the caller says. Raises Refused."""
    if not 1 <= days <= LONGEST_DAYS:
        raise Refused(400, f"A link is valid for 1 to {LONGEST_DAYS} days, not for {days}.")
    link_id, ends = new_link_id(), now() + timedelta(days=days)
    _table().put_item(
        Item={
            "pk": f"{_LINK}{hash_link(link_id)}",
            "expires_at": int(ends.timestamp()),
            "issued_at": timestamp(now()),
            "issued_by": one_line(issued_by, 100),
        }
    )
    return link_id, timestamp(ends)


def revoke(link: str) -> int:
    """Revoke a link, by its address or its id; the number of links that were open. Raises Refused."""
    found = _ID.search(link.strip())
    if not found:
        raise Refused(400, 'This is no link to the catalogue: give its whole address, or "all".')
    return int(_revoke(f"{_LINK}{hash_link(found[1])}"))


def revoke_all() -> int:
    """Revoke every link; the number of links that were open."""
    is_open = Attr("pk").begins_with(_LINK) & Attr("revoked_at").not_exists()
    arguments: dict[str, Any] = {"FilterExpression": is_open, "ProjectionExpression": "pk"}
    revoked = 0
    while True:
        page = _table().scan(**arguments)
        revoked += sum(_revoke(str(item["pk"])) for item in page["Items"])
        if "LastEvaluatedKey" not in page:
            return revoked
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def check(link_id: str) -> str:
    """The link's end, as a timestamp. Counts the request. Raises Refused for a link that opens nothing."""
    moment, link_hash = now(), hash_link(link_id)
    item = _table().get_item(Key={"pk": f"{_LINK}{link_hash}"}, ConsistentRead=True).get("Item")
    if item is None:
        raise Refused(404, "This link is not known. Open it whole, as it was sent.")
    if "revoked_at" in item:
        raise Refused(410, f"This link was revoked. {_ASK_AGAIN}")
    ends = int(item["expires_at"])
    if moment.timestamp() >= ends:
        raise Refused(410, f"This link has expired. {_ASK_AGAIN}")
    _count(link_hash, moment)
    return timestamp(datetime.fromtimestamp(ends, moment.tzinfo))


def _count(link_hash: str, moment: datetime) -> None:
    """Count a request; raises Refused above the limit of the minute."""
    minute, second = divmod(int(moment.timestamp()), 60)
    counted = _table().update_item(
        Key={"pk": f"{_REQUESTS}{link_hash}#{minute}"},
        UpdateExpression="SET expires_at = :later ADD requests :one",
        ExpressionAttributeValues={":later": 60 * (minute + 5), ":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    if int(counted["Attributes"]["requests"]) > int(os.environ["REQUESTS_PER_MINUTE"]):
        raise Refused(429, "Too many requests through this link. Wait a minute.", retry_after=60 - second)


def _revoke(key: str) -> bool:
    """Whether the link was open."""
    is_open = (
        Attr("pk").exists() & Attr("revoked_at").not_exists() & Attr("expires_at").gt(int(now().timestamp()))
    )
    return write_if(
        is_open,
        _table().update_item,
        Key={"pk": key},
        UpdateExpression="SET revoked_at = :now",
        ExpressionAttributeValues={":now": timestamp(now())},
    )


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
