"""`mpg predict`: the rows of a file to the live model of a workload, its answers to the terminal."""

from __future__ import annotations

from pathlib import Path

from common.workload import UnknownWorkload, Workload, find_workload
from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import Endpoint, connected
from local.cli.invoke import predict
from local.cli.live import Live, read_live
from local.cli.rows import read_rows
from local.cli.running import running
from local.cli.screen import Screen, printable
from local.cli.up import show_trouble


def predict_file(name: str, file: Path) -> int:
    """Print the answer to each row of the file, a line each. Returns the exit code."""
    screen = Screen.on(stderr=True)
    try:
        workload = known_workload(name)
        endpoint = running()
        with connected(endpoint):
            live = live_model(endpoint, workload)
            rows = read_rows(workload, file, screen)
            for answer in predict(endpoint, live, workload.settings["model"], rows):
                print(printable(answer), flush=True)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    return 0


def known_workload(name: str) -> Workload:
    """The workload of this name. Raises Trouble."""
    try:
        return find_workload(name)
    except UnknownWorkload as unknown:
        raise Trouble(str(unknown)) from None


def live_model(endpoint: Endpoint, workload: Workload) -> Live:
    """The workload's live model. Raises Trouble."""
    live = read_live(endpoint, deploy.outputs(endpoint)["TableName"], workload.name)
    if live is None:
        raise Trouble(
            f"No model of {workload.name} is live",
            "Send a file through the pipeline and approve its model: `mpg run FILE`.",
        )
    return live
