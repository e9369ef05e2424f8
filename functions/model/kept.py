"""Keeps a run's model and evaluation under `models/<run id>/`, beyond the reach of its jobs.

Jobs may write under runs/; under models/, only the function keep_model may. The function checks the copies,
and later steps use these copies, so nothing can change them in between.
"""

import hashlib
import json
import os

from botocore.exceptions import ClientError

from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused, copy
from shared.aws import client, error_code
from shared.text import number

EVALUATION, MODEL, ONNX = "evaluation.json", "model.tar.gz", "model.onnx"
LARGEST_EVALUATION = 1_000_000


def key_of(run_id: str, name: str) -> str:
    """The key of a run's kept file."""
    return f"models/{run_id}/{name}"


def keep(run_id: str, evaluation_digest: str) -> Evaluation:
    """Copy the evaluation and the model of a run to models/<run id>/; returns the evaluation.

    The evaluation must have the digest, and contains the model's and, if there is one, that of the model as
    ONNX. Raises ArtifactRefused.
    """
    _keep(run_id, EVALUATION, "application/json", evaluation_digest)
    evaluation = Evaluation.from_json(json.loads(_read(key_of(run_id, EVALUATION))))
    _keep(run_id, MODEL, "application/gzip", evaluation.digests.get("model", "none"))
    if digest := evaluation.digests.get("onnx"):
        _keep(run_id, ONNX, "application/octet-stream", digest)
    return evaluation


def read_registered(run_id: str, digest: str) -> Evaluation:
    """The evaluation that was kept with a model. Raises ArtifactRefused if it has another digest."""
    key = key_of(run_id, EVALUATION)
    body = _read(key)
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if found != digest:
        raise ArtifactRefused(
            f"{key} was changed after it was registered: its digest is {found}, not {digest}"
        )
    return Evaluation.from_json(json.loads(body))


def _keep(run_id: str, name: str, content_type: str, expected: str) -> None:
    bucket, key = os.environ["BUCKET_NAME"], f"runs/{run_id}/evaluation/{name}"
    try:
        found = copy({"Bucket": bucket, "Key": key}, bucket, key_of(run_id, name), content_type)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise ArtifactRefused(f"{key} is missing: it was not written, or it was deleted") from None
        raise
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after the evaluation: its digest is {found}, not {expected}"
        )


def _read(key: str) -> bytes:
    try:
        answer = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=key)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise ArtifactRefused(f"{key} is missing: it was deleted") from None
        raise
    if answer["ContentLength"] > LARGEST_EVALUATION:
        raise ArtifactRefused(
            f"{key} has {number(answer['ContentLength'])} bytes, more than {number(LARGEST_EVALUATION)}. "
            "Let the workload's evaluate.py write fewer or smaller figures."
        )
    body: bytes = answer["Body"].read()
    return body
