"""A link to an approved model's file, for callers with IAM.

The event is `{"workload": NAME, "version": 7, "format": "onnx"}`; the format is `native` by default.
"""

from catalogue.downloads import link_to
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed
from web.callers import answer, number_of, text_of

prepare("s3", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    return answer(
        event,
        lambda asked: link_to(
            text_of(asked, "workload"), number_of(asked, "version"), str(asked.get("format") or "native")
        ),
    )
