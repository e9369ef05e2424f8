"""Stop the jobs of an execution that failed, was stopped or timed out, so that they cost nothing more.

The event only names the execution. The scheduled sweep stops jobs for which an event was lost or early.
"""

from runs.executions import describe_end
from runs.names import run_id
from runs.orphans import jobs_in_progress_of, stop_jobs_of
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    arn = event["detail"]["executionArn"]
    described = describe_end(event["detail"])
    jobs = jobs_in_progress_of(run_id(arn, described["startDate"])) if described else []
    stopped = stop_jobs_of(arn, jobs)
    logger.info("jobs looked for", execution_arn=arn, stopped=stopped)
    return {"stopped": stopped}
