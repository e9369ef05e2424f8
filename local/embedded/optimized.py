"""The request fields that Step Functions' optimized integrations accept; any other is refused.

AWS's page about each integration lists them
(https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html); those of SageMaker,
nested ones too, are in `sagemaker_members`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, StructureShape

from local.embedded import sdk
from local.embedded.sagemaker_members import KNOWN_MEMBERS
from local.sagemaker.models import service_model

_ITEM = "TableName ReturnConsumedCapacity ExpressionAttributeNames"
_WRITE = (
    f"{_ITEM} ConditionExpression ConditionalOperator Expected ExpressionAttributeValues "
    "ReturnItemCollectionMetrics"
)
_FIELDS: Mapping[str, frozenset[str]] = {
    action: frozenset(fields.split())
    for action, fields in {
        "dynamodb:getItem": f"{_ITEM} Key AttributesToGet ConsistentRead ProjectionExpression",
        "dynamodb:putItem": f"{_WRITE} Item ReturnValues",
        "dynamodb:updateItem": f"{_WRITE} Key AttributeUpdates ReturnValues UpdateExpression",
        "dynamodb:deleteItem": f"{_WRITE} Key ReturnValues",
        "ecs:runTask": "Cluster Group LaunchType NetworkConfiguration Overrides PlacementConstraints "
        "PlacementStrategy PlatformVersion PropagateTags TaskDefinition EnableExecuteCommand",
        "events:putEvents": "Entries",
        "lambda:invoke": "ClientContext FunctionName InvocationType Payload Qualifier",
        "sns:publish": "Message MessageAttributes MessageDeduplicationId MessageGroupId MessageStructure "
        "PhoneNumber Subject TargetArn TopicArn",
        "sqs:sendMessage": "DelaySeconds MessageAttributes MessageBody MessageDeduplicationId MessageGroupId "
        "QueueUrl",
        "states:startExecution": "Input Name StateMachineArn TraceHeader",
    }.items()
}


def unknown_fields(service: str, action: str, arguments: Any) -> list[str]:
    """The fields that the integration would refuse, in order; all fields for an unknown action.

    Values that are still to be computed, such as "{% ... %}", are accepted.
    """
    if not isinstance(arguments, Mapping):
        return []
    if service != "sagemaker":
        known = _FIELDS.get(f"{service}:{action}", frozenset())
        return [field for field in arguments if field not in known]
    model = service_model(service)
    operation = sdk.pascal(action)
    if operation not in model.operation_names:
        return list(arguments)
    return list(_unknown(model.operation_model(operation).input_shape, arguments))


def _unknown(shape: Any, arguments: Any) -> Iterator[str]:
    match shape, arguments:
        case StructureShape(), dict():
            known = KNOWN_MEMBERS.get(shape.name, frozenset())
            for field, value in arguments.items():
                if field in known:
                    yield from _unknown(shape.members[field], value)
                else:
                    yield field
        case ListShape(), list():
            for item in arguments:
                yield from _unknown(shape.member, item)
        case MapShape(), dict():
            for item in arguments.values():
                yield from _unknown(shape.value, item)
