"""`mpg report`: the page about a run, or about two, written to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import connected
from local.cli.project import shown
from local.cli.running import running
from local.cli.screen import Screen
from local.cli.up import show_trouble

if TYPE_CHECKING:
    from reporting.gathering import Run
    from runs.executions import Execution

_VARIABLES = {"BUCKET_NAME": "BucketName", "TABLE_NAME": "TableName"}
_NAMED = 5
_NO_LIMIT = datetime.min.replace(tzinfo=UTC)


def write_report(runs: tuple[str, ...], to: Path | None, config_env: str | None, region: str | None) -> int:
    """Write the page about the newest run, one run, or two, named by parts of ids. Returns the exit code."""
    screen = Screen.on(stderr=str(to) == "-")
    try:
        with _pipeline(config_env, region) as outputs:
            name, page = _page(runs, outputs["StateMachineArn"])
            _write(page, name, to, screen)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    return 0


@contextmanager
def _pipeline(config_env: str | None, region: str | None) -> Iterator[Mapping[str, str]]:
    """The outputs of the stack that has the runs. While entered, the functions' code finds its resources.

    That is the stack of the running `mpg up`, or with `config_env`, the one in the AWS account.
    """
    if config_env is not None:
        from deploy.sdk_errors import exit_with_message

        with exit_with_message():
            outputs = _outputs_on_aws(config_env, region)
            os.environ.update({name: outputs[output] for name, output in _VARIABLES.items()})
            os.environ["AWS_REGION"] = outputs["StateMachineArn"].split(":")[3]
            yield outputs
        return
    endpoint = running()
    with connected(endpoint):
        outputs = deploy.outputs(endpoint)
        os.environ.update(endpoint.environment())
        os.environ.update({name: outputs[output] for name, output in _VARIABLES.items()})
        os.environ["AWS_REGION"] = outputs["StateMachineArn"].split(":")[3]
        yield outputs


def _outputs_on_aws(config_env: str, region: str | None) -> dict[str, str]:
    import boto3

    from deploy.settings import read_settings

    settings = read_settings(config_env)
    if region := region or settings.region:
        os.environ["AWS_DEFAULT_REGION"] = region
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=settings.stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _page(parts: tuple[str, ...], machine: str) -> tuple[str, str]:
    """The name of the page's file, and the page."""
    from reporting.comparing import comparison_page
    from reporting.page import report_page
    from runs.executions import list_executions

    moment = datetime.now(UTC)
    executions = list_executions(machine, _NO_LIMIT)
    if not executions:
        raise Trouble("There is no run yet", "`mpg run` starts one.")
    found = [_gather(_choose(part, executions)) for part in parts or ("",)]
    if len(found) == 1:
        return f"{found[0].run_id}.html", report_page(found[0], moment, _advice(found[0].run_id))
    one, other = found
    return f"{one.run_id}-and-{other.run_id}.html", comparison_page((one, other), moment)


def _choose(part: str, executions: list[Execution]) -> Execution:
    """The execution whose run's id, or whose own name, contains this; the newest if it is empty."""
    if not part:
        return executions[0]
    found = [each for each in executions if part in each.run_id or part in each.arn.rpartition(":")[2]]
    if not found:
        raise Trouble(
            f'No run has "{part}" in its id',
            f"The newest is {executions[0].run_id}. Step Functions forgets a run 90 days after its end.",
        )
    if len(found) > 1:
        names = ", ".join(each.run_id for each in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise Trouble(f'{len(found)} runs have "{part}" in their ids', f"Give more of it: {names}{more}.")
    return found[0]


def _gather(execution: Execution) -> Run:
    from reporting.gathering import gather
    from runs.executions import describe
    from runs.notifying import read_ending

    described = describe(execution.arn)
    return gather(described, read_ending(described))


def _advice(run_id: str) -> list[str]:
    """Which instances would have done; nothing if the metrics cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    from costs.sizing import advise

    try:
        return [advice.sentence for advice in advise(run_id)]
    except (ClientError, BotoCoreError):
        return []


def _write(page: str, name: str, to: Path | None, screen: Screen) -> None:
    if str(to) == "-":
        sys.stdout.write(page)
        return
    path = to / name if to and to.is_dir() else to or Path(name)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Trouble(
            f"{shown(path)} cannot be written: {error.strerror}", "Name another with --to."
        ) from None
    screen.line(f"{shown(path)}: {len(page.encode()):,} bytes. It opens in any browser.")
