"""Data capture: requests and answers of an endpoint, as JSON lines in S3."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import random
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.sagemaker.batches import Batches
from local.sagemaker.clients import Clients
from local.sagemaker.endpoints.hosted import Hosted
from local.sagemaker.endpoints.variant import Answer
from local.sagemaker.errors import JobFailed
from local.sagemaker.kinds import Json
from local.sagemaker.storage import Storage, join_uri

if TYPE_CHECKING:
    from local.sagemaker.endpoints.live import Invocation

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Captured:
    """One line, and the folder in S3 that its file belongs to."""

    role_arn: str
    folder: str
    kms_key: str | None
    line: str


class Captures:
    """Writes what endpoints capture, many lines a file. Never raises and never waits."""

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients = clients
        self._region = region
        self._batches: Batches[Captured] = Batches(
            self._send, delay=1.0, size=5_000, name="sagemaker-data-capture"
        )

    def take(self, config: Json, endpoint: str, hosted: Hosted, call: Invocation, answer: Answer) -> None:
        """Capture an invocation, or not, by the sampling percentage."""
        sampled = random.random() * 100 < config["InitialSamplingPercentage"]  # noqa: S311 - no secret
        if not config.get("EnableCapture", True) or not sampled:
            return
        now = dt.datetime.now(dt.UTC)
        folder = join_uri(config["DestinationS3Uri"], f"{endpoint}/{hosted.name}/{now:%Y/%m/%d/%H}")
        line = json.dumps(_event(config, call, answer, now))
        self._batches.put(Captured(hosted.role_arn, folder, config.get("KmsKeyId"), line))

    def close(self) -> None:
        """Write the remaining ones."""
        self._batches.close()

    def _send(self, batch: list[Captured]) -> None:
        files: dict[tuple[str, str, str | None], list[str]] = {}
        for each in batch:
            files.setdefault((each.role_arn, each.folder, each.kms_key), []).append(each.line)
        for (role, folder, key), lines in files.items():
            now = dt.datetime.now(dt.UTC)
            name = (
                f"{now:%M-%S}-{now.microsecond // 1000:03}-{uuid.UUID(bytes=secrets.token_bytes(16))}.jsonl"
            )
            content = "".join(f"{line}\n" for line in lines).encode()
            try:
                storage = Storage(self._clients.client("s3", role), role, self._region)
                storage.upload(content, join_uri(folder, name), key)
            except JobFailed as failed:
                _log.warning("%d captured invocations are lost: %s", len(lines), failed)


def _event(config: Json, call: Invocation, answer: Answer, now: dt.datetime) -> Json:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    captured: Json = {}
    if modes & {"Input", "InputAndOutput"}:
        given = call.headers.get("Content-Type", "application/octet-stream")
        captured["endpointInput"] = _side("INPUT", given, call.body, config)
    if modes & {"Output", "InputAndOutput"}:
        answered = content_type_of(answer.headers)
        captured["endpointOutput"] = _side("OUTPUT", answered, answer.body, config)
    metadata: Json = {"eventId": str(uuid.uuid4())}
    if call.custom_attributes:
        metadata["customAttributes"] = [call.custom_attributes]
    if call.inference_id:
        metadata["inferenceId"] = call.inference_id
    metadata["inferenceTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}


def _side(mode: str, content_type: str, body: bytes, config: Json) -> Json:
    encoding = _encoding(content_type, config.get("CaptureContentTypeHeader", {}))
    data = base64.b64encode(body) if encoding == "BASE64" else body
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": data.decode(errors="replace"),
        "encoding": encoding,
    }


def _encoding(content_type: str, headers: Mapping[str, list[str]]) -> str:
    """By the configured types; everything else is base64."""
    plain = content_type.partition(";")[0].strip().lower()
    for encoding, types in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if plain in (each.lower() for each in headers.get(types, [])):
            return encoding
    return "BASE64"


def content_type_of(headers: Mapping[str, str]) -> str:
    """The content type of a container's answer."""
    named = (value for name, value in headers.items() if name.lower() == "content-type")
    return next(named, "application/octet-stream")
