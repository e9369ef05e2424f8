"""The catalogue for people without an AWS account, on a public Function URL (`web/catalogue.py`).

Whoever has a link reads; nothing is ever written but the number of requests.
"""

from shared.aws import prepare
from shared.telemetry import Answer, Event, count, logger, observed
from web.catalogue import respond
from web.http import Request

prepare("s3", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    request = Request.from_event(event)
    response = respond(request)
    # The path has the link's id.
    logger.info("answered", method=request.method, status=response.status)
    count(f"CataloguePage{response.status // 100}xx")
    return response.as_answer()
