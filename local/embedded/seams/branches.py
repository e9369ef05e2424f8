"""Map and Parallel: ministack's implementation, with every state inside them run by our machine."""

import copy
from collections.abc import Mapping
from typing import Any

from local.embedded.iam import Questions
from local.embedded.machine import walk
from local.embedded.seams.journey import MinistackExecution
from local.embedded.seams.languages import Jsonata, as_task_error
from local.embedded.seams.roles import role_may
from local.embedded.task_errors import TaskError
from local.embedded.tasks import Integrations, matches

_READS = {"listObjectsV2": "s3:ListBucket", "getObject": "s3:GetObject"}


def install_branches(integrations: Integrations, questions: Questions) -> None:
    """Run branches and iterations in our machine, so that Retry and Catch follow its rules there."""
    from ministack.services import stepfunctions

    def run_sub_machine(
        states: Mapping[str, Any], start_at: str, input_data: Any, execution: dict[str, Any], ctx: Any
    ) -> Any:
        # A separate context: branches run concurrently, each with its own state, token and variables.
        branch = MinistackExecution.branch(execution, copy.deepcopy(ctx), start_at, input_data)
        try:
            return walk(states, branch, integrations)
        except TaskError as failure:
            raise stepfunctions._ExecutionError(failure.error, failure.cause) from failure

    stepfunctions._run_sub_machine = run_sub_machine
    stepfunctions._error_matches = matches
    _let_parallel_speak_jsonata()
    _check_distributed(questions)


def _let_parallel_speak_jsonata() -> None:
    from ministack.services import stepfunctions

    original = stepfunctions._run_parallel_branches

    def run_parallel_branches(state: dict[str, Any], raw_input: Any, execution: Any, ctx: Any) -> Any:
        if stepfunctions._state_query_language(state, ctx) != "JSONata":
            return original(state, raw_input, execution, ctx)
        language = Jsonata(raw_input, ctx)
        try:
            plain = {"Branches": state["Branches"]}
            results, _ = original(plain, language.arguments(state), execution, ctx)
            return language.output(state, results), state.get("Next")
        except TaskError as failure:
            raise stepfunctions._ExecutionError(failure.error, failure.cause) from failure

    stepfunctions._run_parallel_branches = run_parallel_branches


def _check_distributed(questions: Questions) -> None:
    """Refuse what ministack's distributed Map would ignore, and read S3 only where the role may."""
    from ministack import app
    from ministack.services import stepfunctions

    run, read = stepfunctions._run_distributed_map, stepfunctions._read_map_items

    def run_distributed_map(state: dict[str, Any], *args: Any) -> Any:
        left_out = [field for field in ("ResultWriter", "ItemBatcher", "Items", "Output") if field in state]
        if left_out:
            raise stepfunctions._ExecutionError(
                "States.Runtime",
                f"{left_out[0]} in a distributed Map is not supported by the embedded AWS.",
            )
        return run(state, *args)

    def read_map_items(reader: Mapping[str, Any], effective: Any, ctx: Any) -> Any:
        with as_task_error():
            given = stepfunctions._resolve_params_obj(reader.get("Parameters") or {}, effective, ctx)
        action = _READS.get(str(reader.get("Resource")).rpartition(":")[2], "s3:GetObject")
        key = f"/{given.get('Key')}" if action == "s3:GetObject" else ""
        resource = f"arn:aws:s3:::{given.get('Bucket')}{key}"
        if app.AUTH and not role_may(ctx["Execution"]["RoleArn"], action, resource, questions):
            raise stepfunctions._ExecutionError(
                "States.ItemReaderFailed", f"The role may not do {action} on {resource}."
            )
        return read(reader, effective, ctx)

    stepfunctions._run_distributed_map, stepfunctions._read_map_items = run_distributed_map, read_map_items
