"""`AWS::SageMaker::ModelPackageGroup` for the embedded CloudFormation."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from local.sagemaker import ServiceError


class Service(Protocol):
    """The part of the local SageMaker that answers requests."""

    def call(self, action: str, request: dict[str, Any]) -> dict[str, Any]: ...


def model_package_group_handlers(service: Service) -> Mapping[str, Callable[..., Any]]:
    """Create, update and delete, in the emulator's form: create returns (physical id, attributes)."""

    def describe(name: str) -> tuple[str, dict[str, Any]]:
        group = service.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})
        # Ref of this type is the ARN: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/
        # aws-resource-sagemaker-modelpackagegroup.html
        arn = group["ModelPackageGroupArn"]
        return arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": group["ModelPackageGroupStatus"]}

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        known = {"ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"}
        service.call("CreateModelPackageGroup", {key: value for key, value in props.items() if key in known})
        return describe(props["ModelPackageGroupName"])

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        return describe(new["ModelPackageGroupName"])

    def delete(physical_id: str, props: dict[str, Any]) -> None:
        try:
            service.call("DeleteModelPackageGroup", {"ModelPackageGroupName": props["ModelPackageGroupName"]})
        except ServiceError as error:
            raise ValueError(error.message) from error

    return {"create": create, "update": update, "delete": delete}
