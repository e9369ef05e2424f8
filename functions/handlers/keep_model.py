"""Take what was evaluated out of the jobs' reach, and refuse it if it is not what the job says that it wrote.

Jobs may write under runs/, this function alone under models/, and only while an execution waits for that
(`scheduled.py`): what was kept is not written again because somebody invokes the function. The job tells the
digest of its evaluation past the bucket, in its exit message; the evaluation names the digest of the model.
What is checked is the copy that is then used, so there is no moment in which it could still be changed.
"""

import json
import os
from typing import Any

from botocore.exceptions import ClientError

from model.artifacts import ArtifactRefused, copy
from runs.scheduled import scheduled_request
from shared.aws import client, error_code, prepare
from shared.telemetry import Answer, Event, logger, measure, observed

prepare("stepfunctions", "s3")


@observed
def handler(event: Event) -> Answer:
    request = scheduled_request(event, "run_id", "evaluation_digest")
    run_id = str(request["run_id"])
    evaluation = keep(run_id, str(request["evaluation_digest"]))
    measure("TestMse", evaluation["regression_metrics"]["mse"]["value"])
    logger.info("model kept", run_id=run_id, digest=evaluation["digests"]["model"])
    # What is only drawn on the review page would fill the execution's data.
    return {name: found for name, found in evaluation.items() if name != "test_predictions"}


def keep(run_id: str, evaluation_digest: str) -> dict[str, Any]:
    """Copy the evaluation and the model of a run to models/<run id>/; returns the evaluation.

    Raises ArtifactRefused.
    """
    kept_as = _keep(run_id, "evaluation.json", "application/json", evaluation_digest)
    body = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=kept_as)["Body"]
    evaluation: dict[str, Any] = json.loads(body.read())
    _keep(run_id, "model.tar.gz", "application/gzip", evaluation["digests"]["model"])
    return evaluation


def _keep(run_id: str, name: str, content_type: str, expected: str) -> str:
    bucket = os.environ["BUCKET_NAME"]
    key, kept_as = f"runs/{run_id}/evaluation/{name}", f"models/{run_id}/{name}"
    try:
        found = copy({"Bucket": bucket, "Key": key}, bucket, kept_as, content_type)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise ArtifactRefused(f"{key} is missing: it was not written, or it was deleted") from None
        raise
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after the evaluation: its digest is {found}, not {expected}"
        )
    return kept_as
