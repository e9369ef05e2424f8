"""Mail how a run ended, to everyone who subscribed: once, though the event comes twice or is made up.

The event only names the execution; everything in the mail is what Step Functions and SageMaker say. An end
that was redriven before it was mailed is mailed to nobody: whoever redrove it knows, and the next end will be
mailed.
"""

from runs.executions import describe_end
from runs.notifying import announce, read_ending
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sns")


@observed
def handler(event: Event) -> Answer:
    described = describe_end(event["detail"])
    if described is None:
        logger.info("redriven", execution_arn=event["detail"]["executionArn"])
        return {"mailed": False}
    ending = read_ending(described)
    mailed = announce(ending)
    logger.info("run ended", execution_arn=ending.execution_arn, outcome=ending.outcome, mailed=mailed)
    return {"mailed": mailed}
