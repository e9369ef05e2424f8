"""Checks that the files of an approved model are those that were evaluated."""

import os

from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused, stored_digest
from model.kept import MODEL, ONNX, key_of, read_registered
from shared.telemetry import Answer

_NO_SMOKE_TEST = "The evaluation has no rows to try the endpoint with: nothing shows that it answers rightly."


def check_files(run_id: str, evaluation_digest: str, endpoint_type: str) -> Answer:
    """Whether there is a smoke test, the ONNX model's digest (empty for none), and warnings.

    The digest is the one that the model package names; the evaluation names those of the models. Raises
    ArtifactRefused if a file that this type of endpoint needs was changed or is missing.
    """
    evaluation = read_registered(run_id, evaluation_digest)
    _check(run_id, MODEL, evaluation.digests.get("model", "none"))
    onnx_digest = evaluation.digests.get("onnx", "")
    if onnx_digest and endpoint_type == "function":
        _check(run_id, ONNX, onnx_digest)
    return {
        "has_smoke_test": evaluation.smoke_test is not None,
        "onnx_digest": onnx_digest,
        "warnings": _warnings(evaluation),
    }


def _warnings(evaluation: Evaluation) -> list[str]:
    return [] if evaluation.smoke_test else [_NO_SMOKE_TEST]


def _check(run_id: str, name: str, expected: str) -> None:
    key = key_of(run_id, name)
    found = stored_digest(os.environ["BUCKET_NAME"], key)
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after it was approved: its digest is {found or 'missing'}, not {expected}"
        )
