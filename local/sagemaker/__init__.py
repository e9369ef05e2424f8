"""SageMaker on one machine: its JSON API, jobs that really run, models behind endpoints. See README.md."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from local.sagemaker.errors import ServiceError

if TYPE_CHECKING:
    from local.sagemaker.endpoints.live import Invocation
    from local.sagemaker.endpoints.variant import Answer
    from local.sagemaker.service import SageMaker

__all__ = ["Answer", "Invocation", "SageMaker", "ServiceError"]

_PLACES = {"Answer": "endpoints.variant", "Invocation": "endpoints.live", "SageMaker": "service"}


def __getattr__(name: str) -> object:
    """The names that are imported when they are first asked for: an image's interpreter, which runs
    ``engines``, has no botocore of this project."""
    if place := _PLACES.get(name):
        return getattr(importlib.import_module(f"{__name__}.{place}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
