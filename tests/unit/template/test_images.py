"""The container images of every region, compared with the SageMaker SDK's list."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest

from audit.transformed import REGION
from deploy.preflight.reading import IMAGES, image_uri
from tests.unit.template import iam
from tests.unit.template.stack import aws_arn, properties, template

XGBOOST = {"framework": "xgboost", "version": "3.2-0", "instance_type": "ml.m5.large"}
SCIKIT_LEARN = {
    "framework": "sklearn",
    "version": "1.9-0",
    "py_version": "py3",
    "instance_type": "ml.m5.large",
}
PYTORCH = {
    "framework": "pytorch",
    "version": "2.6.0",
    "py_version": "py312",
    "instance_type": "ml.m5.large",
}
TRAINING, INFERENCE = ({**PYTORCH, "image_scope": scope} for scope in ("training", "inference"))
# The isolated regions have other versions of PyTorch only; their accounts are those that publish these.
WITHOUT_PYTORCH = {"us-iso-east-1", "us-isob-east-1", "us-isof-east-1", "us-isof-south-1"}
OTHER_VERSION = "2.2.0"
# https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html: no Function URLs, and no X-Ray for Lambda.
LEFT_OUT = {"cn-north-1", "cn-northwest-1"}
ACCOUNTS: dict[str, dict[str, str]] = template()["Mappings"]["SageMakerImages"]


@pytest.fixture(scope="module")
def image_uris() -> Iterator[Any]:
    """The SDK's module; importing it takes seconds, which only these tests should pay.

    It reads botocore's list of all endpoints, which takes most of the time, once and not for every image.
    """
    from sagemaker.core import image_uris

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_uris.utils, "_botocore_resolver", cache(image_uris.utils._botocore_resolver))
        yield image_uris


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
    uri = f"{ACCOUNTS[region]['SageMaker']}.dkr.ecr.{region}.{url_suffix(region)}/{repository}"
    assert uri == image_uris.retrieve(region=region, **image)


@pytest.mark.parametrize("region", sorted(ACCOUNTS))
@pytest.mark.parametrize("image", [TRAINING, INFERENCE], ids=["training", "inference"])
def test_a_pytorch_image_is_where_the_sdk_says(image_uris: Any, region: str, image: dict[str, str]) -> None:
    found = {**image, "version": OTHER_VERSION, "py_version": "py310"} if region in WITHOUT_PYTORCH else image
    uri = image_uris.retrieve(region=region, **found)
    registry = f"{ACCOUNTS[region]['DeepLearning']}.dkr.ecr.{region}.{url_suffix(region)}"
    assert uri.partition("/")[0] == registry
    versions = image_uris.config_for_framework("pytorch")[image["image_scope"]]["versions"]
    assert (region in versions["2.6.0"]["registries"]) == (region not in WITHOUT_PYTORCH)


def test_the_state_machine_is_given_these_images(image_uris: Any) -> None:
    substitutions = properties("PipelineStateMachine")["DefinitionSubstitutions"]
    assert substitutions["XGBoostImageUri"] == image_uris.retrieve(region="us-east-1", **XGBOOST)
    assert substitutions["ScikitLearnImageUri"] == image_uris.retrieve(region="us-east-1", **SCIKIT_LEARN)
    # The SDK leaves out the end of the tag, by which AWS tells this image from others of the version.
    full = "-ubuntu22.04-sagemaker"
    for name, image in (("PyTorchTraining", TRAINING), ("PyTorchInference", INFERENCE)):
        uri = image_uris.retrieve(region="us-east-1", **image)
        assert substitutions[f"{name}ImageUri"] == uri + full


@pytest.mark.parametrize("role", iam.ROLES_OF_JOBS)
def test_every_job_may_pull_these_images(role: str) -> None:
    for name, uri in images().items():
        assert iam.allows(iam.statements(role), "ecr:BatchGetImage", repository_of(uri)), name


def test_a_model_of_an_image_for_inference_can_be_registered() -> None:
    policy = iam.statements("StateMachineRole")
    registered = {
        name for name, uri in images().items() if iam.allows(policy, "ecr:BatchGetImage", repository_of(uri))
    }
    assert registered == {"XGBoostImageUri", "PyTorchInferenceImageUri"}


def test_the_preflight_looks_for_the_images_that_the_state_machine_uses() -> None:
    assert {image_uri(kind, REGION) for kind in IMAGES} == set(images().values())


def images() -> dict[str, str]:
    substitutions = properties("PipelineStateMachine")["DefinitionSubstitutions"]
    return {name: uri for name, uri in substitutions.items() if name.endswith("ImageUri")}


def repository_of(uri: str) -> str:
    registry, _, image = uri.partition("/")
    return aws_arn("ecr", f"repository/{image.partition(':')[0]}", account=registry.partition(".")[0])
