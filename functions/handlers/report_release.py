"""Mail every subscriber how a release ended: once, even if the event is duplicated or forged.

The event only names the execution. A release that was stopped half way leaves an endpoint that may answer
with a model that nobody has tried; this function has it set back (`release/recovering.py`).
"""

from release.announcing import announce
from release.ending import read_end
from runs.executions import describe_end
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sns", "sagemaker", "s3")


@observed
def handler(event: Event) -> Answer:
    described = describe_end(event["detail"])
    if described is None:
        logger.info("redriven", execution_arn=event["detail"]["executionArn"])
        return {"mailed": False}
    end = read_end(described)
    mailed = announce(end)
    logger.info("release ended", execution_arn=end.execution_arn, outcome=end.outcome, mailed=mailed)
    return {"mailed": mailed}
