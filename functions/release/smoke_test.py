"""Sends the evaluation's rows to an endpoint: only that proves that the right model is behind it."""

import time

from botocore.exceptions import ClientError

from common.evaluation import SmokeTest
from model.kept import read_registered
from release.comparing import SmokeTestFailed, largest_difference
from shared.aws import client, error_code
from shared.telemetry import Answer, logger
from shared.text import one_line

# The first answer of a serverless endpoint includes its start. Only a later one shows how fast it is.
_TIMED = 3
_READ_SECONDS = 65
# The errors by which an endpoint says that a request, or the model, is at fault; any other is tried again.
_ANSWERED = {"ModelError", "ValidationError"}


def try_endpoint(endpoint_name: str, run_id: str, evaluation_digest: str) -> Answer:
    """Rows, largest difference and milliseconds for all rows. Raises SmokeTestFailed and ArtifactRefused."""
    test = read_registered(run_id, evaluation_digest).smoke_test
    if test is None:
        raise SmokeTestFailed("The evaluation has no rows to try the endpoint with.")
    answers = [_ask(endpoint_name, test) for _ in range(_TIMED)]
    difference = max(largest_difference(test.answer, answer, test.tolerance) for answer, _ in answers)
    milliseconds = round(min(seconds for _, seconds in answers) * 1000, 1)
    logger.info("smoke test passed", endpoint=endpoint_name, rows=test.rows, milliseconds=milliseconds)
    return {"rows": test.rows, "largest_difference": difference, "milliseconds": milliseconds}


def _ask(endpoint_name: str, test: SmokeTest) -> tuple[str, float]:
    began = time.perf_counter()
    try:
        # SageMaker gives a model 60 seconds to answer.
        answer = client("sagemaker-runtime", read_timeout=_READ_SECONDS).invoke_endpoint(
            EndpointName=endpoint_name,
            ContentType=test.content_type,
            Accept=test.accept,
            Body=test.request.encode(),
        )
        body = answer["Body"].read()
    except ClientError as error:
        if error_code(error) not in _ANSWERED:
            raise
        raise SmokeTestFailed(f"The endpoint refused the smoke test: {one_line(_said(error), 300)}") from None
    return body.decode("utf-8", errors="replace"), time.perf_counter() - began


def _said(error: ClientError) -> str:
    return str(error.response.get("OriginalMessage") or error.response["Error"].get("Message", ""))
