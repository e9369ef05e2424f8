"""What a Task's Resource names, and whether Step Functions supports it.

| Resource | service, action, pattern |
|---|---|
| `arn:aws:states:::sagemaker:createTrainingJob.sync` | `sagemaker`, `createTrainingJob`, `sync` |
| `arn:aws:states:::states:startExecution.sync:2` | `states`, `startExecution`, `sync:2` |
| `arn:aws:states:::aws-sdk:s3:getObject` | `s3`, `getObject`, none; `is_sdk` |
| `arn:aws:lambda:us-east-1:000000000000:function:f` | `function`: the function itself |
| `arn:aws:states:us-east-1:000000000000:activity:a` | `activity` |
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local.embedded import sdk

_INTEGRATION = re.compile(
    r"arn:aws[\w-]*:states:::(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>\w+)"
    r"(?:\.(?P<pattern>sync:2|sync|waitForTaskToken))?"
)
_OF_ITS_OWN = re.compile(
    r"arn:aws[\w-]*:(?:lambda:[\w-]+:\d*:(?P<function>function):|states:[\w-]+:\d*:(?P<activity>activity):)\S+"
)
_PLAIN = ""
SYNC = "sync"
SYNC_JSON = "sync:2"
TOKEN = "waitForTaskToken"  # noqa: S105 - no secret

# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
OPTIMIZED: Mapping[str, frozenset[str]] = {
    **{f"dynamodb:{verb}Item": frozenset({_PLAIN}) for verb in ("get", "put", "update", "delete")},
    **{
        f"sagemaker:{action}": frozenset({_PLAIN, SYNC})
        for action in (
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
        )
    },
    **{
        f"sagemaker:{action}": frozenset({_PLAIN})
        for action in ("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint")
    },
    **{
        action: frozenset({_PLAIN, TOKEN})
        for action in ("events:putEvents", "lambda:invoke", "sns:publish", "sqs:sendMessage")
    },
    "ecs:runTask": frozenset({_PLAIN, SYNC, TOKEN}),
    "states:startExecution": frozenset({_PLAIN, SYNC, SYNC_JSON, TOKEN}),
}
# Also optimized on AWS, but neither the emulator nor this package supports them.
NOT_SERVED = frozenset(
    {"apigateway", "athena", "batch", "bedrock", "codebuild", "databrew", "eks", "elasticmapreduce"}
    | {"emr-containers", "emr-serverless", "glue", "http", "mediaconvert"}
)


@dataclass(frozen=True)
class Resource:
    """A Task's Resource, parsed."""

    service: str
    action: str = ""
    pattern: str = ""
    is_sdk: bool = False

    @property
    def waits_for_token(self) -> bool:
        """Whether somebody else reports the result, as an activity's worker also does."""
        return self.pattern == TOKEN or self.service == "activity"

    @property
    def event_type(self) -> str:
        """The `resourceType` of the history's events."""
        return f"aws-sdk:{self.service}" if self.is_sdk else self.service

    @property
    def event_action(self) -> str:
        """The `resource` of the history's events."""
        return f"{self.action}.{self.pattern}" if self.pattern else self.action


def read_resource(text: str) -> Resource | None:
    """The Resource that a text names; None if Step Functions refuses it."""
    if found := _OF_ITS_OWN.fullmatch(text):
        return Resource(found["function"] or found["activity"])
    if not (found := _INTEGRATION.fullmatch(text)):
        return None
    resource = Resource(found["service"], found["action"], found["pattern"] or "", bool(found["sdk"]))
    return resource if _is_known(resource) else None


def not_recognized(text: str) -> str:
    """Step Functions' message for an unknown Resource."""
    return (
        f"The resource provided {text} is not recognized. The value is not a valid resource ARN, or the "
        "resource is not available in this region."
    )


def _is_known(resource: Resource) -> bool:
    if resource.is_sdk:
        known = sdk.operation(resource.service, resource.action) is not None
        return known and resource.pattern in {_PLAIN, TOKEN}
    patterns = OPTIMIZED.get(f"{resource.service}:{resource.action}", frozenset())
    return resource.pattern in patterns or resource.service in NOT_SERVED
