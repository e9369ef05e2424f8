"""SageMaker on one machine: its JSON API, and jobs that really run. See README.md."""

from local.sagemaker.errors import ServiceError
from local.sagemaker.service import SageMaker

__all__ = ["SageMaker", "ServiceError"]
