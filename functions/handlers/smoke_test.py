"""After an endpoint has come into service: does it answer as the evaluated model did?"""

from release.smoke_test import try_endpoint
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed

prepare("s3", "sagemaker-runtime")


@observed
def handler(event: Event) -> Answer:
    return try_endpoint(str(event["endpoint_name"]), str(event["run_id"]), str(event["evaluation_digest"]))
