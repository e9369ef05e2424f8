"""Remember what a run got in each step, for later runs to reuse.

The function remembers only what an execution waits for (`runs/scheduled.py`): by invoking it, nobody can make
later runs use other files.
"""

from reuse.remembering import remember
from runs.scheduled import scheduled_request
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("s3", "stepfunctions")


@observed
def handler(event: Event) -> Answer:
    request = scheduled_request(event, "run_id")
    steps = remember(request)
    logger.info("results remembered", run_id=request["run_id"], steps=steps)
    return {"remembered": steps}
