"""Keeps a run's model, evaluation and baseline under `models/<run id>/`, beyond the reach of its jobs.

Jobs may write under runs/; under models/, only the function keep_model may. The function checks the copies,
and later steps use these copies, so nothing can change them in between.

The evaluation may be that of an earlier run, whose gate had another limit. The kept one has this run's.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from common.baseline_files import FILES
from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused, copy
from shared.addresses import key_in_bucket
from shared.aws import client, error_code
from shared.text import number

EVALUATION, MODEL, ONNX = "evaluation.json", "model.tar.gz", "model.onnx"
LARGEST_EVALUATION = 1_000_000
# What is copied, and the names of the first two in the evaluation's digests.
_TYPES = {
    MODEL: "application/gzip",
    ONNX: "application/octet-stream",
    **dict.fromkeys(FILES, "application/json"),
}
_NAMED = {MODEL: "model", ONNX: "onnx"}


def key_of(run_id: str, name: str) -> str:
    """The key of a run's kept file."""
    return f"models/{run_id}/{name}"


def keep(
    run_id: str, evaluation_uri: str, evaluation_digest: str, gate: Mapping[str, Any] | None
) -> Evaluation:
    """Keep the evaluation with this gate, and its model, as models/<run id>/; returns the evaluation.

    `evaluation_uri` is the folder that the evaluation job wrote. Its `evaluation.json` must have the digest,
    and contains the model's and, if there are any, those of the model as ONNX and of its baseline.
    `digests["evaluation"]` of what is returned is the digest of the kept `evaluation.json`. Without a gate,
    it is kept as it is. Raises ArtifactRefused.
    """
    folder = key_in_bucket(evaluation_uri)
    body = _read(f"{folder}/{EVALUATION}")
    _refuse_other(f"{folder}/{EVALUATION}", _digest(body), evaluation_digest)
    content = json.loads(body)
    if gate is not None:
        content = _with_gate(content, gate)
        # As the job writes it, so that an evaluation whose gate is the same stays the same file.
        body = (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    client("s3").put_object(
        Bucket=os.environ["BUCKET_NAME"],
        Key=key_of(run_id, EVALUATION),
        Body=body,
        ContentType="application/json",
        ChecksumAlgorithm="SHA256",
    )
    found = Evaluation.from_json(content)
    digests = {**found.digests, "model": found.digests.get("model") or "none"}
    with ThreadPoolExecutor(len(_TYPES)) as pool:
        copies = [
            pool.submit(_keep, folder, run_id, name, content_type, digest)
            for name, content_type in _TYPES.items()
            if (digest := digests.get(_NAMED.get(name, name)))
        ]
    for copied in copies:
        copied.result()
    return replace(found, digests={**found.digests, "evaluation": _digest(body)})


def read_registered(run_id: str, digest: str) -> Evaluation:
    """The evaluation that was kept with a model. Raises ArtifactRefused if it has another digest."""
    key = key_of(run_id, EVALUATION)
    body = _read(key)
    found = _digest(body)
    if found != digest:
        raise ArtifactRefused(
            f"{key} was changed after it was registered: its digest is {found}, not {digest}"
        )
    return Evaluation.from_json(json.loads(body))


def _with_gate(content: dict[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    limits = {name: gate[name] for name in ("at_most", "at_least") if name in gate}
    limited = Evaluation.from_json({**content, "gate": {"metric": gate["metric"], **limits}})
    return {**content, "gate": limited.to_json()["gate"]}


def _keep(folder: str, run_id: str, name: str, content_type: str, expected: str) -> None:
    bucket, key = os.environ["BUCKET_NAME"], f"{folder}/{name}"
    try:
        found = copy({"Bucket": bucket, "Key": key}, bucket, key_of(run_id, name), content_type)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise _missing(key) from None
        raise
    _refuse_other(key, found, expected)


def _refuse_other(key: str, found: str, expected: str) -> None:
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after the evaluation: its digest is {found}, not {expected}"
        )


def _missing(key: str) -> ArtifactRefused:
    return ArtifactRefused(f"{key} is missing: it was not written, or it was deleted")


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _read(key: str) -> bytes:
    try:
        answer = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=key)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise _missing(key) from None
        raise
    if answer["ContentLength"] > LARGEST_EVALUATION:
        raise ArtifactRefused(
            f"{key} has {number(answer['ContentLength'])} bytes, more than {number(LARGEST_EVALUATION)}. "
            "Let the workload's evaluate.py write fewer or smaller figures."
        )
    body: bytes = answer["Body"].read()
    return body
