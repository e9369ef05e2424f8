"""Mails, pages and terminals say in a sentence how data drifted, and in another how the approved model does."""

from dataclasses import replace
from typing import Any

import pytest

from common.drift import Drift, FeatureTest, QualityChange
from model.drift_words import data_change, error_change

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline-auto-mpg/3"
CHANGE = QualityChange("mse", "Mean squared error", "lower", 9.5, 21.3, 7.1, 16.5, 0.95, 184, degraded=True)


def drift(*drifted: str, **others: Any) -> Drift:
    tests = [FeatureTest(name, "kolmogorov_smirnov", 0.4, 0.2, drifted=True) for name in drifted]
    tests.append(FeatureTest("length", "kolmogorov_smirnov", 0.1, 0.2, drifted=False))
    return Drift(**{"model_package_arn": ARN, "baseline_rows": 398, "rows": 184, "significance": 0.001,
                    "tests": tests, **others})  # fmt: skip


KNOWN = "the data that version 3 was trained on"


@pytest.mark.parametrize(
    ("found", "words", "tone"),
    [
        (None, "", ""),
        (drift(tests=()), "", ""),
        (drift(), f"No drift from {KNOWN}.", ""),
        (drift("weight"), f"The upload differs from {KNOWN}: weight.", "warn"),
        (drift("weight", "year"), f"The upload differs from {KNOWN}: weight and year.", "warn"),
        (drift("weight", "weight", "a", "b"), f"The upload differs from {KNOWN}: weight, a and b.", "warn"),
        (drift(*"abcdef"), f"The upload differs from {KNOWN}: a, b, c, d, e and f.", "warn"),
        (drift(*"abcdefg"), f"The upload differs from {KNOWN}: a, b, c, d, e and 2 more.", "warn"),
        (drift("a\n\u202eb"), f"The upload differs from {KNOWN}: a b.", "warn"),
        (drift("x" * 99), f"The upload differs from {KNOWN}: {'x' * 57}....", "warn"),
        (drift("a", model_package_arn=""),
         "The upload differs from the data that the approved model was trained on: a.", "warn"),
        (drift(tests=(), problem="There are 12 rows, and 30 are needed."),
         f"The upload was not compared with {KNOWN}. There are 12 rows, and 30 are needed.", ""),
    ],
)  # fmt: skip
def test_a_sentence_says_what_drifted(found: Drift | None, words: str, tone: str) -> None:
    change = data_change(found)
    assert (change.words, change.tone) == (words, tone)


def test_what_was_compared_may_be_something_else_than_an_upload() -> None:
    words = data_change(drift("weight"), "What the endpoint was asked").words
    assert words == f"What the endpoint was asked differs from {KNOWN}: weight."


@pytest.mark.parametrize(
    ("found", "words", "tone"),
    [
        (None, "", ""),
        (CHANGE,
         "On 184 new test rows, version 3 does worse than at its approval: Mean squared error 21.30 now, 9.50 then "
         "(95 % interval of the difference: 7.10 to 16.50 higher).", "bad"),
        (replace(CHANGE, now=4.0, low=-7.25, high=-3.75, degraded=False),
         "On 184 new test rows, version 3 does better than at its approval: Mean squared error 4 now, 9.50 then "
         "(95 % interval of the difference: 3.75 to 7.25 lower).", ""),
        (replace(CHANGE, now=10.0, low=-2.0, high=3.0, degraded=False),
         "On 184 new test rows, version 3 shows no clear change since its approval: Mean squared error 10 now, "
         "9.50 then (95 % interval of the difference: 2 lower to 3 higher).", ""),
        (replace(CHANGE, label="F1", better="higher", at_approval=0.9, now=0.8, low=-0.15, high=-0.05),
         "On 184 new test rows, version 3 does worse than at its approval: F1 0.8 now, 0.9 then "
         "(95 % interval of the difference: 0.05 to 0.15 lower).", "bad"),
        (replace(CHANGE, label="F1", better="higher", at_approval=0.8, now=0.9, low=0.05, high=0.15,
                 degraded=False),
         "On 184 new test rows, version 3 does better than at its approval: F1 0.9 now, 0.8 then "
         "(95 % interval of the difference: 0.05 to 0.15 higher).", ""),
        (replace(CHANGE, label=""), "On 184 new test rows, version 3 does worse than at its approval: mse 21.30", "bad"),
        (replace(CHANGE, now=1e300, high=1e308),
         "On 184 new test rows, version 3 does worse than at its approval: Mean squared error 1e+300 now", "bad"),
    ],
)  # fmt: skip
def test_a_sentence_says_how_the_approved_model_does_now(
    found: QualityChange | None, words: str, tone: str
) -> None:
    change = error_change(found, ARN)
    assert change.words.startswith(words)
    assert bool(change.words) == bool(words)
    assert change.tone == tone
    assert len(change.words) < 400


def test_the_rows_are_named_and_a_model_without_a_version_is_the_approved_one() -> None:
    words = error_change(replace(CHANGE, level=0.998), "by hand", "rows whose labels came late").words
    assert words.startswith("On 184 rows whose labels came late, the approved model does worse")
    assert "(99.8 % interval of the difference" in words
