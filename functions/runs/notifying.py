"""Mails every subscriber how a run ended: once, even if the event is duplicated."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runs.causes import failed_job, readable_cause
from runs.ending_costs import record_cost, with_cost
from runs.ending_mails import ending_mail
from runs.endings import Ending, from_detail
from shared import once
from shared.aws import client
from shared.jobs import LARGEST_PAGES
from shared.links import Link
from shared.mails import send
from shared.telemetry import count, describe_error, logger

# The pipeline is not at fault in these, so they do not count as its failures, on which there is an alarm.
_METRICS = {
    "approved": "RunApproved",
    "rejected": "RunRejected",
    "expired": "RunExpired",
    "already_processed": "RunRepeated",
    "UploadRefused": "RunRefused",
    "TooManyRuns": "RunOverLimit",
    "RunTooExpensive": "RunOverCost",
    "ModelQualityTooLow": "RunBelowThreshold",
    "ABORTED": "RunStopped",
}


def announce(ending: Ending, publish: Callable[[], Link | None] = lambda: None) -> bool:
    """Count this end, and mail it if it concerns somebody: once. Returns whether this call mailed it.

    `publish` makes the run's report, to which the mail links.
    """
    new = once.do(ending.identity, lambda: _send(ending, publish) if ending.concerns_somebody else None)
    if new:
        count(_METRICS.get(ending.outcome, "RunEnded" if ending.status == "SUCCEEDED" else "PipelineFailed"))
        record_cost(ending)
    return new and ending.concerns_somebody


def read_ending(described: Mapping[str, Any]) -> Ending:
    """The end of an execution, from DescribeExecution; SageMaker adds its cost and why a job failed."""
    job = failed_job(str(described.get("cause") or ""))
    if job and job.is_processing:
        described = {**described, "cause": _described(job.name) or described["cause"]}
    ending = with_cost(from_detail(described))
    if ending.job and ending.job.is_tuning and (trial := _first_failed_trial(ending.job.name)):
        return replace(ending, cause=f"{ending.cause}\n\n{trial}".strip())
    return ending


def _send(ending: Ending, publish: Callable[[], Link | None]) -> None:
    topic, mail = os.environ["NOTIFICATION_TOPIC_ARN"], ending_mail(ending, publish())
    if not ending.shared_notice:
        send(mail, topic)
        return
    # If the invocation that is mailing it now fails, it is retried.
    with suppress(once.InProgress):
        once.do(ending.shared_notice, lambda: send(mail, topic))


def _described(processing_job: str) -> str:
    """The cause with the job's exit message, which Step Functions does not receive."""
    try:
        found = client("sagemaker").describe_processing_job(ProcessingJobName=processing_job)
    except (ClientError, BotoCoreError) as error:
        logger.warning("job not readable", processing_job=processing_job, **describe_error(error))
        return ""
    wanted = ("ProcessingJobName", "ExitMessage", "FailureReason")
    return json.dumps({name: found[name] for name in wanted if name in found})


def _first_failed_trial(tuning_job: str) -> str:
    """The reason of the first training job that failed; the tuning job's own reason has no details."""
    try:
        pages = (
            client("sagemaker")
            .get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
            .paginate(
                HyperParameterTuningJobName=tuning_job,
                StatusEquals="Failed",
                SortOrder="Ascending",
                PaginationConfig=LARGEST_PAGES,
            )
        )
        # SageMaker filters each page after reading it, so an early page can be empty.
        trial = next((trial for page in pages for trial in page["TrainingJobSummaries"]), None)
    except (ClientError, BotoCoreError) as error:
        logger.warning("trials not readable", tuning_job=tuning_job, **describe_error(error))
        return ""
    return f"{trial['TrainingJobName']}: {readable_cause(trial.get('FailureReason', ''))}" if trial else ""
