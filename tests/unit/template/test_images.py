"""The container images of every region, compared with the SageMaker SDK's list."""

import re
from functools import cache
from typing import Any

import botocore.session
import pytest

from tests.unit.template.stack import properties, template

XGBOOST = {"framework": "xgboost", "version": "3.2-0", "instance_type": "ml.m5.large"}
SCIKIT_LEARN = {
    "framework": "sklearn",
    "version": "1.9-0",
    "py_version": "py3",
    "instance_type": "ml.m5.large",
}
# https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html: no Function URLs, and no X-Ray for Lambda.
LEFT_OUT = {"cn-north-1", "cn-northwest-1"}
ACCOUNTS = {region: entry["Account"] for region, entry in template()["Mappings"]["SageMakerImages"].items()}


@pytest.fixture(scope="module")
def image_uris() -> Any:
    """The SDK's module; importing it takes seconds, which only these tests should pay."""
    from sagemaker.core import image_uris

    return image_uris


def url_suffix(region: str) -> str:
    """The value of the pseudo parameter AWS::URLSuffix there."""
    [suffix] = [p["dnsSuffix"] for p in partitions() if re.match(p["regionRegex"], region)]
    return str(suffix)


@cache
def partitions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = botocore.session.get_session().get_data("endpoints")["partitions"]
    return found


def test_the_table_has_every_region_of_the_sdk_except_those_that_lack_a_service(
    image_uris: Any,
) -> None:
    def regions(framework: str, version: str) -> set[str]:
        return set(image_uris.config_for_framework(framework)["training"]["versions"][version]["registries"])

    assert ACCOUNTS.keys() == (regions("xgboost", "3.2-0") & regions("sklearn", "1.9-0")) - LEFT_OUT


@pytest.mark.parametrize("region", sorted(ACCOUNTS))
@pytest.mark.parametrize(
    ("image", "repository"),
    [(XGBOOST, "sagemaker-xgboost:3.2-0"), (SCIKIT_LEARN, "sagemaker-scikit-learn:1.9-0-cpu-py3")],
)
def test_an_image_is_where_the_sdk_says(
    image_uris: Any, region: str, image: dict[str, str], repository: str
) -> None:
    uri = f"{ACCOUNTS[region]}.dkr.ecr.{region}.{url_suffix(region)}/{repository}"
    assert uri == image_uris.retrieve(region=region, **image)


def test_the_state_machine_is_given_these_images(image_uris: Any) -> None:
    substitutions = properties("PipelineStateMachine")["DefinitionSubstitutions"]
    assert substitutions["XGBoostImageUri"] == image_uris.retrieve(region="us-east-1", **XGBOOST)
    assert substitutions["ScikitLearnImageUri"] == image_uris.retrieve(region="us-east-1", **SCIKIT_LEARN)
