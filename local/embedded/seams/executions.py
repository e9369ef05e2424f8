"""Step Functions: executions run by our machine, redriven where they failed, reported at every status."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from local.embedded.machine import run_machine
from local.embedded.seams.journey import MinistackExecution, publish_status, records_of_tokens
from local.embedded.seams.languages import install_parsed_expressions, install_time_limit
from local.embedded.tasks import Integrations


def install_machine(integrations: Integrations) -> None:
    """Run executions with `local.embedded.machine`, their tasks with `integrations`; add RedriveExecution."""
    from ministack.services import stepfunctions

    original_handle = stepfunctions.handle_request

    def run(exec_arn: str) -> None:
        record = stepfunctions._executions[exec_arn]
        definition = _definition(record)
        execution = MinistackExecution.of(record, definition)
        limit = threading.Timer(definition.get("TimeoutSeconds", threading.TIMEOUT_MAX), execution.time_out)
        limit.daemon = True
        limit.start()
        try:
            run_machine(definition, execution, integrations)
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

    install_parsed_expressions()
    install_time_limit()
    stepfunctions._run_execution, stepfunctions.handle_request = run, handle
    stepfunctions._emit_execution_status_event = publish_status


def _with_redrives(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
    """A response about executions, with the redrives that ministack does not know."""
    from ministack.services import stepfunctions

    status, headers, body = answer
    found = json_object(body)
    for execution in [found, *found.get("executions", [])]:
        if record := stepfunctions._executions.get(execution.get("executionArn")):
            execution["redriveCount"] = record.get("redriveCount", 0)
    return status, headers, json.dumps(found).encode()


def json_object(body: bytes | str | None) -> dict[str, Any]:
    """The body of a request or response, an input or an output; empty if it is not a JSON object."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _definition(record: dict[str, Any]) -> dict[str, Any]:
    """The definition with which the execution started; a redrive uses it too, whatever was deployed since."""
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
    publish_status(record)
    threading.Thread(target=stepfunctions._run_execution, args=(execution_arn,), daemon=True).start()
    body = json.dumps({"redriveDate": stepfunctions._iso_to_epoch_ms(moment) / 1000}).encode()
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, body


def _error(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"__type": code, "message": message}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.0"}, body


def run_execution(definition: str, name: str, state_input: str, role_arn: str) -> Mapping[str, Any]:
    """Run a definition to its end in this thread, and return ministack's record of the execution.

    It needs no server: the installed integrations run the tasks. The same name again,
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
    """Resume an execution of `run_execution` where it ended, in this thread."""
    from ministack.services import stepfunctions

    record: dict[str, Any] = stepfunctions._executions[execution_arn]
    record.update(status="RUNNING", error=None, cause=None, redriveCount=count)
    stepfunctions._run_execution(execution_arn)
    return record
