from __future__ import annotations

import pytest

from local.sagemaker.engines.images import UnknownImage, find_image

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize("tag", ["3.2-0", "3.2-0-cpu", "3.2-0-cpu-py3", "3.2-0-py3"])
def test_every_form_of_the_xgboost_tag_is_the_same_image(tag: str) -> None:
    image = find_image(f"{REGISTRY}/sagemaker-xgboost:{tag}", "us-east-1")

    assert (image.kind, image.version) == ("xgboost", "3.2-0")
    assert "xgboost" not in image.hidden_modules
    assert "local" in image.hidden_modules
    assert image.environment["SAGEMAKER_SERVING_MODULE"] == "sagemaker_xgboost_container.serving:main"


def test_the_scikit_learn_image_has_no_xgboost() -> None:
    image = find_image(f"{REGISTRY}/sagemaker-scikit-learn:1.9-0-cpu-py3", "us-east-1")

    assert (image.kind, image.version) == ("scikit-learn", "1.9-0")
    assert {"xgboost", "local"} <= image.hidden_modules


def test_regions_in_china_have_a_longer_host_name() -> None:
    uri = "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.2-0"

    assert find_image(uri, "cn-north-1").kind == "xgboost"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (f"{REGISTRY}/sagemaker-xgboost:1.7-1", "sagemaker-xgboost:3.2-0 and sagemaker-scikit-learn:1.9-0"),
        (f"{REGISTRY}/sagemaker-xgboost:3.2-0-gpu", "cannot run here"),
        (f"{REGISTRY}/sagemaker-xgboost:3.2-0-cpu-py3-cpu", "cannot run here"),
        (f"{REGISTRY}/pytorch-training:2.5", "pytorch-training:2.5 cannot run here"),
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
