"""An execution failed, was stopped or took too long: none of its jobs goes on working, and costing.

The event only names the execution. The scheduled sweep does the same for what this function did not hear of,
or came too early for.
"""

from runs.executions import describe_end
from runs.names import run_id
from runs.orphans import jobs_in_progress, stop_jobs_of
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    arn = event["detail"]["executionArn"]
    described = describe_end(event["detail"])
    jobs = jobs_in_progress(run_id(arn, described["startDate"])) if described else []
    stopped = stop_jobs_of(arn, jobs)
    logger.info("jobs looked for", execution_arn=arn, stopped=stopped)
    return {"stopped": stopped}
