"""A call to SageMaker is checked on a resource type that the Service Authorization Reference names for it."""

import re
from collections.abc import Mapping

import pytest

from local.embedded.iam import sagemaker_resource
from tests.unit.template import iam
from tests.unit.template.test_policies import resource_types

PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/cars/1"
JOB = "arn:aws:sagemaker:us-east-1:000000000000:processing-job/mpg-1"
ACTIONS = sorted(
    {action for role in iam.roles() for action in iam.actions(role) if action.startswith("sagemaker:")}
)
# The part of a request that names the resource, where it is not the name of the kind in the action.
REQUESTS: Mapping[str, Mapping[str, str]] = {
    "AddTags": {"ResourceArn": JOB},
    "CreateModelPackage": {"ModelPackageGroupName": "cars"},
    "DescribeModelPackage": {"ModelPackageName": PACKAGE},
    "ListModelPackages": {"ModelPackageGroupName": "cars"},
    "ListTags": {"ResourceArn": JOB},
    "ListTrainingJobsForHyperParameterTuningJob": {"HyperParameterTuningJobName": "mpg-1"},
    "UpdateEndpointWeightsAndCapacities": {"EndpointName": "mpg-1"},
    "UpdateModelPackage": {"ModelPackageArn": PACKAGE},
}


def resource(action: str) -> str:
    name = action.removeprefix("sagemaker:")
    by_kind = {f"{re.sub('^(Create|Delete|Describe|Invoke|Stop|Update)', '', name)}Name": "mpg-1"}
    return sagemaker_resource(name, REQUESTS.get(name, by_kind), "us-east-1", "000000000000")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_call_is_checked_on_a_resource_type_that_aws_names_for_its_action(action: str) -> None:
    asked = resource(action)
    if types := resource_types(action):
        assert asked.split(":")[5].split("/")[0] in types
    else:
        assert asked == "*"


@pytest.mark.parametrize("action", ["CreateModelPackage", "ListModelPackages"])
def test_an_action_on_a_group_is_checked_on_its_packages(action: str) -> None:
    group = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/cars"
    for named in ("cars", group):
        asked = sagemaker_resource(action, {"ModelPackageGroupName": named}, "us-east-1", "000000000000")
        assert asked == "arn:aws:sagemaker:us-east-1:000000000000:model-package/cars/*"
