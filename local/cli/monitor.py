"""`mpg monitor`: look now at what the live models saw, in the running `mpg up`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import Endpoint, connected
from local.cli.predict import known_workload
from local.cli.running import running
from local.cli.screen import Screen
from local.cli.up import show_trouble
from shared.text import defang, one_line

_POLL_SECONDS = 0.5
_WORDS = {
    "fine": "nothing is wrong",
    "too_little_data": "too little data to judge",
    "nothing_new": "nothing new",
    "no_model": "no model to watch",
    "not_watched": "not watched",
    "overtaken": "another look was faster",
    "failed": "failed",
}


def look_now(name: str | None, *, as_json: bool) -> int:
    """Start an execution of monitoring and wait for its end. Returns the exit code."""
    screen = Screen.on(stderr=as_json)
    try:
        endpoint = running()
        with connected(endpoint):
            workload = known_workload(name).name if name else ""
            described = _ended(endpoint, workload)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    succeeded = described["status"] == "SUCCEEDED"
    found = json.loads(described["output"])["workloads"] if succeeded else []
    if as_json:
        print(json.dumps({"status": described["status"], "workloads": found}))
    for outcome in found:
        _show(screen, outcome)
    if not succeeded:
        screen.failure("Monitoring failed.")
        screen.line(defang(str(described.get("cause") or described["status"])))
    return 0 if succeeded else 2


def _ended(endpoint: Endpoint, workload: str) -> Mapping[str, Any]:
    states = endpoint.client("stepfunctions")
    asked = {"reason": "request", **({"workload": workload} if workload else {})}
    arn = states.start_execution(
        stateMachineArn=deploy.outputs(endpoint)["MonitorStateMachineArn"], input=json.dumps(asked)
    )["executionArn"]
    while (described := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(_POLL_SECONDS)
    ended: Mapping[str, Any] = described
    return ended


def _show(screen: Screen, outcome: Mapping[str, Any]) -> None:
    found = [
        word
        for word, is_so in (("drift", outcome.get("drifted")), ("worse predictions", outcome.get("degraded")))
        if is_so
    ]
    words = " and ".join(found) or _WORDS.get(str(outcome["outcome"]), str(outcome["outcome"]))
    screen.line(f"{outcome['workload']}: {words}")
    for note in outcome.get("notes", ()):
        screen.line(f"  {defang(one_line(str(note), 600))}")
    if outcome.get("report_uri"):
        screen.line(f"  {outcome['report_uri']}")
