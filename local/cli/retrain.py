"""`mpg retrain`: train a workload again on what was uploaded before, and follow the run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.drive import Drive
from local.cli.endpoint import Endpoint, connected
from local.cli.outcome import Result
from local.cli.predict import known_workload
from local.cli.run import report
from local.cli.running import running
from local.cli.screen import Screen
from shared.text import defang


def retrain_workload(name: str, on: str | None, decision: str, *, as_json: bool) -> int:
    """Ask for the retraining and follow it, as `mpg run` follows a run. Returns the exit code."""

    def work(screen: Screen, result: Result) -> None:
        result.reason = "retrain"
        workload = known_workload(name)
        endpoint = running()
        with connected(endpoint):
            began = time.time()
            answer = _ask(endpoint, workload.name, on)
            if answer["why_not"]:
                result.outcome, result.error, result.cause = (
                    "not_started",
                    "NotStarted",
                    str(answer["why_not"]),
                )
                screen.failure("No retraining was started.")
                screen.line(defang(result.cause))
                return
            screen.heading(f"Retraining {workload.name} on what was uploaded before")
            if answer["left_out"]:
                screen.line(f"  Left out: {defang(str(answer['left_out']))}")
            Drive(endpoint, result, screen, stays=True).follow(
                str(answer["started"]), workload, began, decision
            )

    return report(work, as_json=as_json)


def _ask(endpoint: Endpoint, workload: str, on: str | None) -> Mapping[str, Any]:
    asked = {"workload": workload, "reason": "retrain", **({"on": on} if on else {})}
    given = endpoint.client("lambda").invoke(
        FunctionName=deploy.outputs(endpoint)["RetrainFunction"], Payload=json.dumps(asked)
    )
    answer: Mapping[str, Any] = json.load(given["Payload"])
    if "FunctionError" in given:
        raise Trouble("The function that retrains failed", "Its log says why.")
    return answer
