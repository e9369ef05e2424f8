from __future__ import annotations

import pytest

from local.sagemaker.engines.environments import ENVIRONMENTS
from local.sagemaker.engines.images import IMAGES, UnknownImage, find_image

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize("tag", ["3.2-0", "3.2-0-cpu", "3.2-0-cpu-py3", "3.2-0-py3"])
def test_every_form_of_the_xgboost_tag_is_the_same_image(tag: str) -> None:
    image = find_image(f"{REGISTRY}/sagemaker-xgboost:{tag}", "us-east-1")

    assert (image.repository, image.version, image.warning) == ("sagemaker-xgboost", "3.2-0", "")
    assert not {"xgboost", "dask", "distributed", "pyarrow"} & image.hidden_modules
    assert "local" in image.hidden_modules
    assert image.variables["SAGEMAKER_SERVING_MODULE"] == "sagemaker_xgboost_container.serving:main"


def test_the_scikit_learn_image_has_no_xgboost_no_dask_and_no_algorithm() -> None:
    image = find_image(f"{REGISTRY}/sagemaker-scikit-learn:1.9-0-cpu-py3", "us-east-1")

    assert (image.version, image.algorithm) == ("1.9-0", None)
    assert {"xgboost", "dask", "distributed", "local"} <= image.hidden_modules
    assert "pyarrow" not in image.hidden_modules


def test_regions_in_china_have_a_longer_host_name() -> None:
    uri = "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.2-0"

    assert find_image(uri, "cn-north-1").repository == "sagemaker-xgboost"


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("sagemaker-xgboost:1.7-1", "sagemaker-xgboost:3.2-0"),
        ("sagemaker-xgboost:0.90-2-cpu-py3", "sagemaker-xgboost:3.2-0"),
        ("sagemaker-scikit-learn:1.4-2-py312-cpu-py3", "sagemaker-scikit-learn:1.9-0"),
        ("sagemaker-scikit-learn:0.20.0-cpu-py3", "sagemaker-scikit-learn:1.9-0"),
    ],
)
def test_an_older_version_runs_as_this_one_with_a_warning(name: str, runs: str) -> None:
    image = find_image(f"{REGISTRY}/{name}", "us-east-1")

    assert f"{image.repository}:{image.version}" == runs
    assert f"{image.repository}:{image.asked} is not available locally: {runs} runs" in image.warning


@pytest.mark.parametrize("repository", ["pytorch-training", "pytorch-inference"])
@pytest.mark.parametrize(
    "tag",
    [
        "2.6.0-cpu-py312-ubuntu22.04-sagemaker",
        "2.6.0-cpu-py312-ubuntu22.04-sagemaker-v1.12",
        "2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker",
        "2.6.0-cpu-py312",
        "2.6.0-gpu-py312",
    ],
)
def test_the_pytorch_images_have_an_interpreter_of_their_own(repository: str, tag: str) -> None:
    image = find_image(f"763104351884.dkr.ecr.us-east-1.amazonaws.com/{repository}:{tag}", "us-east-1")

    assert image.environment in ENVIRONMENTS
    assert (image.script is None, image.server is None) == (
        repository == "pytorch-inference",
        repository == "pytorch-training",
    )


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (f"{REGISTRY}/sagemaker-xgboost:3.2-0-gpu", "cannot run here"),
        (f"{REGISTRY}/sagemaker-xgboost:3.2-0-cpu-py3-cpu", "cannot run here"),
        (f"{REGISTRY}/sagemaker-xgboost:1.6-1", "cannot run here"),
        (f"{REGISTRY}/pytorch-training:2.5", "pytorch-training:2.5 cannot run here"),
        (f"{REGISTRY}/pytorch-training:2.6.0-cpu-py311", "cannot run here"),
        (
            f"{REGISTRY}/tensorflow-training:2.6",
            "Known are sagemaker-xgboost:3.2-0, sagemaker-scikit-learn:1.9",
        ),
        (f"{REGISTRY}/sagemaker-xgboost", "form"),
        ("xgboost", "form"),
        (
            "746614075791.dkr.ecr.us-west-1.amazonaws.com/sagemaker-xgboost:3.2-0",
            "an image of us-west-1; a job in us-east-1",
        ),
    ],
)
def test_an_image_that_cannot_run_here_is_refused_with_the_reason(uri: str, reason: str) -> None:
    with pytest.raises(UnknownImage, match=reason):
        find_image(uri, "us-east-1")


def test_every_row_can_be_requested_and_runs_something() -> None:
    for image in IMAGES:
        assert image.algorithm or image.script or image.server
        assert not image.environment or ENVIRONMENTS[image.environment].lock.is_file()
