"""`mpg rollback`: release an earlier approved version of a workload again."""

from __future__ import annotations

import json

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import Endpoint, connected
from local.cli.live import Live
from local.cli.predict import known_workload, live_model
from local.cli.release import follow, show
from local.cli.running import running
from local.cli.screen import Screen
from local.cli.up import show_trouble


def roll_back(name: str | None, version: int | None) -> int:
    """Release a version again, by default the one before, and follow it. Returns the exit code."""
    screen = Screen.on(stderr=False)
    try:
        endpoint = running()
        with connected(endpoint):
            workload = known_workload(name or deploy.parameters(endpoint)["DefaultWorkload"])
            live = live_model(endpoint, workload)
            package_arn = _target(endpoint, live, version)
            screen.line(
                f"Version {live.version} is live on endpoint {live.endpoint_name}; "
                f"releasing version {package_arn.rpartition('/')[2]} again"
            )
            stack = deploy.outputs(endpoint)
            execution_arn = _start(endpoint, stack["StateMachineArn"], package_arn)
            release = follow(endpoint, screen, stack["TableName"], workload.name, package_arn, execution_arn)
            show(screen, release)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    return 0 if release.succeeded else 2


def _target(endpoint: Endpoint, live: Live, version: int | None) -> str:
    """The package to release. Raises Trouble unless it is approved and not live."""
    named = f"{live.package_arn.rpartition('/')[0]}/{version}" if version else None
    arn = named or live.previous_arn
    if arn is None:
        raise Trouble(
            f"No version of {live.workload} was live before version {live.version}",
            "Name another approved version with --to.",
        )
    if arn == live.package_arn:
        raise Trouble(f"Version {live.version} of {live.workload} is live already")
    status = _approval_status(endpoint, arn)
    if status != "Approved":
        raise Trouble(
            f"Version {arn.rpartition('/')[2]} of {live.workload} is {status}",
            "Only an approved version can be released.",
        )
    return arn


def _approval_status(endpoint: Endpoint, package_arn: str) -> str:
    from botocore.exceptions import ClientError

    try:
        package = endpoint.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    except ClientError as error:
        version = package_arn.rpartition("/")[2]
        raise Trouble(f"There is no version {version}: {error.response['Error']['Message']}") from error
    return str(package["ModelApprovalStatus"])


def _start(endpoint: Endpoint, pipeline_arn: str, package_arn: str) -> str:
    """Ask the release machine, which has its name from the stack, as the pipeline's has."""
    asked = {
        "detail-type": "Release Requested",
        "detail": {"ModelPackageArn": package_arn, "reason": "rollback"},
    }
    started = endpoint.client("stepfunctions").start_execution(
        stateMachineArn=f"{pipeline_arn}-release", input=json.dumps(asked)
    )
    return str(started["executionArn"])
