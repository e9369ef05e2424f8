"""The page behind the mailed link, on a Function URL: GET and HEAD show, POST decides (`web/review.py`).

It does not resume the execution. The package's state-change event does, as for a decision made in SageMaker:
see `resume_pipeline`.
"""

from shared.aws import prepare
from shared.telemetry import Answer, Event, count, logger, observed
from web import templating
from web.http import Request
from web.review import respond

# Before the clients, which then take the memory that compiling has left.
templating.prepare()
prepare("s3", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    request = Request.from_event(event)
    response = respond(request)
    logger.info("answered", method=request.method, status=response.status)
    count(f"ReviewPage{response.status // 100}xx")
    return response.as_answer()
