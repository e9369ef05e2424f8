"""Does something once, such as sending a mail, even if events are duplicated and functions die.

`do` claims an item `told#<key>` of the table, does the work, and marks the item as done:

- A later duplicate of the event finds the mark and does nothing.
- A concurrent duplicate finds the claim and raises `InProgress`. Lambda delivers it again a minute later,
  when it finds the mark, or takes over if the first invocation died.
- If the work fails, the claim is released and the error raised, so that the next delivery does the work.
- If the function dies after the claim, the claim lapses after `CLAIM_SECONDS`, longer than any of these
  functions may run.
- If the function dies between work and mark, there is one mail too many, which is better than none.
"""

import os
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr

from shared.aws import READ_AT_ONCE, read_items, table, write_if
from shared.telemetry import PublicError
from shared.text import now, timestamp

CLAIM_SECONDS = 60
# Step Functions deletes an execution after 90 days, so no event about it can come later.
_KEPT = timedelta(days=90)


class InProgress(PublicError):
    """Another invocation is doing this right now; ask again later."""


def do(key: str, work: Callable[[], None]) -> bool:
    """Call `work`, unless it was done for `key` before. Returns whether it was called. Raises InProgress."""
    claim = secrets.token_hex(8)
    if not _claim(key, claim, now()):
        if _done(key):
            return False
        raise InProgress(key)
    try:
        work()
    except BaseException:
        _release(key, claim)
        raise
    _mark_done(key)
    return True


def undone(keys: Sequence[str]) -> list[str]:
    """Those of the keys, in order, for which `do` has not done it before."""
    known: dict[str, dict[str, Any]] = {}
    for first in range(0, len(keys), READ_AT_ONCE):
        some = keys[first : first + READ_AT_ONCE]
        known |= read_items(os.environ["TABLE_NAME"], [_pk(key) for key in some])
    return [key for key in keys if "sent_at" not in known.get(_pk(key), {})]


def _done(key: str) -> bool:
    """Whether `do` has done this before."""
    item = _table().get_item(Key={"pk": _pk(key)}, ConsistentRead=True).get("Item") or {}
    return "sent_at" in item


def _claim(key: str, claim: str, moment: datetime) -> bool:
    until = int(moment.timestamp()) + CLAIM_SECONDS
    # A write that is repeated because its answer was lost finds its own claim.
    mine = Attr("claim").eq(claim)
    lapsed = Attr("sent_at").not_exists() & Attr("claimed_until").lt(int(moment.timestamp()))
    item = {"pk": _pk(key), "claim": claim, "claimed_until": until, "expires_at": _kept_until(moment)}
    return write_if(Attr("pk").not_exists() | mine | lapsed, _table().put_item, Item=item)


def _release(key: str, claim: str) -> None:
    write_if(Attr("claim").eq(claim), _table().delete_item, Key={"pk": _pk(key)})


def _mark_done(key: str) -> None:
    _table().update_item(
        Key={"pk": _pk(key)},
        UpdateExpression="SET sent_at = :now, expires_at = :later",
        ExpressionAttributeValues={":now": timestamp(now()), ":later": _kept_until(now())},
    )


def _kept_until(moment: datetime) -> int:
    return int((moment + _KEPT).timestamp())


def _pk(key: str) -> str:
    return f"told#{key}"


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
