"""Mail every subscriber how a run ended: once, even if the event is duplicated or forged.

The event only names the execution; the content of the mail comes from Step Functions and SageMaker. If an
execution is redriven before its end was mailed, that end is not mailed: the person who redrove it knows, and
the next end will be mailed.

The mail links to the run's report. A duplicate of the event makes no other report.
"""

from functools import partial

from costs.run_costs import READ_SECONDS
from reporting.publishing import publish
from runs.executions import describe_end
from runs.notifying import announce, read_ending
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sns", "s3", "sagemaker")
prepare("sagemaker", read_timeout=READ_SECONDS)


@observed
def handler(event: Event) -> Answer:
    described = describe_end(event["detail"])
    if described is None:
        logger.info("redriven", execution_arn=event["detail"]["executionArn"])
        return {"mailed": False}
    ending = read_ending(described)
    mailed = announce(ending, partial(publish, described, ending))
    logger.info("run ended", execution_arn=ending.execution_arn, outcome=ending.outcome, mailed=mailed)
    return {"mailed": mailed}
