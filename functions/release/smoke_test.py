"""Sends the evaluation's rows to an endpoint: only that proves that the right model is behind it."""

import time

from common.evaluation import SmokeTest
from model.kept import read_registered
from release.asking import Ask
from release.comparing import SmokeTestFailed, largest_difference
from shared.telemetry import Answer, logger

# The first answer of what costs nothing while idle includes its start. Only a later one shows how fast it is.
_TIMED = 3


def try_endpoint(ask: Ask, endpoint_name: str, run_id: str, evaluation_digest: str) -> Answer:
    """Rows, largest difference and milliseconds for all rows. Raises SmokeTestFailed and ArtifactRefused."""
    test = read_registered(run_id, evaluation_digest).smoke_test
    if test is None:
        raise SmokeTestFailed("The evaluation has no rows to try the endpoint with.")
    answers = [_timed(ask, endpoint_name, test) for _ in range(_TIMED)]
    difference = max(largest_difference(test.answer, answer, test.tolerance) for answer, _ in answers)
    milliseconds = round(min(seconds for _, seconds in answers) * 1000, 1)
    logger.info("smoke test passed", endpoint=endpoint_name, rows=test.rows, milliseconds=milliseconds)
    return {"rows": test.rows, "largest_difference": difference, "milliseconds": milliseconds}


def _timed(ask: Ask, endpoint_name: str, test: SmokeTest) -> tuple[str, float]:
    began = time.perf_counter()
    answer = ask(endpoint_name, test)
    return answer, time.perf_counter() - began
