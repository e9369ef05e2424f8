"""Tell everyone who subscribed how a run ended: one mail, though the event comes twice, tells half or lies.

The event only names the execution; everything in the mail is what Step Functions and SageMaker say. An end
that was redriven before anybody was told of it is told to nobody: whoever redrove it knows, and the next end
will be told.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runs.causes import failed_job, readable_cause
from runs.ending_mails import ending_mail
from runs.endings import Ending, from_detail
from runs.executions import describe_end
from shared.aws import client, prepare
from shared.mails import Mail, paragraphs, send
from shared.once import BeingTold, tell_once
from shared.telemetry import Answer, Event, count, describe_error, logger, observed

prepare("stepfunctions", "sns")


@observed
def handler(event: Event) -> Answer:
    described = describe_end(event["detail"])
    if described is None:
        logger.info("redriven", execution_arn=event["detail"]["executionArn"])
        return {"told": False}
    ending = read_ending(described)
    told = tell(ending, os.environ["NOTIFICATION_TOPIC_ARN"])
    logger.info("run ended", execution_arn=ending.execution_arn, outcome=ending.outcome, told=told)
    return {"told": told}


def read_ending(described: Mapping[str, Any]) -> Ending:
    """The end of an execution as DescribeExecution has it; why a job failed is asked of SageMaker."""
    job = failed_job(str(described.get("cause") or ""))
    if job and job.is_processing:
        described = {**described, "cause": _described(job.name) or described["cause"]}
    ending = from_detail(described)
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
