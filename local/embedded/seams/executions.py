"""Step Functions: executions that go on from where they failed, and tasks that run as on AWS."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.embedded.machine import can_walk, walk
from local.embedded.task_errors import TaskError
from local.embedded.tasks import Callback, Execution, Integrations, new_token


def executions() -> list[dict[str, Any]]:
    """Every execution, newest first: name, status, started_at, stopped_at, file, outcome, error."""
    from ministack.services import stepfunctions

    found = sorted(
        stepfunctions._executions.values(), key=lambda record: str(record["startDate"]), reverse=True
    )
    return [_described(record) for record in found]


def _described(record: Mapping[str, Any]) -> dict[str, Any]:
    event = json.loads(record["input"] or "{}")
    output = json.loads(record["output"] or "{}") if record["status"] == "SUCCEEDED" else {}
    return {
        "name": record["name"],
        "status": record["status"],
        "started_at": record["startDate"],
        "stopped_at": record["stopDate"],
        "file": event.get("detail", {}).get("object", {}).get("key", ""),
        "outcome": output.get("outcome"),
        "error": record.get("error"),
    }


def install_machine(integrations: Integrations) -> None:
    """Run executions by `local.embedded.machine`, their tasks by `integrations`; add RedriveExecution."""
    from ministack.services import stepfunctions

    original_run, original_handle = stepfunctions._run_execution, stepfunctions.handle_request

    def run(exec_arn: str) -> None:
        record = stepfunctions._executions[exec_arn]
        definition = _definition(record)
        if not can_walk(definition):
            original_run(exec_arn)
            return
        journey = MinistackExecution(record, definition)
        limit = threading.Timer(definition.get("TimeoutSeconds", threading.TIMEOUT_MAX), journey.time_out)
        limit.daemon = True
        limit.start()
        try:
            walk(definition, journey, integrations)
        finally:
            limit.cancel()

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Any
    ) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action == "RedriveExecution":
            return _redrive(json.loads(body)["executionArn"])
        if action.startswith("SendTask"):
            record = records_of_tokens.get(json_object(body).get("taskToken"), {})
            if record.get("status", "RUNNING") != "RUNNING":
                return _error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        answer = await original_handle(method, path, headers, body, query_params)
        return _with_redrives(answer) if action in {"DescribeExecution", "ListExecutions"} else answer

    stepfunctions._run_execution, stepfunctions.handle_request = run, handle
    stepfunctions._emit_execution_status_event = _tell_status


def _with_redrives(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
    """An answer about executions, with the redrives that ministack does not know of."""
    from ministack.services import stepfunctions

    status, headers, body = answer
    found = json_object(body)
    for execution in [found, *found.get("executions", [])]:
        if record := stepfunctions._executions.get(execution.get("executionArn")):
            execution["redriveCount"] = record.get("redriveCount", 0)
    return status, headers, json.dumps(found).encode()


def json_object(body: bytes) -> dict[str, Any]:
    """A request's or answer's body; empty when it is no JSON object."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _definition(record: dict[str, Any]) -> dict[str, Any]:
    """The definition that the execution started with: a redrive uses it too, whatever was deployed since."""
    from ministack.services import stepfunctions

    if "definition" not in record:
        record["definition"] = stepfunctions._state_machines[record["stateMachineArn"]]["definition"]
    definition: dict[str, Any] = json.loads(record["definition"])
    return definition


def _redrive(execution_arn: str) -> tuple[int, dict[str, str], bytes]:
    from ministack.services import stepfunctions

    record = stepfunctions._executions.get(execution_arn)
    if record is None:
        return _error("ExecutionDoesNotExist", f"Execution does not exist: '{execution_arn}'")
    if record["status"] not in {"FAILED", "ABORTED", "TIMED_OUT"} or "position" not in record:
        return _error("ExecutionNotRedrivable", f"Execution is {record['status']} and cannot be redriven")
    count = record.get("redriveCount", 0) + 1
    moment = stepfunctions.now_iso()
    ended = dict.fromkeys(("stopDate", "output", "error", "cause"))
    record.update(ended, status="RUNNING", redriveCount=count, redriveDate=moment)
    stepfunctions._add_event(
        record, "ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": count}}
    )
    _tell_status(record)
    threading.Thread(target=stepfunctions._run_execution, args=(execution_arn,), daemon=True).start()
    body = json.dumps({"redriveDate": stepfunctions._iso_to_epoch_ms(moment) / 1000}).encode()
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, body


def _error(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"__type": code, "message": message}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.0"}, body


def _tell_status(execution: Mapping[str, Any]) -> None:
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


def run_execution(definition: str, name: str, state_input: str, role_arn: str) -> Mapping[str, Any]:
    """Run a definition to its end in this thread, and return ministack's record of the execution.

    Without a server: what the tasks do is up to the integrations that were installed. The same name again,
    after a failure, redrives.
    """
    from ministack.services import stepfunctions

    machine_arn = "arn:aws:states:us-east-1:000000000000:stateMachine:pipeline"
    arn = f"arn:aws:states:us-east-1:000000000000:execution:pipeline:{name}"
    stepfunctions._state_machines[machine_arn] = {
        "name": "pipeline",
        "definition": definition,
        "roleArn": role_arn,
    }
    stepfunctions._executions[arn] = {
        "executionArn": arn,
        "stateMachineArn": machine_arn,
        "name": name,
        "status": "RUNNING",
        "startDate": "2026-11-20T12:00:00.000Z",
        "stopDate": None,
        "input": state_input,
        "output": None,
        "events": [],
    }
    return redrive_execution(arn, count=0)


def redrive_execution(execution_arn: str, count: int = 1) -> Mapping[str, Any]:
    """Take an execution of `run_execution` up again where it ended, in this thread."""
    from ministack.services import stepfunctions

    record: dict[str, Any] = stepfunctions._executions[execution_arn]
    record.update(status="RUNNING", error=None, cause=None, redriveCount=count)
    stepfunctions._run_execution(execution_arn)
    return record


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
        _tell_status(self._record)

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
