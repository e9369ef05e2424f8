"""botocore's models, as they are read here."""

import boto3
import pytest
from botocore.model import StructureShape

from local.sagemaker.models import description, new_session, service_model


def test_a_model_has_no_documentation() -> None:
    model = service_model("sagemaker")
    request = model.shape_for("CreateTrainingJobRequest")
    assert isinstance(request, StructureShape)
    assert model.documentation == model.operation_model("CreateTrainingJob").documentation == ""
    assert request.documentation == request.members["TrainingJobName"].documentation == ""


@pytest.mark.parametrize("service", ["s3", "sagemaker", "dynamodb"])
def test_clients_work_with_such_models(service: str) -> None:
    client = boto3.Session(botocore_session=new_session()).client(service, region_name="us-east-1")
    assert client.meta.service_model.client_context_parameters is not None
    assert description(service)["operations"].keys() == set(client.meta.service_model.operation_names)
