"""One execution on its way through the states: ministack's record of it, its callbacks, its events."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.embedded.task_errors import TaskError
from local.embedded.tasks import Callback, Execution, new_token


class MinistackExecution:
    """ministack's record of an execution: the journey through its states, and what tasks need of it.

    The record keeps the position, so that a redrive can go on from it: the state, its input, the variables.
    """

    def __init__(self, record: dict[str, Any], definition: Mapping[str, Any]) -> None:
        from ministack.services import stepfunctions

        self._states = stepfunctions
        self._record = record
        # Whoever walked before a redrive must not walk on because the execution runs again.
        self._redrive = record.get("redriveCount", 0)
        machine = stepfunctions._state_machines[record["stateMachineArn"]]
        self.role_arn = str(machine["roleArn"])
        start = {"name": definition["StartAt"], "input": json.loads(record["input"]), "variables": {}}
        self._position: dict[str, Any] = record.setdefault("position", start)
        self.context: dict[str, Any] = {
            "QueryLanguage": "JSONata",
            "Execution": {
                "Id": record["executionArn"],
                "Input": json.loads(record["input"]),
                "Name": record["name"],
                "RoleArn": self.role_arn,
                "StartTime": record["startDate"],
                "RedriveCount": record.get("redriveCount", 0),
            },
            "StateMachine": {"Id": record["stateMachineArn"], "Name": machine["name"]},
            "variables": self._position["variables"],
        }

    def position(self) -> tuple[str | None, Any]:
        return self._position["name"], self._position["input"]

    def enter(self, name: str, state: Mapping[str, Any], state_input: Any) -> Execution:
        self.context["State"] = {"Name": name, "EnteredTime": self._states.now_iso(), "RetryCount": 0}
        details = {"name": name, "input": json.dumps(state_input)}
        self.record(f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})
        return self

    def leave(self, name: str, state: Mapping[str, Any], output: Any, following: str | None) -> None:
        details = {"name": name, "output": json.dumps(output)}
        self.record(f"{state['Type']}StateExited", {"stateExitedEventDetails": details})
        self._position.update(name=following, input=output)

    def succeed(self, output: Any) -> None:
        self._record["output"] = json.dumps(output)
        self._end("SUCCEEDED", "ExecutionSucceeded", {"output": self._record["output"]})

    def fail(self, failure: TaskError) -> None:
        self._record.update(error=failure.error, cause=failure.cause)
        self._end("FAILED", "ExecutionFailed", {"error": failure.error, "cause": failure.cause})

    def time_out(self) -> None:
        """The machine's own TimeoutSeconds are over."""
        if self.is_running():
            self._end("TIMED_OUT", "ExecutionTimedOut", {})

    def _end(self, status: str, event: str, details: Mapping[str, Any]) -> None:
        self._record.update(status=status, stopDate=self._states.now_iso())
        self.record(event, {f"{event[0].lower()}{event[1:]}EventDetails": dict(details)})
        tell_status(self._record)

    def evaluate(self, template: Any, *, result: Any = None, error: Any = None) -> Any:
        with _as_task_error():
            return self._states._apply_jsonata_template(
                template, self._position["input"], self.context, result, error
            )

    def assign(self, holder: Mapping[str, Any], *, result: Any = None, error: Any = None) -> None:
        with _as_task_error():
            self._states._apply_state_assign(holder, self._position["input"], self.context, result, error)

    def record(self, event: str, details: Mapping[str, Any]) -> None:
        self._states._add_event(self._record, event, dict(details))

    def open_callback(self) -> Callback:
        return _TokenCallback(self._states._task_tokens, self._record)

    def is_running(self) -> bool:
        return bool(
            self._record["status"] == "RUNNING" and self._record.get("redriveCount", 0) == self._redrive
        )

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds * float(os.environ.get("SFN_WAIT_SCALE", "1")))


def tell_status(execution: Mapping[str, Any]) -> None:
    """Step Functions' event "Execution Status Change", with redrives and every status."""
    from ministack.services import eventbridge, stepfunctions

    failed = execution["status"] in {"FAILED", "ABORTED", "TIMED_OUT"}
    detail = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": execution["status"],
        "startDate": stepfunctions._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": stepfunctions._iso_to_epoch_ms(execution["stopDate"]),
        "input": execution["input"],
        "output": execution["output"] if execution["status"] == "SUCCEEDED" else None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if execution["status"] == "SUCCEEDED" else None,
        "error": execution.get("error"),
        "cause": execution.get("cause"),
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": stepfunctions._iso_to_epoch_ms(execution.get("redriveDate")),
        "redriveStatus": "REDRIVABLE" if failed else "NOT_REDRIVABLE",
    }
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [execution["executionArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


# Of every token that was ever given out, the execution that it belongs to.
records_of_tokens: dict[Any, Mapping[str, Any]] = {}


class _TokenCallback:
    """A token in ministack's registry, where SendTaskSuccess and SendTaskFailure find it."""

    def __init__(self, registry: dict[str, Any], record: Mapping[str, Any]) -> None:
        self.token = new_token()
        self._registry = registry
        self._entry: dict[str, Any] = {
            "event": threading.Event(),
            "result": None,
            "error": None,
            "heartbeat": None,
        }
        registry[self.token] = self._entry
        records_of_tokens[self.token] = record

    def wait(self, seconds: float) -> Any:
        if not self._entry["event"].wait(seconds):
            raise TimeoutError
        if self._entry["error"]:
            raise TaskError(self._entry["error"]["Error"], self._entry["error"]["Cause"])
        return json.loads(self._entry["result"])

    def close(self) -> None:
        self._registry.pop(self.token, None)


@contextmanager
def _as_task_error() -> Iterator[None]:
    """Turn ministack's own execution error (a JSONata failure) into a TaskError."""
    from ministack.services import stepfunctions

    try:
        yield
    except stepfunctions._ExecutionError as failure:
        raise TaskError(failure.error, failure.cause) from failure
