"""What a task's Resource does: calls to the embedded AWS, with the state machine's role.

| Resource | what happens |
|---|---|
| a function's ARN | Invoke; the result is the function's return value |
| an activity's ARN | a worker gets the task and reports its result |
| `states:::<service>:<action>` | the call; refused if it has a field that the integration does not know |
| `states:::aws-sdk:<service>:<action>` | any call of the SDK |
| `....sync` | the call, then wait for the job or execution; if that fails, so does the task, described |
| `....waitForTaskToken` | the call, then wait for the token |

A function's error fails the task under the error's own name.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol, cast

from botocore.exceptions import BotoCoreError

from local.embedded.iam import CannotAssume
from local.embedded.optimized import unknown_fields
from local.embedded.resources import NOT_SERVED, SYNC_JSON, Resource, not_recognized, read_resource
from local.embedded.service_calls import Credentials, ServiceCalls, refuse_unknown
from local.embedded.task_errors import TaskError
from local.embedded.tasks import TaskCall
from local.sagemaker.clients import Join

JobKind = Literal["processing", "training", "tuning", "transform"]
# Puts a task with its token and input into the queue of an activity; raises TaskError.
OfferTask = Callable[[str, str, Any], None]

# The job that a .sync call waits for: its kind, the request's name field, and the member of its description
# that holds the state. https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
_JOBS: dict[str, tuple[JobKind, str, str]] = {
    "createProcessingJob": ("processing", "ProcessingJobName", "ProcessingJobStatus"),
    "createTrainingJob": ("training", "TrainingJobName", "TrainingJobStatus"),
    "createHyperParameterTuningJob": (
        "tuning",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobStatus",
    ),
    "createTransformJob": ("transform", "TransformJobName", "TransformJobStatus"),
}
# How often a waiting task checks whether its execution was stopped, or the status of another execution.
_LOOK_SECONDS = 0.5


class Jobs(Protocol):
    """The part of the local SageMaker that a .sync task needs."""

    def wait_for_event(self, kind: JobKind, name: str, timeout: float | None = None) -> dict[str, Any]: ...


class AwsIntegrations:
    """The integrations, against the AWS at `endpoint_url`."""

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        credentials: Credentials,
        jobs: Jobs,
        offer: OfferTask,
        join: Join = lambda session, seconds: None,
    ) -> None:
        self._calls = ServiceCalls(endpoint_url, region, credentials, join)
        self._jobs = jobs
        self._offer = offer

    def call(self, call: TaskCall) -> Any:
        """Execute the task; raises TaskError."""
        resource = read_resource(call.resource)
        if resource is None:
            raise TaskError("States.Runtime", not_recognized(call.resource))
        if resource.action and not isinstance(call.arguments, dict):
            raise TaskError(
                "States.Runtime",
                f"The Parameters '{json.dumps(call.arguments)}' could not be used to start the Task: "
                "they must be a JSON object.",
            )
        try:
            return self._finish(resource, self._begin(resource, call), call)
        except CannotAssume as failure:
            raise TaskError(
                "States.Runtime", f"Step Functions cannot assume its role. {failure}"
            ) from failure
        except BotoCoreError as failure:
            raise TaskError("States.Runtime", str(failure)) from failure

    def _begin(self, resource: Resource, call: TaskCall) -> Any:
        match resource.service:
            case "function":
                return self._calls.invoke(call.resource, call.arguments, call)["Payload"]
            case "activity" if call.callback:
                return self._offer(call.resource, call.callback.token, call.arguments)
            case _ if resource.is_sdk:
                return self._calls.any_of_sdk(resource, call)
            case "lambda":
                return self._invoke(call)
            case service if service in NOT_SERVED:
                raise _not_served(call)
        return self._calls.optimized(resource, call)

    def _invoke(self, call: TaskCall) -> Any:
        refuse_unknown(unknown_fields("lambda", "invoke", call.arguments), call)
        given = dict(call.arguments)
        return self._calls.invoke(given.pop("FunctionName", ""), given.pop("Payload", {}), call, **given)

    def _finish(self, resource: Resource, response: Any, call: TaskCall) -> Any:
        if resource.waits_for_token:
            call.submitted(response)
            return _wait_for_token(call)
        if not resource.pattern:
            return _without_failed_entries(response) if resource.action == "putEvents" else response
        call.submitted(response)
        if resource.service == "states":
            return self._wait_for_execution(response["ExecutionArn"], resource, call)
        if resource.action not in _JOBS:
            raise _not_served(call)
        return self._wait_for_job(resource.action, call)

    def _wait_for_job(self, create: str, call: TaskCall) -> dict[str, Any]:
        kind, name_field, status_field = _JOBS[create]
        name = call.arguments[name_field]

        def look(seconds: float) -> dict[str, Any]:
            return self._jobs.wait_for_event(kind, name, seconds)

        job = cast(dict[str, Any], _wait(look, call))
        if job[status_field] != "Completed":
            raise TaskError("States.TaskFailed", json.dumps(job))
        return job

    def _wait_for_execution(self, arn: str, resource: Resource, call: TaskCall) -> Any:
        watched = Resource("sfn", "describeExecution", is_sdk=True)
        describe = replace(call, arguments={"ExecutionArn": arn})

        def look(seconds: float) -> Any:
            found = self._calls.any_of_sdk(watched, describe)
            if found["Status"] == "RUNNING":
                time.sleep(min(seconds, _LOOK_SECONDS / 5))
                raise TimeoutError
            return found

        found = _wait(look, call)
        if found["Status"] != "SUCCEEDED":
            raise TaskError("States.TaskFailed", json.dumps(found))
        if resource.pattern == SYNC_JSON:
            found |= {name: json.loads(found[name]) for name in ("Input", "Output")}
        return found


def _wait_for_token(call: TaskCall) -> Any:
    assert call.callback is not None  # noqa: S101 - for mypy: only a task with a callback comes here
    return _wait(call.callback.wait, call)


def _wait(look: Callable[[float], Any], call: TaskCall) -> Any:
    """The result of `look`, which waits for so many seconds and then raises TimeoutError."""
    while call.still_wanted():
        try:
            return look(min(_LOOK_SECONDS, call.seconds_left()))
        except TimeoutError:
            if call.seconds_left() == 0:
                raise call.timed_out() from None
    raise TaskError("States.TaskFailed", "The execution was stopped.")


def _without_failed_entries(response: Mapping[str, Any]) -> Mapping[str, Any]:
    if response.get("FailedEntryCount"):
        raise TaskError("EventBridge.FailedEntry", json.dumps(response))
    return response


def _not_served(call: TaskCall) -> TaskError:
    return TaskError("States.Runtime", f"{call.resource} is not supported by the embedded AWS.")
