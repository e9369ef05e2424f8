"""Issue a link to the catalogue, or revoke one or all; only callers with IAM can invoke it.

`{"days": 7, "issued_by": "Ada"}`, both optional, returns `{"url", "expires_at"}`. `{"revoke": LINK}` and
`{"revoke": "all"}` return `{"revoked": number}`.
"""

import os
from collections.abc import Mapping
from typing import Any

from catalogue import links
from shared.aws import prepare
from shared.telemetry import Answer, Event, count, logger, observed
from web.callers import answer, number_of, text_of

prepare()


@observed
def handler(event: Event) -> Answer:
    return answer(event, _revoke if "revoke" in event else _issue)


def _issue(asked: Mapping[str, Any]) -> dict[str, Any]:
    days = number_of(asked, "days") if "days" in asked else int(os.environ["LINK_DAYS"])
    link_id, ends = links.issue(days, str(asked.get("issued_by") or ""))
    logger.info("catalogue link issued", expires_at=ends)
    count("CatalogueLinkIssued")
    return {"url": f"{os.environ['CATALOGUE_URL']}catalogue/{link_id}/", "expires_at": ends}


def _revoke(asked: Mapping[str, Any]) -> dict[str, Any]:
    which = text_of(asked, "revoke")
    revoked = links.revoke_all() if which == "all" else links.revoke(which)
    logger.info("catalogue links revoked", revoked=revoked)
    return {"revoked": revoked}
