"""Approved models with their files and records, for the tests of the catalogue."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from approval.records import decide_by_link, hash_link
from approval.request import Decision
from catalogue import downloads, models, packages
from catalogue.links import issue
from model.artifacts import copy
from shared.text import now
from tests.evaluation import EVALUATION
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.requests import ask, http

GROUP_PREFIX = "mpg-pipeline-"
ADA = Decision("approved", "Ada Lovelace", "", "2026-03-01T09:41:00Z", via="review page")
SETTINGS = {
    "title": "Flowers",
    "description": "Tells flowers apart",
    "form": {"kind": "fields", "fields": []},
}


@dataclass(frozen=True)
class Model:
    """A registered version."""

    arn: str
    run_id: str
    digests: dict[str, str]

    def key(self, name: str) -> str:
        return f"models/{self.run_id}/{name}"


def prepare_catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the catalogue's variables, and forget what an earlier test's process has read."""
    for name, value in {
        "MODEL_PACKAGE_GROUP_PREFIX": GROUP_PREFIX,
        "CODE_PREFIX": "code/0123/",
        "REQUESTS_PER_MINUTE": "5",
        "LINK_DAYS": "7",
        "CATALOGUE_URL": "https://abcdefghij.lambda-url.us-east-1.on.aws/",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    for cached in (packages.metadata, models._evaluation, models._read_settings, downloads.bucket_origin):
        cached.cache_clear()


def register(
    world: World, version: int = 1, workload: str = "iris", status: str = "Approved", *, onnx: bool = True
) -> Model:
    """Register a model, with its files where the pipeline keeps them."""
    run_id = f"mpg-20260301-0930-{version:08x}"
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{GROUP_PREFIX}-{workload.replace('_', '-')}/{version}"
    digests = {"model": _keep(world, run_id, "model.tar.gz", f"native {version}".encode())}
    if onnx:
        digests["onnx"] = _keep(world, run_id, "model.onnx", f"onnx {version}".encode())
    evaluation = json.dumps({**EVALUATION, "workload": workload, "digests": digests}).encode()
    _keep(world, run_id, "evaluation.json", evaluation)
    digests["evaluation"] = f"sha256:{hashlib.sha256(evaluation).hexdigest()}"
    told = {"run_id": run_id, "model_digest": digests["model"], "evaluation_digest": digests["evaluation"]}
    world.sagemaker.register(arn, status, **told)
    return Model(arn, run_id, digests)


def record(world: World, model: Model, decision: Decision = ADA) -> None:
    """The table's record of the decision about a registered model."""
    asked = ask(world, model_package_arn=model.arn, run_id=f"of {model.run_id}")
    assert decide_by_link(asked.record, hash_link(asked.link_id), decision, now())


def publish(world: World, workload: str = "iris", **settings: Any) -> None:
    """Publish a workload's settings, as the deployment does."""
    world.put(f"code/0123/{workload}/workload.json", json.dumps({**SETTINGS, **settings}).encode())


def get(
    path: str, *, method: str = "GET", query: dict[str, str] | None = None, **headers: str
) -> dict[str, Any]:
    """An event of the public URL."""
    return {**http(method, path, None, **headers), **({"queryStringParameters": query} if query else {})}


def new_link(days: int = 7) -> str:
    """The path of a new link to the catalogue."""
    return f"/catalogue/{issue(days, 'a test')[0]}"


def _keep(world: World, run_id: str, name: str, content: bytes) -> str:
    written = f"runs/{run_id}/evaluation/{name}"
    world.put(written, content)
    return copy(
        {"Bucket": BUCKET, "Key": written}, BUCKET, f"models/{run_id}/{name}", "application/octet-stream"
    )
