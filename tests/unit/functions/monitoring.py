"""A world with models, runs and captured requests, for the functions of monitoring."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from common.drift import Drift, FeatureTest, Histogram, QualityChange
from common.monitored import Monitored
from runs.names import run_id
from tests.unit.functions.conftest import World

WORKLOAD = "auto_mpg"
GROUP = "mpg-pipeline--auto-mpg"
PACKAGE = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{GROUP}/3"
MODEL_RUN = "mpg-20260301-0915-0123abcd"
MONITOR = "arn:aws:states:us-east-1:000000000000:execution:mpg-pipeline-monitor:weekly"
ID = "mpg-20260310-0000-0a1b2c3d"
FOLDER = f"monitoring/{WORKLOAD}/{ID}/"
# moto stores objects with the time of the test, so the windows end in the future.
NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)

HISTOGRAM = Histogram((0.0, 1.0, 2.0), (), (0.5, 0.5), (0.1, 0.9))
DRIFTED = FeatureTest("weight", "kolmogorov_smirnov", 0.4, 0.1, drifted=True, histogram=HISTOGRAM)
CALM = FeatureTest("year", "kolmogorov_smirnov", 0.05, 0.1, drifted=False)
DEGRADED = QualityChange("error", "Mean error", "lower", 1.0, 2.0, 0.5, 1.5, 0.95, 40, degraded=True)


def approve(world: World, package: str = PACKAGE, **metadata: str) -> None:
    """An approved package, approved long ago, with its model in place."""
    given = {"run_id": MODEL_RUN, "workload": WORKLOAD, "model_digest": "sha256:3", **metadata}
    world.sagemaker.register(package, "Approved", **given)
    world.sagemaker.packages[package]["CreationTime"] = NOW - timedelta(days=9)
    world.put(f"models/{MODEL_RUN}/model.tar.gz", b"a model")


def go_live(world: World, endpoint_type: str = "instance", since: datetime = NOW - timedelta(days=8)) -> None:
    """The approved package answers."""
    texts = {
        "workload": WORKLOAD,
        "package_arn": PACKAGE,
        "endpoint_type": endpoint_type,
        "endpoint_name": "mpg-pipeline-auto-mpg",
        "since": since.isoformat(),
        "execution_arn": "arn:release",
    }
    world.table.put_item(Item={"pk": f"live#{WORKLOAD}", "version": 3, **texts})


def run(world: World, name: str, key: str = "incoming/file.csv", *files: str, **detail: Any) -> str:
    """A run that ended and wrote these files; returns its id."""
    arn = f"arn:aws:states:us-east-1:000000000000:execution:mpg-pipeline:{name}"
    event = {"detail": {"bucket": {"name": "b"}, "object": {"key": key}, **detail}}
    world.stepfunctions.end(arn, "SUCCEEDED", input=json.dumps(event))
    world.stepfunctions.executions[arn]["stopDate"] = NOW + timedelta(minutes=1)
    its_id = run_id(arn, world.stepfunctions.executions[arn]["startDate"])
    for file in files or ("predictions/batch.csv.out", "prepared/batch/batch.csv"):
        world.put(f"runs/{its_id}/{file}", b"1,2\n")
    return its_id


def found(
    *tests: FeatureTest, quality: QualityChange | None = None, problem: str = "", **more: Any
) -> Monitored:
    """What the job found."""
    drift = Drift(PACKAGE, 1000, 200, 0.001, tests, problem)
    rows = {"batch": 150, "endpoint": 50, "labelled": 40}
    return Monitored(
        WORKLOAD, PACKAGE, "2026-03-03T00:00:00Z", "2026-03-10T00:00:00Z", rows, drift, quality, **more
    )


def findings(world: World, content: Monitored, folder: str = FOLDER) -> str:
    """The job wrote this; returns its digest."""
    body = json.dumps(content.to_json()).encode()
    world.put(f"{folder}monitoring.json", body)
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def plan_of(todo: str = "monitor", **changes: Any) -> dict[str, Any]:
    """The plan of the workload as the state machine hands it over."""
    return {
        "workload": WORKLOAD,
        "todo": todo,
        "title": "A title",
        "notes": [],
        "since": "2026-03-03T00:00:00Z",
        "until": "2026-03-10T00:00:00Z",
        "model_package_arn": PACKAGE,
        **changes,
    }
