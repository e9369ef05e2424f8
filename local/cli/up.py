"""`mpg up`: the embedded AWS with the application deployed to it, until Ctrl-C."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from deploy.problems import Trouble
from local.cli.down import NOTE
from local.cli.endpoint import STACK, Endpoint, endpoint_of
from local.cli.instance import AlreadyRunning, Instance, Note, sweep_up
from local.cli.interrupts import Interrupted, Interrupts
from local.cli.project import SAMPLE, shown, tool
from local.cli.screen import Screen
from local.cli.session import Session, session


def stay(interrupts: Interrupts, port: int | None) -> int:
    """Start, deploy, say what to do next, and keep running. Returns the exit code."""
    screen = Screen.on(stderr=False)
    try:
        instance, stale = Instance.claim(NOTE)
    except AlreadyRunning as running:
        _say_running(screen, running.note)
        return 2
    try:
        if stale:
            _say_lost(screen, stale)
        with session(interrupts) as started:
            _serve(started, instance, screen, port)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    except Interrupted as interrupted:
        screen.close()
        screen.line()
        screen.line("Stopped. Nothing is left running, and nothing was kept.")
        # Once it was ready, being stopped is its normal end.
        return 0 if instance.is_ready else interrupted.exit_code
    finally:
        instance.release()
        screen.close()
    return 0


def start(
    started: Session,
    screen: Screen,
    port: int | None,
    parameters: Mapping[str, str] | None = None,
    clients: Sequence[str] = (),
) -> tuple[Endpoint, dict[str, str]]:
    """Start the embedded AWS and deploy to it, showing how long each takes. Returns it, and the outputs of
    the stack. Raises Trouble.

    `clients` are the services that are called later.
    """
    with screen.live():
        began = time.monotonic()
        screen.doing("Start the embedded AWS", "and build the application")
        endpoint = started.start_aws(port)
        screen.done("Start the embedded AWS", time.monotonic() - began, f"{endpoint.url}, application built")
        began = time.monotonic()
        screen.doing("Deploy with the SAM CLI", "template.yaml as it is")
        outputs = started.deploy(endpoint, clients, **(parameters or {}))
        screen.done("Deploy with the SAM CLI", time.monotonic() - began, f"stack {STACK}")
    return endpoint, outputs


def show_trouble(screen: Screen, trouble: Trouble) -> int:
    """Say what failed, with the output that shows why. Returns the exit code."""
    screen.close()
    if trouble.output:
        screen.line()
        screen.block(trouble.output)
    screen.line()
    screen.failure(f"{trouble.what}.")
    if trouble.way_out:
        screen.line(trouble.way_out)
    return 2


def _serve(started: Session, instance: Instance, screen: Screen, port: int | None) -> None:
    began = time.monotonic()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    instance.write(Note(pid=os.getpid(), port=None, work=str(started.work), started=now))
    endpoint, outputs = start(started, screen, port)
    instance.write(Note(pid=os.getpid(), port=endpoint.port, work=str(started.work), started=now))
    screen.line()
    screen.line(f"Ready after {time.monotonic() - began:.1f} s.", style="bold green")
    _say_what_next(screen, endpoint, outputs["BucketName"])
    while started.aws_is_running():
        time.sleep(0.2)
    raise Trouble(
        "The embedded AWS ended by itself", "Its own output is above.", started.aws_log() or "(none)"
    )


def _say_what_next(screen: Screen, endpoint: Endpoint, bucket: str) -> None:
    sample = shown(SAMPLE)
    screen.heading("Mailbox and executions, in a browser")
    screen.line(f"  {endpoint.page}")
    screen.heading("Send a file through, in another terminal")
    screen.line(f"  {tool('mpg')} run {sample} --decision none")
    screen.heading("Or with the AWS CLI")
    exports = " ".join(f"{name}={value}" for name, value in endpoint.variables().items())
    screen.line(f"  export {exports}")
    aws = tool("aws")
    screen.line(f"  {aws} s3 cp {sample} s3://{bucket}/incoming/")
    screen.line(f"  {aws} sagemaker list-training-jobs")
    screen.line()
    screen.line(
        "Ctrl-C stops it and removes everything; so does `mpg down` in another terminal.", style="dim"
    )


def _say_running(screen: Screen, note: Note | None) -> None:
    endpoint = endpoint_of(note) if note else None
    if note is None or endpoint is None:
        screen.failure("Another mpg up of this checkout is just starting or stopping.")
    else:
        screen.failure(f"mpg up is already running: {endpoint.page} (process {note.pid}).")
    screen.line("`mpg down` stops it.")


def _say_lost(screen: Screen, stale: Note) -> None:
    sweep_up(stale)
    screen.line(f"The mpg up of {stale.started} was killed. Its uploads, jobs, models and mails are lost.")
