"""Mails once that an execution of monitoring failed. One that succeeded has said what it found itself."""

import os
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runs.causes import readable_cause
from runs.endings import identity
from runs.executions import ENDED_BADLY
from runs.names import PREFIX
from shared import once
from shared.aws import client
from shared.mails import render, send
from shared.telemetry import count, describe_error, logger
from shared.text import one_line

_JOB = re.compile(rf"{PREFIX}\d{{8}}-\d{{4}}-[0-9a-f]{{8}}-monitor-\d+-\d+-\d+")
_JOBS_SHOWN = 10


def announce_end(described: Mapping[str, Any]) -> bool:
    """Mail how an execution ended, unless it succeeded or that was mailed. Returns whether this call did."""
    arn, status = str(described["executionArn"]), str(described["status"])
    if status not in ENDED_BADLY:
        return False
    cause = readable_cause(str(described.get("cause") or ""))
    jobs = list(dict.fromkeys(_JOB.findall(cause)))[:_JOBS_SHOWN]
    mail = render(
        "monitoring/failed",
        status=status,
        cause=cause,
        jobs=[(job, _last_words(job)) for job in jobs],
        execution_arn=arn,
    )
    topic = os.environ["NOTIFICATION_TOPIC_ARN"]
    new = once.do(identity_of(described), lambda: send(mail, topic))
    if new and status != "ABORTED":
        count("MonitoringFailed")
    return new


def identity_of(described: Mapping[str, Any]) -> str:
    """The key of an end, for which one mail is sent."""
    redrives = int(described.get("redriveCount") or 0)
    return identity(str(described["executionArn"]), str(described["status"]), redrives)


def _last_words(job: str) -> str:
    """A job's own message, which Step Functions does not receive."""
    try:
        found = client("sagemaker").describe_processing_job(ProcessingJobName=job)
    except (ClientError, BotoCoreError) as error:
        logger.warning("job not readable", processing_job=job, **describe_error(error))
        return ""
    return one_line(str(found.get("ExitMessage") or found.get("FailureReason") or ""), 1000)
