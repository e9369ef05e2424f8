"""The catalogue's entries: an approved model's figures, who approved it, whether it is live, its files.

An entry whose files were changed or deleted says so in `problem`, and is otherwise as complete as can be.
"""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from approval.packages import read_status
from approval.records import find_all
from approval.request import Approval, Decision
from catalogue.packages import Package, approved, find_approved, metadata
from common import lenient
from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused, StoredFile, stored_file
from model.kept import MODEL, ONNX, key_of, read_registered
from shared.aws import client, error_code, read_items
from shared.telemetry import describe_error, logger
from shared.text import now, timestamp

FILES = {"native": MODEL, "onnx": ONNX}
_AT_A_TIME = 8
_UNREADABLE = "Its files cannot be read at the moment."

Json = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """The files kept with a model, by format, and what is wrong with them."""

    evaluation: Evaluation = field(default_factory=Evaluation)
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    problem: str = ""


def list_models(workload: str | None = None, token: str | None = None) -> Json:
    """A page of approved models, newest first: `{"generated_at", "next", "models"}`. Raises Refused."""
    page = approved(workload, token)
    return {"generated_at": timestamp(now()), "next": page.next, "models": _entries(page.packages)}


def show_model(workload: str, version: int) -> Json:
    """An approved version's entry with its whole `evaluation`, figures included. Raises Refused."""
    package = find_approved(workload, version)
    [entry] = _entries([package])
    return {**entry, "evaluation": read_kept(package).evaluation.to_json()}


def read_kept(package: Package) -> Kept:
    """The evaluation and the files of a package, as far as they are what was registered. Never raises."""
    try:
        known = metadata(package)
        evaluation = _evaluation(known.get("run_id", ""), known.get("evaluation_digest", ""))
    except ArtifactRefused as refused:
        return Kept(problem=f"{refused}.")
    except (ClientError, BotoCoreError) as error:
        logger.error("could not read a model", model_package_arn=package.arn, **describe_error(error))
        return Kept(problem=_UNREADABLE)
    return _with_files(package, known, evaluation)


def _with_files(package: Package, known: Mapping[str, str], evaluation: Evaluation) -> Kept:
    expected = {"native": known.get("model_digest", ""), "onnx": evaluation.digests.get("onnx", "")}
    files, problems = {}, []
    for of, digest in expected.items():
        if not digest:
            continue
        key = key_of(known["run_id"], FILES[of])
        try:
            found = stored_file(os.environ["BUCKET_NAME"], key)
        except (ClientError, BotoCoreError) as error:
            logger.error("could not read a model", model_package_arn=package.arn, **describe_error(error))
            problems.append(_UNREADABLE)
            continue
        if found and found.digest == digest:
            files[of] = found
        else:
            problems.append(f"{key} was {'changed' if found else 'deleted'} after it was evaluated.")
    return Kept(evaluation, files, " ".join(dict.fromkeys(problems)))


@lru_cache(maxsize=64)
def _evaluation(run_id: str, digest: str) -> Evaluation:
    """A registered evaluation. It never changes, or it is refused."""
    return read_registered(run_id, digest)


def _entries(packages: Sequence[Package]) -> list[Json]:
    if not packages:
        return []
    requests = find_all([package.arn for package in packages])
    live = _live({package.workload for package in packages})
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        kept = pool.map(read_kept, packages)
        decisions = pool.map(lambda package: _approval(package, requests.get(package.arn)), packages)
        return [
            _entry(package, found, decision, live.get(package.workload, {}))
            for package, found, decision in zip(packages, kept, decisions, strict=True)
        ]


def _entry(package: Package, kept: Kept, decision: Decision | None, live: Mapping[str, Any]) -> Json:
    evaluation, settings = kept.evaluation, _workload(package.workload)
    is_live = live.get("package_arn") == package.arn
    return {
        "workload": package.workload,
        "title": lenient.text(settings.get("title")) or evaluation.title or package.workload,
        "description": lenient.text(settings.get("description")),
        "version": package.version,
        "package_arn": package.arn,
        "approved_at": decision.decided_at if decision else None,
        "approved_by": decision.reviewer if decision else None,
        "live": is_live,
        "live_since": live.get("since") if is_live else None,
        "metrics": [asdict(metric) for metric in evaluation.metrics],
        "gate": evaluation.to_json()["gate"] if evaluation.metrics else None,
        "formats": {of: asdict(kept.files[of]) if of in kept.files else None for of in FILES},
        "form": settings.get("form"),
        "problem": kept.problem or None,
    }


def _approval(package: Package, request: Approval | None) -> Decision | None:
    """Who approved it: by its record or, without one that says so, by SageMaker."""
    standing = request.standing if request else None
    if standing and standing.verdict == "approved":
        return standing
    try:
        return read_status(package.arn).decision()
    except (ClientError, BotoCoreError) as error:
        logger.error("could not read a decision", model_package_arn=package.arn, **describe_error(error))
        return None


def _live(workloads: set[str]) -> dict[str, Mapping[str, Any]]:
    """What the release has noted about each workload's live model."""
    found = read_items(os.environ["TABLE_NAME"], [f"live#{workload}" for workload in workloads])
    return {key.removeprefix("live#"): item for key, item in found.items()}


def _workload(name: str) -> Mapping[str, Any]:
    """The published settings of a workload; empty if it is published no longer."""
    return _read_settings(os.environ["BUCKET_NAME"], f"{os.environ['CODE_PREFIX']}{name}/workload.json")


@lru_cache
def _read_settings(bucket: str, key: str) -> Mapping[str, Any]:
    # A deployment that changes the file publishes it under another prefix.
    try:
        body = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return {}
        raise
    return lenient.mapping(json.loads(body))
