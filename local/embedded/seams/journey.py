"""One running execution: ministack's record of it, its callbacks, its events."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from local.embedded.seams.languages import Jsonata, JsonPath, as_task_error
from local.embedded.seams.metrics import count_execution
from local.embedded.task_errors import TaskError
from local.embedded.tasks import Callback, Language, new_token

# In the context, which a branch inherits.
_LAST_EVENT = "last_event"
# An event's number is how many there are, so no two threads may add one at a time.
_numbering = threading.Lock()


class MinistackExecution:
    """An execution in ministack's records, or one of its branches, with everything that its states need.

    The position is the state to enter next, its input, and the variables. The record of an execution keeps
    it, so that a redrive can resume there.
    """

    def __init__(
        self,
        record: dict[str, Any],
        context: dict[str, Any],
        position: dict[str, Any],
        running: Callable[[], bool],
    ) -> None:
        from ministack.services import stepfunctions

        self._states = stepfunctions
        self._record = record
        self._position = position
        self.context = context
        self.role_arn = str(context["Execution"]["RoleArn"])
        self.is_running = running

    @classmethod
    def of(cls, record: dict[str, Any], definition: Mapping[str, Any]) -> "MinistackExecution":
        """An execution, at its start or, after a redrive, where it ended."""
        from ministack.services import stepfunctions

        machine = stepfunctions._state_machines[record["stateMachineArn"]]
        given = json.loads(record["input"])
        start = {"name": definition["StartAt"], "input": given, "variables": {}}
        position: dict[str, Any] = record.setdefault("position", start)
        context: dict[str, Any] = {
            "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
            "Execution": {
                "Id": record["executionArn"],
                "Input": given,
                "Name": record["name"],
                "RoleArn": str(machine["roleArn"]),
                "StartTime": record["startDate"],
                "RedriveCount": record.get("redriveCount", 0),
            },
            "StateMachine": {"Id": record["stateMachineArn"], "Name": machine["name"]},
            "variables": position["variables"],
            _LAST_EVENT: len(record["events"]) if record.get("redriveCount") else 0,
        }
        return cls(record, context, position, _still_runs(record, context))

    @classmethod
    def branch(
        cls, record: dict[str, Any], context: dict[str, Any], start_at: str, given: Any
    ) -> "MinistackExecution":
        """A branch of a Parallel state or an iteration of a Map; it stops with its execution."""
        from ministack.services import stepfunctions

        parent = stepfunctions._executions[context["Execution"]["Id"]]
        return cls(record, context, {"name": start_at, "input": given}, _still_runs(parent, context))

    def position(self) -> tuple[str | None, Any]:
        return self._position["name"], self._position["input"]

    def enter(self, name: str, state: Mapping[str, Any], state_input: Any) -> None:
        self.context["State"] = {"Name": name, "EnteredTime": self._states.now_iso(), "RetryCount": 0}
        details = {"name": name, "input": json.dumps(state_input)}
        self.record(f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})

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
        """The execution has exceeded the machine's own TimeoutSeconds."""
        if self.is_running():
            self._end("TIMED_OUT", "ExecutionTimedOut", {})

    def _end(self, status: str, event: str, details: Mapping[str, Any]) -> None:
        self._record.update(status=status, stopDate=self._states.now_iso())
        self.record(event, {f"{event[0].lower()}{event[1:]}EventDetails": dict(details)})
        publish_status(self._record)

    def uses_jsonata(self, state: Mapping[str, Any]) -> bool:
        return bool(self._states._state_query_language(state, self.context) == "JSONata")

    def language(self, state: Mapping[str, Any]) -> Language:
        speak = Jsonata if self.uses_jsonata(state) else JsonPath
        return speak(self._position["input"], self.context)

    def evaluate(self, template: Any) -> Any:
        return Jsonata(self._position["input"], self.context).evaluate(template)

    def assign(self, holder: Mapping[str, Any], *, result: Any = None) -> None:
        Jsonata(self._position["input"], self.context).assign(holder, result=result)

    def follow_paths(self, state: Mapping[str, Any]) -> tuple[Any, str | None]:
        return JsonPath(self._position["input"], self.context).step(state)

    def branch_out(self, state: Mapping[str, Any]) -> tuple[Any, str | None]:
        run = {"Map": self._states._execute_map, "Parallel": self._states._execute_parallel}[state["Type"]]
        with as_task_error():
            output, following = run(state, self._position["input"], self._record, self.context)
            return output, following

    def record(self, event: str, details: Mapping[str, Any]) -> None:
        # Branches run at the same time: only this tells which events follow each other.
        before = self.context.get(_LAST_EVENT, 0)
        with _numbering:
            added = self._states._add_event(self._record, event, {"previousEventId": before, **details})
        self.context[_LAST_EVENT] = added["id"]

    def open_callback(self) -> Callback:
        return _TokenCallback(self._states._task_tokens, self._record)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds * float(os.environ.get("SFN_WAIT_SCALE", "1")))


def _still_runs(record: Mapping[str, Any], context: Mapping[str, Any]) -> Callable[[], bool]:
    # A thread from before a redrive must not continue because the execution is running again.
    redrive = context["Execution"]["RedriveCount"]
    return lambda: record["status"] == "RUNNING" and record.get("redriveCount", 0) == redrive


def publish_status(execution: Mapping[str, Any]) -> None:
    """Step Functions' event "Execution Status Change", with redrives and every status."""
    from ministack.services import eventbridge, stepfunctions

    if execution.get("sync"):
        return  # Express executions have no such event.

    count_execution(execution)
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


# Every task token ever issued, with its execution.
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


def offer_task(activity_arn: str, token: str, given: Any) -> None:
    """Put a task into an activity's queue, where GetActivityTask finds it."""
    from ministack.services import stepfunctions

    if activity_arn not in stepfunctions._activities:
        raise TaskError("States.Runtime", f"The activity {activity_arn} does not exist.")
    stepfunctions._activity_tasks[activity_arn].append({"taskToken": token, "input": json.dumps(given)})
