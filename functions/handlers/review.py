"""The page behind the mailed link, on a Function URL: GET and HEAD show, POST decides (`web/review.py`).

The execution is not resumed from here. The package's state-change event does that, as it does for a decision
that was made in SageMaker: `resume_pipeline`.
"""

from shared.aws import prepare
from shared.telemetry import Answer, Event, count, logger, observed
from web.http import Request
from web.review import respond

prepare("s3", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    request = Request.from_event(event)
    response = respond(request)
    logger.info("answered", method=request.method, status=response.status)
    count(f"ReviewPage{response.status // 100}xx")
    return response.as_answer()
