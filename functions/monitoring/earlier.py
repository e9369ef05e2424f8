"""What was asked before a window, for labels that come in it: a row counts if it was predicted before."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from monitoring.sources import Source, Stored, captured_by, list_objects, written_by
from monitoring.windows import MOST_BYTES, MOST_FILES
from shared.aws import client

# The bucket keeps the files for longer, whatever ExpireRunsAfterDays is.
_LOOKED_BACK = timedelta(days=30)
_RUN = re.compile(r"runs/([^/]+)/")


def asked_before(workload: str, endpoint: str, live_since: datetime, begin: datetime) -> list[str]:
    """The objects that earlier looks at a workload took, the newest first, as many as one look may take."""
    since = begin - _LOOKED_BACK
    runs = [source for run_id in _runs_of(workload, since) for source in written_by(run_id)]
    captured = captured_by(workload, endpoint, max(since, live_since), begin) if endpoint else ()
    return _fitting(source for source in (*runs, *captured) if source.at < begin)


def _runs_of(workload: str, since: datetime) -> list[str]:
    """The runs in the manifests of earlier looks."""
    listed = (file for file in list_objects(f"monitoring/{workload}/") if file.key.endswith("/seen.manifest"))
    recent = (file for file in listed if file.at >= since)
    return list(dict.fromkeys(run_id for file in recent for run_id in _runs_in(file)))


def _runs_in(manifest: Stored) -> Iterator[str]:
    body = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=manifest.key)["Body"].read()
    for key in json.loads(body)[1:]:
        if found := _RUN.match(key):
            yield found[1]


def _fitting(sources: Iterable[Source]) -> list[str]:
    keys: list[str] = []
    size = 0
    for source in sorted(sources, key=lambda source: source.at, reverse=True):
        if len(keys) + len(source.files) <= MOST_FILES and size + source.bytes <= MOST_BYTES:
            keys += (file.key for file in source.files)
            size += source.bytes
    return keys
