"""Telling people something once, though the event behind it comes twice and a function can die anywhere.

A `told#...` item is claimed, the mail is sent, the item is marked as sent:

- the same event again finds "sent" and does nothing
- the same event at the same time finds the claim and raises `BeingTold`; Lambda delivers it again a minute
  later, when it finds "sent", or takes over, should the first have died
- sending fails: the claim is given back and the error raised, so that the next delivery sends
- the function dies after claiming: the claim lapses after `CLAIM_SECONDS`, longer than any of these functions
  may run
- the function dies between sending and marking: one mail too many, because none at all would be worse
"""

import os
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr

from shared.aws import table, write_if
from shared.telemetry import ForPeople
from shared.text import now, timestamp

CLAIM_SECONDS = 60
# Step Functions forgets an execution after 90 days; no event about it can come later.
_KEPT = timedelta(days=90)


class BeingTold(ForPeople):
    """Somebody else is telling this right now; ask again later."""


def tell_once(what: str, send: Callable[[], None]) -> bool:
    """Call `send` unless that was done for `what` before. Returns whether it was called."""
    claim = secrets.token_hex(8)
    if not _claim(what, claim, now()):
        if was_told(what):
            return False
        raise BeingTold(what)
    try:
        send()
    except BaseException:
        _release(what, claim)
        raise
    _mark_sent(what)
    return True


def was_told(what: str) -> bool:
    """Whether `tell_once` has sent this before."""
    item = _table().get_item(Key={"pk": _key(what)}, ConsistentRead=True).get("Item") or {}
    return "sent_at" in item


def _claim(what: str, claim: str, moment: datetime) -> bool:
    until = int(moment.timestamp()) + CLAIM_SECONDS
    # A write that is repeated because its answer was lost meets the claim that it has made.
    mine = Attr("claim").eq(claim)
    lapsed = Attr("sent_at").not_exists() & Attr("claimed_until").lt(int(moment.timestamp()))
    item = {"pk": _key(what), "claim": claim, "claimed_until": until, "expires_at": _kept_until(moment)}
    return write_if(Attr("pk").not_exists() | mine | lapsed, _table().put_item, Item=item)


def _release(what: str, claim: str) -> None:
    write_if(Attr("claim").eq(claim), _table().delete_item, Key={"pk": _key(what)})


def _mark_sent(what: str) -> None:
    _table().update_item(
        Key={"pk": _key(what)},
        UpdateExpression="SET sent_at = :now, expires_at = :later",
        ExpressionAttributeValues={":now": timestamp(now()), ":later": _kept_until(now())},
    )


def _kept_until(moment: datetime) -> int:
    return int((moment + _KEPT).timestamp())


def _key(what: str) -> str:
    return f"told#{what}"


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
