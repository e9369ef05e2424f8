"""botocore's models of the services, of which the emulator would read and keep copies of its own."""

from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel

from local.sagemaker.models import description, service_model


def install_models() -> None:
    """Let the emulator share what `local.sagemaker.models` has read.

    It would read SageMaker's model, of 2.4 MB of JSON, three times, and keep one of them.
    """
    from ministack.core import iam_actions, responses
    from ministack.services import stepfunctions

    def model(service: str) -> ServiceModel | None:
        try:
            return service_model(responses._BOTOCORE_NAME.get(service, service))
        except UnknownServiceError:
            return None

    # One imports the other's name.
    responses._service_model = stepfunctions._service_model = model
    iam_actions._load_botocore_model = _described


def _described(service: str) -> Any:
    try:
        return description(service)
    except UnknownServiceError:
        return {}
