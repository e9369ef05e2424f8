"""`sam deploy` to the embedded AWS, and changes of the stack's parameters."""

import json
import time
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli.endpoint import STACK, Endpoint
from local.cli.interrupts import Interrupts
from local.cli.project import ROOT

UPDATE_SECONDS = 60.0
# The parameter that says where an approved model answers, and its value for nowhere.
ENDPOINT_TYPE, NO_ENDPOINT = "EndpointType", "none"


def arguments(template: Path, parameters: Mapping[str, str]) -> list[str]:
    """What `sam` is called with to deploy a built template; parameters replace those of samconfig.toml."""
    own = ["--parameter-overrides", *overrides(parameters)] if parameters else []
    return [
        *("deploy", "--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"),
        *("--template-file", str(template), "--use-json", "--no-progressbar"),
        *own,
    ]


def artifact_bucket(root: Path = ROOT) -> str:
    """The bucket that `sam deploy` uploads to, which must already exist."""
    return str(_configured(root)["s3_bucket"])


def overrides(parameters: Mapping[str, str], root: Path = ROOT) -> list[str]:
    # On the command line, the option replaces the whole list in the file.
    configured = _configured(root).get("parameter_overrides", [])
    entries: list[str] = configured.split() if isinstance(configured, str) else configured
    others = [entry for entry in entries if entry.partition("=")[0] not in parameters]
    return others + [f"{name}={value}" for name, value in parameters.items()]


def _configured(root: Path) -> dict[str, Any]:
    settings = tomllib.loads((root / "samconfig.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = settings["local"]["deploy"]["parameters"]
    return found


def quiet_sam(app_folder: Path) -> dict[str, str]:
    """Variables that keep the SAM CLI fast and local: no telemetry, no check for newer versions, no waiting.

    It keeps its own files in `app_folder` instead of the user's home.
    """
    app_folder.mkdir(parents=True, exist_ok=True)
    notes = {"installationId": str(uuid.uuid4()), "telemetryEnabled": False, "lastVersionCheck": time.time()}
    (app_folder / "metadata.json").write_text(json.dumps(notes), encoding="utf-8")
    return {
        "__SAM_CLI_APP_DIR": str(app_folder),
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
    }


def outputs(endpoint: Endpoint) -> dict[str, str]:
    """The deployed stack's outputs. Raises Trouble if nothing is deployed."""
    return outputs_of(_stack(endpoint))


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a stack, as CloudFormation describes it."""
    return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}


def parameters(endpoint: Endpoint) -> dict[str, str]:
    """The deployed stack's parameters. Raises Trouble if nothing is deployed."""
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in _stack(endpoint)["Parameters"]}


def _stack(endpoint: Endpoint) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        stacks = endpoint.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except ClientError as error:
        raise Trouble(
            f"No stack {STACK} at {endpoint.url}", "Stop it with `mpg down` and start it again."
        ) from error
    return dict(stacks[0])


@contextmanager
def own_parameters(
    endpoint: Endpoint, wanted: Mapping[str, str], interrupts: Interrupts
) -> Iterator[dict[str, str]]:
    """While entered, the deployed stack has these parameters; gives those that come back afterwards."""
    now = parameters(endpoint) if wanted else {}
    before = {name: now[name] for name in wanted}
    try:
        for name, value in wanted.items():
            set_parameter(endpoint, name, value)
        yield before
    finally:
        with interrupts.held():
            for name, former in before.items():
                set_parameter(endpoint, name, former)


def set_parameter(endpoint: Endpoint, name: str, value: str) -> None:
    """Update one of the stack's parameters and wait for the update. Raises Trouble if it fails."""
    set_parameters(endpoint, {name: value})


def set_parameters(endpoint: Endpoint, wanted: Mapping[str, str]) -> None:
    """The same for several parameters in one update."""
    status = _settled(endpoint)
    now = parameters(endpoint)
    if wanted.items() <= now.items():
        return
    endpoint.client("cloudformation").update_stack(
        StackName=STACK,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": each, "ParameterValue": wanted[each]}
            if each in wanted
            else {"ParameterKey": each, "UsePreviousValue": True}
            for each in now
        ],
    )
    status = _settled(endpoint)
    if status != "UPDATE_COMPLETE":
        asked = ", ".join(f"{name}={value}" for name, value in wanted.items())
        raise Trouble(f"{asked} was not accepted: the stack is in {status}", "See the stack's events.")


def _settled(endpoint: Endpoint) -> str:
    """The stack's status once no operation is in progress."""
    deadline = time.monotonic() + UPDATE_SECONDS
    while (status := str(_stack(endpoint)["StackStatus"])).endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise Trouble(f"The stack {STACK} is still in {status} after {UPDATE_SECONDS:.0f} s")
        time.sleep(0.1)
    return status
