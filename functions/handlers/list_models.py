"""The approved models, newest first, for callers with IAM.

The event is `{"workload": NAME, "next": TOKEN}`, both optional.
"""

from catalogue.models import list_models
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed
from web.callers import answer

prepare("s3", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    return answer(event, lambda asked: list_models(asked.get("workload"), asked.get("next")))
