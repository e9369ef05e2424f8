"""Finds out what there is to look at for each workload, and names it in a manifest for the job."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from common.workload import Workload, find_workloads
from monitoring.earlier import asked_before
from monitoring.models import WatchedModel, watched_model
from monitoring.plans import MONITOR, NO_MODEL, NOT_WATCHED, NOTHING_NEW, Plan, folder_of
from monitoring.records import last_look
from monitoring.sources import captured_by, sources_of_runs
from monitoring.windows import Window, fit
from shared.addresses import uri_of
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
    found = Plan(
        workload=workload.name,
        todo=MONITOR if window.sources else NOTHING_NEW,
        title=workload.title,
        notes=window.notes,
        since=timestamp(begin),
        until=timestamp(window.until),
        model_package_arn=model.package_arn,
        model_uri=uri_of(model.model_key),
        model_digest=model.digest,
    )
    folder, name = folder_of(workload.name, monitoring_id), workload.name
    earlier: list[str] = []
    if any(source.has_labels for source in window.sources):
        earlier = asked_before(name, model.endpoint, datetime.fromisoformat(model.since), begin)
    return replace(
        found,
        seen_uri=_write_manifest(f"{folder}seen.manifest", window.keys),
        earlier_uri=_write_manifest(f"{folder}earlier.manifest", earlier),
    )


def _write_manifest(key: str, keys: Sequence[str]) -> str:
    """The address of a manifest of these objects; empty, as a manifest must not be, if there are none."""
    if not keys:
        return ""
    manifest = [{"prefix": uri_of("")}, *keys]
    client("s3").put_object(
        Bucket=os.environ["BUCKET_NAME"],
        Key=key,
        Body=json.dumps(manifest).encode(),
        ContentType="application/json",
    )
    return uri_of(key)
