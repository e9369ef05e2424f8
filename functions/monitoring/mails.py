"""The mail about what monitoring found: once for each drift and each degradation of a model."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from common.monitored import Monitored
from model.drift_words import data_change, error_change
from monitoring.records import LastLook
from shared.links import signed_link
from shared.mails import Mail, render
from shared.text import now, timestamp

# A link ends with the session that signed it, at the latest; nobody knows when, but not as soon as this.
_LINK = timedelta(hours=1)


@dataclass(frozen=True)
class Told:
    """What was found, and the report about it."""

    plan: Mapping[str, Any]
    found: Monitored
    notes: tuple[str, ...]
    report_key: str


def identity_of(told: Told) -> str:
    """The key of what is told, for which one mail is sent.

    Two looks at the same time that find the same have the same key, whichever reports first. One that finds
    more in a window with the same beginning, because an earlier one was not remembered, has another.
    """
    features = sorted(told.found.drift.drifted_features if told.found.drift else ())
    plan, degraded = told.plan, told.found.degraded
    facts = json.dumps([plan["since"], plan["model_package_arn"], features, degraded])
    return f"monitoring#{plan['workload']}#{hashlib.sha256(facts.encode()).hexdigest()}"


def mail_about(told: Told, before: LastLook | None) -> Mail | None:
    """The mail; None if nothing is wrong, or nothing that people were not told before about this model."""
    found = told.found
    same = before if before and before.model_package_arn == told.plan["model_package_arn"] else None
    drifted = set(found.drift.drifted_features if found.drift else ()) - (same.drifted if same else set())
    degraded = found.degraded and not (same and same.degraded)
    if not drifted and not degraded:
        return None
    bucket = os.environ["BUCKET_NAME"]
    return render(
        "monitoring/found",
        plan=told.plan,
        found=found,
        notes=told.notes,
        version=str(told.plan["model_package_arn"]).rpartition("/")[2],
        data=data_change(found.drift, "What the model sees now").words,
        error=error_change(found.quality, found.model_package_arn, "rows whose labels came later").words,
        link=signed_link(told.report_key, _LINK.total_seconds()),
        link_ends=timestamp(now() + _LINK),
        copy_command=f"aws s3 cp s3://{bucket}/{told.report_key} report.html",
        retrains=bool(os.environ["RETRAINS_ON_DRIFT"]) and found.drifted,
    )
