"""The request fields that Step Functions' optimized integrations know; any other is States.Runtime.

Step Functions does not publish the list. It was put together from what AWS's own generators of state
machines emit for these resources (the CDK's `aws-stepfunctions-tasks`, the Step Functions Data Science SDK)
and the examples of https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html. A field left
out by mistake fails a test on a laptop; one let through by mistake would fail a run on AWS.
"""

from collections.abc import Mapping
from typing import Any

KNOWN_FIELDS: Mapping[str, frozenset[str]] = {
    "sagemaker:createProcessingJob": frozenset(
        {
            "AppSpecification",
            "Environment",
            "ExperimentConfig",
            "NetworkConfig",
            "ProcessingInputs",
            "ProcessingJobName",
            "ProcessingOutputConfig",
            "ProcessingResources",
            "RoleArn",
            "StoppingCondition",
            "Tags",
        }
    ),
    "sagemaker:createHyperParameterTuningJob": frozenset(
        {
            "HyperParameterTuningJobConfig",
            "HyperParameterTuningJobName",
            "Tags",
            "TrainingJobDefinition",
            "WarmStartConfig",
        }
    ),
    "sagemaker:createModel": frozenset(
        {
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "ModelName",
            "PrimaryContainer",
            "Tags",
            "VpcConfig",
        }
    ),
    "sagemaker:createTransformJob": frozenset(
        {
            "BatchStrategy",
            "DataProcessing",
            "Environment",
            "MaxConcurrentTransforms",
            "MaxPayloadInMB",
            "ModelClientConfig",
            "ModelName",
            "Tags",
            "TransformInput",
            "TransformJobName",
            "TransformOutput",
            "TransformResources",
        }
    ),
    "dynamodb:putItem": frozenset(
        {
            "ConditionExpression",
            "ConditionalOperator",
            "Expected",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
            "Item",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
            "ReturnValues",
            "TableName",
        }
    ),
    "dynamodb:updateItem": frozenset(
        {
            "AttributeUpdates",
            "ConditionExpression",
            "ConditionalOperator",
            "Expected",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
            "Key",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
            "ReturnValues",
            "TableName",
            "UpdateExpression",
        }
    ),
}


def unknown_fields(service: str, action: str, arguments: Mapping[str, Any]) -> list[str]:
    """The top-level fields that the integration would refuse, in order; all of them for an unknown action."""
    known = KNOWN_FIELDS.get(f"{service}:{action}", frozenset())
    return [field for field in arguments if field not in known]
