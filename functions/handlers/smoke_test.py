"""After an endpoint has come into service: does it answer as the evaluated model did?"""

from release.asking import ask_endpoint, ask_function
from release.smoke_test import try_endpoint
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed

prepare("s3")


@observed
def handler(event: Event) -> Answer:
    ask = ask_function if event["endpoint_type"] == "function" else ask_endpoint
    return try_endpoint(
        ask, str(event["endpoint_name"]), str(event["run_id"]), str(event["evaluation_digest"])
    )
