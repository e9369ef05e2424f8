"""A task's call to a service of the embedded AWS, with the state machine's role."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.embedded import sdk
from local.embedded.optimized import unknown_fields
from local.embedded.resources import Resource
from local.embedded.task_errors import TaskError, optimized_error, sdk_error
from local.embedded.tasks import TaskCall
from local.sagemaker.clients import Join
from local.sagemaker.models import new_session, service_model

Credentials = Callable[[str], Mapping[str, str]]
# A function runs for 15 minutes at most.
_SECONDS = 900.0
# botocore's names of the services with optimized integrations, where they differ.
_BOTOCORE_NAMES = {"states": "stepfunctions"}


class ServiceCalls:
    """Calls of the AWS at `endpoint_url`."""

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        credentials: Credentials,
        join: Join = lambda session, seconds: None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._session = boto3.Session(region_name=region, botocore_session=new_session())
        join(self._session, _SECONDS)
        self._credentials = credentials
        self.client = cache(self._new_client)

    def invoke(self, function: str, payload: Any, call: TaskCall, **more: Any) -> dict[str, Any]:
        """Invoke a function; returns the response, payload read. Raises a function's error by its name."""
        request = {**more, "FunctionName": function, "Payload": json.dumps(payload)}
        try:
            response = self.client("lambda", call.role_arn).invoke(**request)
        except ClientError as failure:
            raise optimized_error("lambda", failure) from failure
        answered = response["Payload"].read().decode()
        if "FunctionError" in response:
            raise TaskError(json.loads(answered).get("errorType", "Lambda.Unknown"), answered)
        return {
            "StatusCode": response["StatusCode"],
            "ExecutedVersion": response.get("ExecutedVersion", "$LATEST"),
            "Payload": json.loads(answered or "null"),
        }

    def optimized(self, resource: Resource, call: TaskCall) -> Any:
        """`arn:aws:states:::<service>:<action>`."""
        service = resource.service
        refuse_unknown(unknown_fields(service, resource.action, call.arguments), call)
        model = service_model(_BOTOCORE_NAMES.get(service, service))
        operation = model.operation_model(sdk.pascal(resource.action))
        try:
            return self._send(operation, call, sdk.pascal)
        except ClientError as failure:
            raise optimized_error(service, failure) from failure

    def any_of_sdk(self, resource: Resource, call: TaskCall) -> Any:
        """`arn:aws:states:::aws-sdk:<service>:<action>`."""
        operation = sdk.operation(resource.service, resource.action)
        assert operation is not None  # noqa: S101 - for mypy: any other resource is not recognized
        refuse_unknown([*sdk.unknown_members(operation.input_shape, call.arguments, sdk.sdk_name)], call)
        try:
            return self._send(operation, call, sdk.sdk_name)
        except ClientError as failure:
            modelled = {
                str(shape.metadata.get("error", {}).get("code", shape.name)): shape.name
                for shape in operation.error_shapes
            }
            raise sdk_error(str(operation.service_model.service_id), failure, modelled) from failure

    def _send(self, operation: Any, call: TaskCall, naming: sdk.Naming) -> Any:
        client = self.client(operation.service_model.service_name, call.role_arn)
        method = {api: python for python, api in client.meta.method_to_api_mapping.items()}[operation.name]
        request = sdk.to_request(operation.input_shape, call.arguments, naming)
        answer = getattr(client, method)(**request)
        return sdk.to_result(operation.output_shape, answer, naming) if operation.output_shape else {}

    def _new_client(self, service: str, role_arn: str) -> Any:
        # Step Functions makes one call and leaves the retries to the state's Retry.
        config = Config(
            retries={"total_max_attempts": 1},
            read_timeout=_SECONDS,
            # As CloudTrail names it. botocore would put its own together at each call.
            user_agent="states.amazonaws.com",
            inject_host_prefix=False,
            s3={"addressing_style": "path"},
        )
        new_client: Any = self._session.client
        return new_client(
            service,
            endpoint_url=self._endpoint_url,
            config=config,
            **self._credentials(role_arn),
        )


def refuse_unknown(fields: list[str], call: TaskCall) -> None:
    """Raise Step Functions' error for a call with unknown fields."""
    if fields:
        raise TaskError(
            "States.Runtime",
            f"An error occurred while executing the state '{call.state}'. "
            f"The field '{fields[0]}' is not supported by Step Functions in {call.resource}.",
        )
