"""The answer of a live model to one row, as a person would see it."""

from __future__ import annotations

from urllib.parse import urlsplit

from common.evaluation import SmokeTest, parse
from common.workload import Workload
from local.cli.endpoint import Endpoint
from local.cli.invoke import predict
from local.cli.live import Live
from local.cli.screen import Screen

LONGEST_SHOWN = 100


def show_answer(screen: Screen, endpoint: Endpoint, live: Live, workload: Workload) -> None:
    """Send the first row of the evaluation's smoke test, and show both. Raises Trouble."""
    known = _smoke_test(endpoint, live.package_arn)
    if known is None:
        return
    row = known.request.splitlines()[0]
    [answer] = predict(endpoint, live, workload.settings["model"], [row])
    screen.heading(f"The endpoint {live.endpoint_name}, asked about one row")
    screen.facts([("Sent", _shortened(row)), ("Answered", _shortened(answer))])


def _smoke_test(endpoint: Endpoint, package_arn: str) -> SmokeTest | None:
    package = endpoint.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    place = urlsplit(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
    found = endpoint.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
    return parse(found["Body"].read().decode("utf-8")).smoke_test


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
