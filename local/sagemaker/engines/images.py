"""AWS's images that can run here: a table of their libraries and programs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

# The first arguments of ``Command.argv``.
Program = tuple[str, ...]

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
    r"/(?P<repository>[a-z0-9._/-]+):(?P<tag>[\w.-]+)"
)
_CPU = r"(-cpu)?(-py3)?"
# Installed here, but in none of AWS's images: this project, its emulator and its tools, and ONNX.
_NOT_IN_ANY_IMAGE = frozenset(
    {"hypothesis", "local", "ministack", "moto", "mypy", "playwright", "pytest", "samcli", "samtranslator"}
) | {"flatbuffers", "ml_dtypes", "onnx", "onnxruntime"}
_ENGINES = "local.sagemaker.engines"


class UnknownImage(ValueError):
    """The URI names no image that can run here; the message lists those that can."""


@dataclass(frozen=True)
class Image:
    """An image that can run here.

    A tag is ``version`` or one of ``older``, followed by a match of ``suffix``. ``environment`` names the
    interpreter with the image's libraries (``environments``), empty for this one. ``algorithm`` trains
    without a script, ``script`` runs one, ``server`` serves a model; None if the image cannot.
    ``hidden_modules`` are for ``Command.hidden_modules``; ``variables`` are those of its Dockerfile.
    """

    repository: str
    version: str
    older: frozenset[str] = frozenset()
    suffix: str = ""
    environment: str = ""
    algorithm: Program | None = None
    script: Program | None = None
    server: Program | None = None
    hidden_modules: frozenset[str] = _NOT_IN_ANY_IMAGE
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # The version in the request.
    asked: str = ""

    @property
    def warning(self) -> str:
        """A warning for people if another version runs than the requested one; otherwise empty."""
        if self.asked in ("", self.version):
            return ""
        return (
            f"{self.repository}:{self.asked} is not available locally: {self.repository}:{self.version} runs "
            "in its place, whose libraries are newer."
        )


# Versions: "Docker Registry Paths and Example Code", Amazon SageMaker AI developer guide. Variables and
# programs: the images' Dockerfiles and toolkits (aws/deep-learning-containers, aws/sagemaker-*-container).
_PYTORCH = "2.6.0"
# The SDK requests the short ones. A number after the long ones is a patch number.
_PYTORCH_SUFFIX = (
    r"(-[cg]pu-py312|(-cpu-py312-ubuntu22\.04|-gpu-py312-cu124-ubuntu22\.04)-sagemaker(-v1\.\d+)?)"
)
IMAGES = (
    Image(
        "sagemaker-xgboost",
        "3.2-0",
        frozenset(
            {"0.90-1", "0.90-2", "1.0-1", "1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5"},
        ),
        suffix=_CPU,
        algorithm=("-m", f"{_ENGINES}.xgboost_algorithm", "/opt/ml"),
        script=("-m", f"{_ENGINES}.toolkit", "sagemaker_containers"),
        server=("-m", f"{_ENGINES}.serving", "gunicorn"),
        variables={
            "SAGEMAKER_SERVING_MODULE": "sagemaker_xgboost_container.serving:main",
            "SM_MODEL_DIR": "/opt/ml/model",
        },
    ),
    Image(
        "sagemaker-scikit-learn",
        "1.9-0",
        frozenset({"0.20.0", "0.23-1", "1.0-1", "1.2-1", "1.4-2", "1.4-2-py312"}),
        suffix=_CPU,
        script=("-m", f"{_ENGINES}.toolkit", "sagemaker_training"),
        server=("-m", f"{_ENGINES}.serving", "gunicorn"),
        hidden_modules=_NOT_IN_ANY_IMAGE | {"dask", "distributed", "xgboost"},
        variables={
            "SAGEMAKER_SERVING_MODULE": "sagemaker_sklearn_container.serving:main",
            "SM_MODEL_DIR": "/opt/ml/model",
        },
    ),
    Image(
        "pytorch-training",
        _PYTORCH,
        suffix=_PYTORCH_SUFFIX,
        environment="pytorch",
        script=("-m", f"{_ENGINES}.toolkit", "sagemaker_pytorch_training"),
    ),
    Image(
        "pytorch-inference",
        _PYTORCH,
        suffix=_PYTORCH_SUFFIX,
        environment="pytorch",
        server=("-m", f"{_ENGINES}.serving", "torchserve"),
        hidden_modules=_NOT_IN_ANY_IMAGE | {"pyarrow"},
    ),
)


def find_image(uri: str, region: str) -> Image:
    """The image of ``<account>.dkr.ecr.<region>.amazonaws.com[.cn]/<repository>:<tag>``.

    Raises UnknownImage for another form, repository, tag, or region (which AWS refuses as well).
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise UnknownImage(
            f"{uri} is no image URI of the form <account>.dkr.ecr.{region}.amazonaws.com/<repository>:<tag>"
        )
    if parts["region"] != region:
        raise UnknownImage(f"{uri} is an image of {parts['region']}; a job in {region} needs one of {region}")
    for image in IMAGES:
        if image.repository == parts["repository"] and (asked := _version(image, parts["tag"])):
            return dataclasses.replace(image, asked=asked)
    known = ", ".join(f"{image.repository}:{image.version}" for image in IMAGES)
    raise UnknownImage(
        f"{parts['repository']}:{parts['tag']} cannot run here. Known are {known}, with the endings of "
        "AWS's tags (-cpu-py3, -cpu-py312-ubuntu22.04-sagemaker), and older versions of the first two"
    )


def _version(image: Image, tag: str) -> str:
    """The image's version in a tag; empty if there is none."""
    versions = (image.version, *image.older)
    return next((each for each in versions if re.fullmatch(re.escape(each) + image.suffix, tag)), "")
