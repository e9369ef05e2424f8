"""Copy the model and its evaluation to where no job can write; refuse them if they changed after the job.

The function copies only what an execution waits for (`runs/scheduled.py`), so that nobody can overwrite a
kept model by invoking it. The job's exit message has the digest of the evaluation, where the bucket's writers
cannot change it; the evaluation has the digest of the model.
"""

import os

from model.kept import keep
from runs.scheduled import scheduled_request
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, measure_apart, observed

prepare("stepfunctions", "s3")


@observed
def handler(event: Event) -> Answer:
    request = scheduled_request(event, "run_id", "evaluation_digest")
    run_id = str(request["run_id"])
    # A run that began before the deployment sends neither place nor gate.
    evaluated = request.get("evaluation_uri", f"s3://{os.environ['BUCKET_NAME']}/runs/{run_id}/evaluation")
    evaluation = keep(run_id, str(evaluated), str(request["evaluation_digest"]), request.get("gate"))
    if metric := evaluation.gate_metric:
        measure_apart("GateMetric", metric.value, Workload=evaluation.workload)
    logger.info("model kept", run_id=run_id, digest=evaluation.digests.get("model"))
    return evaluation.summary()
