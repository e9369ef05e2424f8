"""Which of AWS's images a URI means, and what a job in it can import."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["xgboost", "scikit-learn"]

# Repository -> kind and the version that the local libraries stand for (docs: "Docker Registry Paths and
# Example Code", Amazon SageMaker AI developer guide).
KNOWN: dict[str, tuple[Kind, str]] = {
    "sagemaker-xgboost": ("xgboost", "3.2-0"),
    "sagemaker-scikit-learn": ("scikit-learn", "1.9-0"),
}
_TAG_SUFFIX = re.compile(r"(-cpu)?(-py3)?$")
_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
    r"/(?P<repository>[a-z0-9._/-]+):(?P<tag>[\w.-]+)"
)
# What is installed here and in none of AWS's images: this project, its emulator and its tools.
_NOT_IN_ANY_IMAGE = frozenset(
    {"hypothesis", "local", "ministack", "moto", "mypy", "playwright", "pytest", "samcli", "samtranslator"}
)
# ENV in the images' Dockerfiles (aws/deep-learning-containers, docker/xgboost and docker/sklearn/1.9-0).
_SERVING_MODULE = {
    "xgboost": "sagemaker_xgboost_container.serving:main",
    "scikit-learn": "sagemaker_sklearn_container.serving:main",
}
_HIDDEN = {"xgboost": _NOT_IN_ANY_IMAGE, "scikit-learn": _NOT_IN_ANY_IMAGE | {"xgboost"}}


class UnknownImage(ValueError):
    """The URI names no image that can run here; the message says which ones can."""


@dataclass(frozen=True)
class Image:
    """An image that can run here. ``hidden_modules`` go into ``Command.hidden_modules``; ``environment`` is
    what a container that serves has, unless its model says otherwise."""

    kind: Kind
    version: str
    hidden_modules: frozenset[str]
    environment: Mapping[str, str]


def find_image(uri: str, region: str) -> Image:
    """The image of ``<account>.dkr.ecr.<region>.amazonaws.com[.cn]/<repository>:<tag>``.

    Raises UnknownImage for another form, another region (AWS refuses those too), repository or tag.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise UnknownImage(
            f"{uri} is no image URI of the form <account>.dkr.ecr.{region}.amazonaws.com/<repository>:<tag>"
        )
    if parts["region"] != region:
        raise UnknownImage(f"{uri} is an image of {parts['region']}; a job in {region} needs one of {region}")
    kind, version = KNOWN.get(parts["repository"], (None, None))
    if kind is None or version is None or _TAG_SUFFIX.sub("", parts["tag"]) != version:
        known = " and ".join(f"{name}:{version}" for name, (_, version) in KNOWN.items())
        raise UnknownImage(
            f"{parts['repository']}:{parts['tag']} cannot run here. Known are {known}, "
            "also with -cpu, -py3 or -cpu-py3 after the version"
        )
    environment = {"SAGEMAKER_SERVING_MODULE": _SERVING_MODULE[kind], "SM_MODEL_DIR": "/opt/ml/model"}
    return Image(kind, version, _HIDDEN[kind], environment)
