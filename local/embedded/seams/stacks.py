"""What CloudFormation, and Lambda's layers behind it, do on AWS and not in the emulator.

By https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html,
.../transform-aws-serverless.html and https://docs.aws.amazon.com/lambda/latest/api/API_ListLayerVersions.html.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

BUCKET = "AWS::S3::Bucket"
_LAYER_CALLS = (
    "_publish_layer_version",
    "_list_layer_versions",
    "_get_layer_version",
    "_delete_layer_version",
)


def install_stack_rules() -> None:
    """Keep buckets that are not empty, and let clients clean up stacks and layers."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import handlers, provisioners

    provisioners._RESOURCE_HANDLERS[BUCKET]["delete"] = _delete_bucket
    handlers._ACTION_HANDLERS["GetTemplate"] = _with_addresses_of_s3(handlers._ACTION_HANDLERS["GetTemplate"])
    for name in _LAYER_CALLS:
        setattr(lambda_svc, name, _by_name_or_arn(getattr(lambda_svc, name)))


def _delete_bucket(name: str, properties: Mapping[str, Any]) -> None:
    from ministack.services import s3

    status, *_ = s3._delete_bucket(name)
    if status == 409:
        raise ValueError(
            'Resource handler returned message: "The bucket you tried to delete is not empty '
            '(Service: S3, Status Code: 409)" (HandlerErrorCode: GeneralServiceException)'
        )


def _with_addresses_of_s3(original: Callable[..., Any]) -> Callable[..., Any]:
    """The SAM CLI writes the address of S3 into templates, and reads only AWS's own out of them."""

    def get_template(params: Mapping[str, Any]) -> Any:
        status, headers, body = original(params)
        here, aws = (
            os.environ["AWS_ENDPOINT_URL"],
            f"https://s3.{os.environ['AWS_DEFAULT_REGION']}.amazonaws.com",
        )
        return status, headers, body.replace(f"{here}/".encode(), f"{aws}/".encode())

    return get_template


def _by_name_or_arn(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(layer_name: str, *arguments: Any) -> Any:
        return original(layer_name.rpartition(":layer:")[2], *arguments)

    return call
