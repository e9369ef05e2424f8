"""The cause of an end in words for a person, whatever Step Functions made of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.causes import failed_job, readable_cause

JOB = {"ProcessingJobName": "x", "FailureReason": "AlgorithmError: , exit code: 1"}


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("The threshold is 46.", "The threshold is 46."),
        ("", ""),
        (json.dumps(JOB), "AlgorithmError: , exit code: 1"),
        (json.dumps({**JOB, "ExitMessage": "cars.csv is empty"}), "cars.csv is empty"),
        (json.dumps({**JOB, "ExitMessage": f"sha256:{0:064}"}), "AlgorithmError: , exit code: 1"),
        (
            json.dumps({"errorMessage": "no", "errorType": "UploadRefused", "stackTrace": ["  File ..."]}),
            "no",
        ),
        (json.dumps({**JOB, "Environment": {"x": "y" * 50}})[:100], "AlgorithmError: , exit code: 1"),
        ('{"FailureReason": "cut in the mid', "The service gave no reason in words"),
        ('{"Unknown": 1}', "The service gave no reason in words"),
        ("{not json", "The service gave no reason in words"),
        ('{"FailureReason": {"nested": 1}}', "The service gave no reason in words"),
        (
            'Ended.\nTraceback (most recent call last):\n  File "x.py", line 1\nValueError: no',
            "Ended.\nValueError: no",
        ),
        ("bell\x07 and\x1b[31m colour", "bell  and [31m colour"),
    ],
)
def test_the_cause_is_in_words_for_people(cause: str, words: str) -> None:
    assert readable_cause(cause).startswith(words)


@pytest.mark.parametrize("cut", [None, 120])
def test_the_job_that_failed_is_known_even_from_a_cause_that_was_cut_off(cut: int | None) -> None:
    job = failed_job(json.dumps({"ProcessingJobName": "mpg-1-evaluate-0-0", "x": "y" * 500})[:cut])
    assert job is not None
    assert (job.name, job.step, job.is_tuning) == ("mpg-1-evaluate-0-0", "evaluate", False)


@pytest.mark.parametrize("cause", ["", "text", "{}", '{"ProcessingJobName": 1}', '{"errorMessage": "x"}'])
def test_a_cause_without_a_job_names_none(cause: str) -> None:
    assert failed_job(cause) is None


@given(st.text())
def test_any_cause_can_be_read(cause: str) -> None:
    assert len(readable_cause(cause)) <= 2000


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
    )
)
def test_any_json_can_be_read(value: object) -> None:
    assert "Traceback (most recent" not in readable_cause(json.dumps(value))
