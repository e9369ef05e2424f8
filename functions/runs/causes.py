"""Reads a `Cause` of Step Functions: its words for people, and the job that failed."""

import json
import re
from dataclasses import dataclass
from typing import Any

from shared.text import many_lines, one_line

_CAUSE_LIMIT = 2000
_UNREADABLE = "The service gave no reason in words; the execution's history has the details."
# The fields with words for people, the most specific first: a job's own message, SageMaker's, a Lambda's.
_REASONS = ("ExitMessage", "FailureReason", "errorMessage", "message", "Message")
_LOG_GROUPS = {
    "ProcessingJobName": "/aws/sagemaker/ProcessingJobs",
    "HyperParameterTuningJobName": "/aws/sagemaker/TrainingJobs",
    "TransformJobName": "/aws/sagemaker/TransformJobs",
}


@dataclass(frozen=True)
class FailedJob:
    """The SageMaker job whose failure ended the run. Its log streams begin with its name."""

    name: str
    log_group: str

    @property
    def is_processing(self) -> bool:
        """Whether it is a processing job, whose description has its exit message."""
        return self.log_group == _LOG_GROUPS["ProcessingJobName"]

    @property
    def is_tuning(self) -> bool:
        """Whether it is a tuning job, whose reason only refers to its training jobs."""
        return self.log_group == _LOG_GROUPS["HyperParameterTuningJobName"]

    @property
    def step(self) -> str:
        """`preprocess`, `evaluate`, `predict` or `monitor`, from the job's name, or `tune`."""
        found = re.search(r"-(preprocess|evaluate|predict|monitor)(-\d+)?-\d+-\d+$", self.name)
        return "tune" if self.is_tuning else found[1] if found else ""


def readable_cause(cause: str) -> str:
    """The words for people in a `Cause`, which is text, or a failed job's or Lambda's JSON. No traceback."""
    if not cause.lstrip().startswith("{"):
        return _without_traceback(many_lines(cause, 32_768))
    said = json_object(cause) or _fields_of_cut_json(cause)
    reason = next((said[name] for name in _REASONS if _is_reason(said.get(name))), _UNREADABLE)
    return _without_traceback(many_lines(reason, 32_768))


def failed_job(cause: str) -> FailedJob | None:
    """The job in a `Cause`, if there is one."""
    said = json_object(cause) or _fields_of_cut_json(cause)
    for field, log_group in _LOG_GROUPS.items():
        if isinstance(said.get(field), str):
            return FailedJob(one_line(said[field], 100), log_group)
    return None


def _is_reason(text: object) -> bool:
    # A job that failed after its work was done has left a digest as its message.
    return isinstance(text, str) and bool(text) and not text.startswith("sha256:")


def _without_traceback(text: str) -> str:
    before, mark, traceback = text.partition("Traceback (most recent call last)")
    if mark:
        last = traceback.strip().split("\n")[-1].strip()
        text = f"{before.strip()}\n{last}".strip()
    return many_lines(text, _CAUSE_LIMIT)


def _fields_of_cut_json(text: str) -> dict[str, Any]:
    # Step Functions truncates a long cause, which is then no longer JSON.
    found = re.findall(r'"(\w+)"\s*:\s*("(?:[^"\\]|\\.)*")', text)
    wanted = {*_REASONS, *_LOG_GROUPS}
    return {name: json.loads(value, strict=False) for name, value in found if name in wanted}


def json_object(text: object) -> dict[str, Any]:
    """The JSON object in a text; empty if there is none."""
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # nested too deeply
        return {}
    return value if isinstance(value, dict) else {}
