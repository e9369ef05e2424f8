"""Finds out what there is to look at for each workload, and names it in a manifest for the job."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from common.workload import Workload, find_workloads
from monitoring.models import WatchedModel, watched_model
from monitoring.plans import MONITOR, NO_MODEL, NOT_WATCHED, NOTHING_NEW, Plan, folder_of
from monitoring.records import last_look
from monitoring.sources import captured_by, sources_of_runs
from monitoring.windows import Window, fit
from shared.aws import client
from shared.text import timestamp


def plan(monitoring_id: str, until: datetime, only: str = "") -> list[Plan]:
    """The plan of every workload, or of `only` one, for the time from its last look to `until`."""
    workloads = find_workloads()
    chosen = {name: each for name, each in workloads.items() if only in ("", name)}
    if not chosen:
        return [
            Plan(only, NOT_WATCHED, notes=(f"There is no such workload; there are {', '.join(workloads)}.",))
        ]
    return list(_plans(monitoring_id, until.replace(microsecond=0), chosen, workloads))


def _plans(
    monitoring_id: str, until: datetime, chosen: Mapping[str, Workload], workloads: Mapping[str, Workload]
) -> Iterator[Plan]:
    models = {name: watched_model(name) for name, workload in chosen.items() if workload.is_watched}
    begins = {name: _begin(name, model) for name, model in models.items() if model}
    of_runs = sources_of_runs(workloads, min(begins.values()), until) if begins else {}
    for name, workload in chosen.items():
        model = models.get(name)
        if not workload.is_watched:
            yield Plan(
                name,
                NOT_WATCHED,
                workload.title,
                ("It has no monitoring.py, so nothing watches its models.",),
            )
        elif model is None:
            yield Plan(
                name,
                NO_MODEL,
                workload.title,
                ("No model of it is live or approved, with its file in place.",),
            )
        else:
            begin = begins[name]
            sources = [source for source in of_runs.get(name, ()) if source.at >= begin]
            if model.endpoint:
                # What answered before is another model's.
                live_since = max(begin, datetime.fromisoformat(model.since))
                sources += captured_by(name, model.endpoint, live_since, until)
            yield _look(monitoring_id, workload, model, begin, fit(sources, until))


def _begin(workload: str, model: WatchedModel) -> datetime:
    last = last_look(workload)
    return datetime.fromisoformat(last.until if last else model.since).replace(microsecond=0)


def _look(
    monitoring_id: str, workload: Workload, model: WatchedModel, begin: datetime, window: Window
) -> Plan:
    bucket = os.environ["BUCKET_NAME"]
    return Plan(
        workload=workload.name,
        todo=MONITOR if window.sources else NOTHING_NEW,
        title=workload.title,
        notes=window.notes,
        since=timestamp(begin),
        until=timestamp(window.until),
        model_package_arn=model.package_arn,
        model_uri=f"s3://{bucket}/{model.model_key}",
        model_digest=model.digest,
        seen_uri=_write_manifest(folder_of(workload.name, monitoring_id), window.keys)
        if window.sources
        else "",
    )


def _write_manifest(folder: str, keys: Sequence[str]) -> str:
    bucket, key = os.environ["BUCKET_NAME"], f"{folder}seen.manifest"
    manifest = [{"prefix": f"s3://{bucket}/"}, *keys]
    client("s3").put_object(
        Bucket=bucket, Key=key, Body=json.dumps(manifest).encode(), ContentType="application/json"
    )
    return f"s3://{bucket}/{key}"
