"""Checks that the files of an approved model are those that were evaluated."""

import os

from model.artifacts import ArtifactRefused, stored_digest
from model.kept import MODEL, key_of, read_registered
from shared.telemetry import Answer

_NO_SMOKE_TEST = "The evaluation has no rows to try the endpoint with: nothing shows that it answers rightly."


def check_files(run_id: str, evaluation_digest: str) -> Answer:
    """Whether there is a smoke test, and warnings. Raises ArtifactRefused for a changed or missing file.

    The digest is the one that the model package names; the evaluation names the model's.
    """
    evaluation = read_registered(run_id, evaluation_digest)
    expected = evaluation.digests.get("model", "none")
    key = key_of(run_id, MODEL)
    found = stored_digest(os.environ["BUCKET_NAME"], key)
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after it was approved: its digest is {found or 'missing'}, not {expected}"
        )
    has_smoke_test = evaluation.smoke_test is not None
    return {"has_smoke_test": has_smoke_test, "warnings": [] if has_smoke_test else [_NO_SMOKE_TEST]}
