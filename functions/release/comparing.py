"""Compares an endpoint's answer with the evaluated model's."""

from common.smoke_test import AnswersDiffer, compare_answers
from shared.telemetry import PublicError


class SmokeTestFailed(PublicError):
    """The endpoint does not answer as the evaluated model did. The text names the line."""


def largest_difference(expected: str, found: str, tolerance: float) -> float:
    """The largest difference of two numbers, relative to max(1, |expected|). Raises SmokeTestFailed."""
    try:
        return compare_answers(expected, found, tolerance)
    except AnswersDiffer as differ:
        raise SmokeTestFailed(f"The endpoint does not answer as the evaluated model did: {differ}.") from None
