"""What a task's Resource does: calls to the embedded AWS, under the state machine's role.

| Resource | what happens |
|---|---|
| `states:::lambda:invoke` | Invoke; a function's error fails the task with the error's own name |
| `states:::lambda:invoke.waitForTaskToken` | Invoke, then wait for the token |
| `states:::dynamodb:*Item` | the item call |
| `states:::sagemaker:create*` | the call; refused when it has a field that the integration does not know |
| `states:::sagemaker:create*.sync` | the call, then wait; a job that ends badly fails the task, described |
| `states:::aws-sdk:<service>:<action>` | any call of the SDK |
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal, Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.embedded.iam import CannotAssume
from local.embedded.optimized import unknown_fields
from local.embedded.task_errors import TaskError, optimized_error, sdk_error
from local.embedded.tasks import TaskCall

JobKind = Literal["processing", "training", "tuning", "transform"]
Credentials = Callable[[str], Mapping[str, str]]

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
# How often a waiting task looks whether its execution was stopped.
_LOOK_SECONDS = 0.5


class Jobs(Protocol):
    """The part of the local SageMaker that a .sync task needs."""

    def wait(self, kind: JobKind, name: str, timeout: float | None = None) -> dict[str, Any]: ...


class AwsIntegrations:
    """The integrations, against the AWS at `endpoint_url`."""

    def __init__(self, endpoint_url: str, region: str, credentials: Credentials, jobs: Jobs) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._credentials = credentials
        self._jobs = jobs
        self._client = cache(self._new_client)

    def call(self, call: TaskCall) -> Any:
        """Carry the task out; raises TaskError."""
        try:
            return self._dispatch(call)
        except CannotAssume as failure:
            raise TaskError(
                "States.Runtime", f"Step Functions cannot assume its role. {failure}"
            ) from failure
        except BotoCoreError as failure:
            raise TaskError("States.Runtime", str(failure)) from failure

    def _dispatch(self, call: TaskCall) -> Any:
        service, _, action = call.resource.removeprefix("arn:aws:states:::").partition(":")
        match service, action.split("."):
            case "lambda", ["invoke", *pattern]:
                result = self._invoke(call)
                return _wait_for_token(call) if pattern and call.callback else result
            case "dynamodb", [item_action]:
                return self._optimized("dynamodb", item_action, call)
            case "sagemaker", [create]:
                return self._optimized("sagemaker", create, call)
            case "sagemaker", [create, "sync"]:
                self._optimized("sagemaker", create, call)
                return self._wait_for_job(create, call)
            case "aws-sdk", [named]:
                sdk_service, _, sdk_action = named.partition(":")
                return self._sdk(sdk_service, sdk_action, call)
        raise TaskError("States.Runtime", f"The resource {call.resource} is not known to the embedded AWS.")

    def _invoke(self, call: TaskCall) -> dict[str, Any]:
        request = {**call.arguments, "Payload": json.dumps(call.arguments.get("Payload", {}))}
        try:
            response = self._client("lambda", call.role_arn).invoke(**request)
        except ClientError as failure:
            raise optimized_error("lambda", failure) from failure
        payload = response["Payload"].read().decode()
        if "FunctionError" in response:
            raise TaskError(json.loads(payload).get("errorType", "Lambda.Unknown"), payload)
        return {
            "StatusCode": response["StatusCode"],
            "ExecutedVersion": response.get("ExecutedVersion", "$LATEST"),
            "Payload": json.loads(payload or "null"),
        }

    def _optimized(self, service: str, action: str, call: TaskCall) -> Any:
        if unknown := unknown_fields(service, action, call.arguments):
            raise TaskError(
                "States.Runtime",
                f"The field '{unknown[0]}' is not supported by Step Functions in {call.resource}.",
            )
        try:
            return _as_json(self._send(service, action, call))
        except ClientError as failure:
            raise optimized_error(service, failure) from failure

    def _sdk(self, service: str, action: str, call: TaskCall) -> Any:
        try:
            return _as_json(self._send(service, action, call))
        except ClientError as failure:
            operation = self._client(service, call.role_arn).meta.service_model.operation_model(
                _pascal(action)
            )
            modelled = {shape.name for shape in operation.error_shapes}
            raise sdk_error(service, failure, modelled) from failure

    def _send(self, service: str, action: str, call: TaskCall) -> dict[str, Any]:
        client = self._client(service, call.role_arn)
        method = {api: python for python, api in client.meta.method_to_api_mapping.items()}[_pascal(action)]
        return cast(dict[str, Any], getattr(client, method)(**call.arguments))

    def _wait_for_job(self, create: str, call: TaskCall) -> dict[str, Any]:
        kind, name_field, status_field = _JOBS[create]
        name = call.arguments[name_field]
        while True:
            try:
                job = self._jobs.wait(kind, name, min(_LOOK_SECONDS, call.seconds_left()))
            except TimeoutError:
                if not call.still_wanted():
                    raise TaskError("States.TaskFailed", "The execution was stopped.") from None
                if call.seconds_left() == 0:
                    raise call.timed_out() from None
                continue
            if job[status_field] != "Completed":
                raise TaskError("States.TaskFailed", json.dumps(job))
            return cast(dict[str, Any], _dates_as_text(job))

    def _new_client(self, service: str, role_arn: str) -> Any:
        # Step Functions makes one call and leaves the retries to the state's Retry.
        config = Config(retries={"total_max_attempts": 1}, read_timeout=900, s3={"addressing_style": "path"})
        new_client: Any = boto3.client
        return new_client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=config,
            **self._credentials(role_arn),
        )


def _wait_for_token(call: TaskCall) -> Any:
    assert call.callback is not None  # noqa: S101 - for mypy: only a task with a callback comes here
    while call.still_wanted():
        try:
            return call.callback.wait(min(_LOOK_SECONDS, call.seconds_left()))
        except TimeoutError:
            if call.seconds_left() == 0:
                raise call.timed_out() from None
    raise TaskError("States.TaskFailed", "The execution was stopped.")


def _pascal(action: str) -> str:
    return action[0].upper() + action[1:]


def _as_json(value: Any) -> Any:
    """An SDK result as Step Functions gives it on: bodies as text, dates as ISO 8601."""
    match value:
        case dict():
            return {key: _as_json(item) for key, item in value.items() if key != "ResponseMetadata"}
        case list():
            return [_as_json(item) for item in value]
        case datetime():
            return value.isoformat()
        case _ if hasattr(value, "read"):
            return value.read().decode("utf-8")
    return value


def _dates_as_text(job: Any) -> Any:
    """A description with times in epoch milliseconds, as Step Functions gives them, instead of seconds."""
    if isinstance(job, dict):
        return {
            key: int(item * 1000)
            if key.endswith("Time") and isinstance(item, float)
            else _dates_as_text(item)
            for key, item in job.items()
        }
    return [_dates_as_text(item) for item in job] if isinstance(job, list) else job
