"""An ONNX model from the bucket, and what turns its workload's requests into tensors and back.

The digest is in the configuration of the function's version, where the bucket's writers cannot change it.
"""

import hashlib
import importlib
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import onnxruntime
from botocore.exceptions import ClientError

from shared.aws import client, error_code
from shared.telemetry import PublicError

_WORKLOAD = re.compile(r"[a-z][a-z0-9_]*")


class ModelRefused(PublicError):
    """The version of the function has no model, or not the one that was evaluated and approved."""


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, with its workload's functions `feed` and `answer`."""

    session: Any
    workload: ModuleType

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[str, str]:
        """The response body and its content type. Raises the caller's mistakes, see `common.serving`."""
        names = [output.name for output in self.session.get_outputs()]
        outputs = self.session.run(names, self.workload.feed(body, content_type))
        text, kind = self.workload.answer(dict(zip(names, outputs, strict=True)), accept)
        return str(text), str(kind)


def load(bucket: str, key: str, digest: str, workload: str) -> ServedModel:
    """Read the model from the bucket. Raises ModelRefused if it is missing or has another digest."""
    if not (key and digest and _WORKLOAD.fullmatch(workload)):
        raise ModelRefused("This version of the function has no model: only a release gives it one.")
    content = _read(bucket, key)
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != digest:
        raise ModelRefused(f"{key} was changed after it was approved: its digest is {found}, not {digest}")
    return ServedModel(_session(content), importlib.import_module(f"{workload}.onnx_inference"))


def _read(bucket: str, key: str) -> bytes:
    try:
        content: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise ModelRefused(f"{key} is missing: it was deleted") from None
        raise
    return content


def _session(content: bytes) -> Any:
    """One thread: the function's memory pays for less than one core, and each environment has one request."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
