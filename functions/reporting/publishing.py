"""Writes a run's report beside its other files, and links to it for a while."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reporting.gathering import gather
from reporting.page import report_page
from runs.endings import Ending
from shared.aws import client
from shared.links import Link, signed_link
from shared.telemetry import count, describe_error, logger
from shared.text import now, readable_time, timestamp

# The link is signed with the function's session, which AWS may end before.
_LINK = timedelta(hours=6)


def key_of(run_id: str) -> str:
    """The key of a run's report."""
    return f"runs/{run_id}/report/report.html"


def publish(described: Mapping[str, Any], ending: Ending) -> Link | None:
    """Make the report of a run that ended, and link to it; None if that fails, for whatever reason."""
    try:
        return _publish(described, ending)
    except Exception as error:  # the mail about the end is more important
        logger.error("report not made", execution_arn=ending.execution_arn, **describe_error(error))
        count("ReportFailed")
        return None


def _publish(described: Mapping[str, Any], ending: Ending) -> Link:
    run = gather(described, ending)
    key = key_of(run.run_id)
    client("s3").put_object(
        Bucket=os.environ["BUCKET_NAME"],
        Key=key,
        Body=report_page(run, now()).encode(),
        ContentType="text/html; charset=utf-8",
        CacheControl="no-store",
    )
    return Link(signed_link(key, _LINK.total_seconds()), readable_time(timestamp(now() + _LINK)))
