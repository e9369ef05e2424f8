"""Mail every subscriber that monitoring failed: once, even if the event is duplicated or forged.

The event only names the execution.
"""

from monitoring.ending import announce_end
from runs.executions import describe_end
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sns", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    described = describe_end(event["detail"])
    mailed = described is not None and announce_end(described)
    logger.info("monitoring ended", execution_arn=event["detail"]["executionArn"], mailed=mailed)
    return {"mailed": mailed}
