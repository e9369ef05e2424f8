"""`mpg run`: one file through the whole pipeline, as a person would do it, and its outcome."""

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.deploy import ENDPOINT_TYPE, NO_ENDPOINT
from local.cli.down import NOTE
from local.cli.drive import Drive
from local.cli.endpoint import Endpoint, connected, endpoint_of
from local.cli.instance import read_running
from local.cli.interrupts import Interrupted, Interrupts
from local.cli.outcome import Result
from local.cli.screen import Screen
from local.cli.session import session
from local.cli.up import show_trouble, start
from local.cli.workloads import WrongWorkload, choose

READY_SECONDS = 120.0
# What a run that is followed here calls.
CLIENTS = ("cloudformation", "dynamodb", "stepfunctions", "sagemaker")


@dataclass(frozen=True)
class Order:
    """What was asked for: a file, the workload if one was named, the decision, another limit of the gate.

    Unless it `releases`, no endpoint is created or changed; unless it `reuses`, every step is done anew.
    """

    file: Path
    workload: str | None
    decision: str
    threshold: float | None
    releases: bool = True
    reuses: bool = True


def run_file(interrupts: Interrupts, order: Order, *, as_json: bool) -> int:
    """Run the file, show everything, print the JSON object if requested. Returns the exit code."""

    def work(screen: Screen, result: Result) -> None:
        with deployed(interrupts, screen, _parameters(order)) as (endpoint, stays):
            drive = Drive(endpoint, result, screen, stays=stays)
            drive.run(order.file, order.workload, order.decision, reuse=order.reuses)

    return report(work, as_json=as_json)


def report(work: Callable[[Screen, Result], None], *, as_json: bool) -> int:
    """Do the work, show everything, print the JSON object if requested. Returns the exit code."""
    screen = Screen.on(stderr=as_json)
    result = Result()
    try:
        work(screen, result)
    except Trouble as trouble:
        _note_failure(result, trouble.what)
        show_trouble(screen, trouble)
    except Exception as error:
        # The exit code and the JSON object say "failed" for any failure, including a bug in this program.
        _note_failure(result, f"{type(error).__name__}: {error}")
        screen.close()
        traceback.print_exc()
    except Interrupted:
        screen.close()
        screen.line()
        screen.line("Interrupted. Nothing that this command started is left running.")
        raise
    finally:
        screen.close()
    if as_json:
        print(json.dumps(result.as_json()), flush=True)
    return result.exit_code


def _note_failure(result: Result, cause: str) -> None:
    # What fails after the approval does not undo it.
    if result.outcome != "approved":
        result.outcome = "failed"
    result.error, result.cause = "RunFailed", cause


def _parameters(order: Order) -> dict[str, str]:
    """The stack parameters for this run: the one that sets the gate's limit, and no endpoint."""
    own = {} if order.releases else {ENDPOINT_TYPE: NO_ENDPOINT}
    if order.threshold is None:
        return own
    try:
        gate = choose(order.file, order.workload, default="").settings["gate"]
    except WrongWorkload as wrong:
        raise Trouble(str(wrong)) from None
    return {gate["parameter"]: f"{order.threshold:g}", **own}


@contextmanager
def deployed(
    interrupts: Interrupts, screen: Screen, parameters: Mapping[str, str]
) -> Iterator[tuple[Endpoint, bool]]:
    """The running `mpg up`, or an embedded AWS for the duration; with it, whether it stays afterwards.

    The stack has these parameters for the time.
    """
    running = _running(screen)
    if running is None:
        with session(interrupts) as started:
            endpoint, _ = start(started, screen, None, parameters, CLIENTS)
            with connected(endpoint, started.aws_log):
                yield endpoint, False
        return
    screen.line(f"Using the mpg up at {running.url}")
    with connected(running), deploy.own_parameters(running, parameters, interrupts) as before:
        for name, value in parameters.items():
            screen.line(f"{name} is {value} for this run, and {before[name]} again afterwards")
        yield running, True


def _running(screen: Screen) -> Endpoint | None:
    """The `mpg up` of this checkout; waits for it if it is starting."""
    deadline = time.monotonic() + READY_SECONDS
    announced = False
    while (note := read_running(NOTE)) and note.port is None:
        if not announced:
            screen.line("mpg up is starting; waiting until it is ready")
            announced = True
        if time.monotonic() > deadline:
            raise Trouble(f"mpg up is not ready after {READY_SECONDS:.0f} s", "`mpg down` stops it.")
        time.sleep(0.1)
    return endpoint_of(note) if note else None
