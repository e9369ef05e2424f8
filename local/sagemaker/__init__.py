"""SageMaker on one machine: its JSON API, and jobs that really run. See README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.sagemaker.errors import ServiceError

if TYPE_CHECKING:
    from local.sagemaker.service import SageMaker

__all__ = ["SageMaker", "ServiceError"]


def __getattr__(name: str) -> object:
    """``SageMaker``, imported when it is first asked for: an image's interpreter, which runs ``engines``, has
    no botocore of this project."""
    if name == "SageMaker":
        from local.sagemaker.service import SageMaker

        return SageMaker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
