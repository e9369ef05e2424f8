"""Find out what there is to monitor for each workload: the first state of the machine of monitoring."""

from dataclasses import asdict
from datetime import datetime

from monitoring.planning import plan
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sagemaker", "s3")


@observed
def handler(event: Event) -> Answer:
    until = datetime.fromisoformat(str(event["until"]))
    plans = plan(str(event["monitoring_id"]), until, str(event["workload"]))
    logger.info("monitoring planned", plans={each.workload: each.todo for each in plans})
    return {"plans": [asdict(each) for each in plans]}
