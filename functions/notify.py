"""Tell everyone who subscribed how a run ended: one mail, though the event comes twice or tells half."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws import client, prepare
from causes import readable_cause
from ending import Ending, from_detail, is_complete
from ending_mails import ending_mail
from mails import Mail, paragraphs, send
from telemetry import Answer, Event, count, describe_error, logger, observed
from told import BeingTold, tell_once

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
    ending = from_detail(detail)
    if ending.job and ending.job.is_tuning:
        return replace(ending, cause=paragraphs(ending.cause, _first_failed_trial(ending.job.name)).strip())
    return ending


def _first_failed_trial(tuning_job: str) -> str:
    """The reason of the first training job that failed; a tuning job's own reason only says that they did."""
    try:
        trials = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=tuning_job, StatusEquals="Failed", SortOrder="Ascending", MaxResults=1
        )["TrainingJobSummaries"]
    except (ClientError, BotoCoreError) as error:
        logger.warning("trials not readable", tuning_job=tuning_job, **describe_error(error))
        return ""
    return "".join(
        f"{trial['TrainingJobName']}: {readable_cause(trial.get('FailureReason', ''))}" for trial in trials
    )


def tell(ending: Ending, topic_arn: str) -> bool:
    """Send the mail about this end, if there is one, and measure it: once. Returns whether it did so now."""
    mail = ending_mail(ending)
    new = tell_once(ending.identity, lambda: _send(ending, mail, topic_arn) if mail else None)
    if new:
        measure_ending(ending)
    return new and mail is not None


def _send(ending: Ending, mail: Mail, topic_arn: str) -> None:
    if not ending.shared_notice:
        send(mail, topic_arn)
        return
    # Whoever is telling it right now tries again by itself, should that fail.
    with suppress(BeingTold):
        tell_once(ending.shared_notice, lambda: send(mail, topic_arn))


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
    "TooManyRuns": "RunOverLimit",
    "ModelQualityTooLow": "RunBelowThreshold",
    "ABORTED": "RunStopped",
}
