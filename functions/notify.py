"""Tell everyone who subscribed how a run ended: one mail, though the event comes twice or tells half."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws import client, prepare
from causes import failed_job, readable_cause
from ending import Ending, from_detail, is_complete
from ending_mails import ending_mail
from mails import paragraphs, send
from telemetry import Answer, Event, count, describe_error, logger, observed
from told import tell_once

prepare("sns")


@observed
def handler(event: Event) -> Answer:
    ending = read_ending(event["detail"])
    told = tell(ending, os.environ["NOTIFICATION_TOPIC_ARN"])
    logger.info("run ended", execution_arn=ending.execution_arn, outcome=ending.outcome, told=told)
    return {"told": told}


def read_ending(detail: Mapping[str, Any]) -> Ending:
    """The end that an event tells of; what the event leaves out is asked of Step Functions and SageMaker."""
    if not is_complete(detail):
        asked = client("stepfunctions").describe_execution(executionArn=detail["executionArn"])
        # The event's status and count stay: the execution may have been redriven since.
        detail = {**asked, **{name: value for name, value in detail.items() if value is not None}}
    job = failed_job(str(detail.get("cause") or ""))
    if job and job.is_processing:
        detail = {**detail, "cause": _described(job.name) or detail["cause"]}
    ending = from_detail(detail)
    if ending.job and ending.job.is_tuning:
        return replace(ending, cause=paragraphs(ending.cause, _first_failed_trial(ending.job.name)).strip())
    return ending


def _described(processing_job: str) -> str:
    """A cause like Step Functions', with the job's own last words, of which Step Functions is not told."""
    try:
        found = client("sagemaker").describe_processing_job(ProcessingJobName=processing_job)
    except (ClientError, BotoCoreError) as error:
        logger.warning("job not readable", processing_job=processing_job, **describe_error(error))
        return ""
    told = ("ProcessingJobName", "ExitMessage", "FailureReason")
    return json.dumps({name: found[name] for name in told if name in found})


def _first_failed_trial(tuning_job: str) -> str:
    """The reason of the first training job that failed; a tuning job's own reason only says that they did."""
    try:
        pages = (
            client("sagemaker")
            .get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
            .paginate(HyperParameterTuningJobName=tuning_job, StatusEquals="Failed", SortOrder="Ascending")
        )
        # A page is filtered after it was taken: an early one can be empty.
        trial = next((trial for page in pages for trial in page["TrainingJobSummaries"]), None)
    except (ClientError, BotoCoreError) as error:
        logger.warning("trials not readable", tuning_job=tuning_job, **describe_error(error))
        return ""
    return f"{trial['TrainingJobName']}: {readable_cause(trial.get('FailureReason', ''))}" if trial else ""


def tell(ending: Ending, topic_arn: str) -> bool:
    """Send the mail about this end, if there is one, and measure it: once. Returns whether it was sent."""
    mail = ending_mail(ending)
    new = tell_once(ending.identity, lambda: send(mail, topic_arn) if mail else None)
    if new:
        measure_ending(ending)
    return new and mail is not None


def measure_ending(ending: Ending) -> None:
    """Count the end by what became of the run."""
    count(_METRICS.get(ending.outcome, "RunEnded" if ending.status == "SUCCEEDED" else "PipelineFailed"))


# What is no fault of the pipeline does not count as its failure: an alarm stands on that.
_METRICS = {
    "approved": "RunApproved",
    "rejected": "RunRejected",
    "expired": "RunExpired",
    "already_processed": "RunRepeated",
    "UploadRefused": "RunRefused",
    "ModelQualityTooLow": "RunBelowThreshold",
    "ABORTED": "RunStopped",
}
