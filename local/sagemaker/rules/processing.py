"""Processing jobs."""

from __future__ import annotations

from local.sagemaker.errors import invalid, unsupported
from local.sagemaker.kinds import Json
from local.sagemaker.rules.common import image_of, instances, no_two, refuse
from local.sagemaker.store import Store


def processing_rules(request: Json, store: Store) -> None:
    """CreateProcessingJob."""
    image_of(request["AppSpecification"]["ImageUri"], store)
    no_program = "ContainerEntrypoint" not in request["AppSpecification"]
    refuse(no_program, unsupported("A processing job without ContainerEntrypoint is"))
    instances(request["ProcessingResources"]["ClusterConfig"])
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    no_two("InputName", (each["InputName"] for each in inputs))
    no_two("OutputName", (each["OutputName"] for each in outputs))
    for each in inputs:
        refuse("S3Input" not in each, unsupported(f"The source of input '{each['InputName']}' is"))
        source = each["S3Input"]
        _local_path(source.get("LocalPath", ""))
    for each in outputs:
        refuse("S3Output" not in each, unsupported(f"The target of output '{each['OutputName']}' is"))
        _local_path(each["S3Output"].get("LocalPath", ""))


def _local_path(path: str) -> None:
    good = path.startswith("/opt/ml/processing/") and ".." not in path.split("/")
    refuse(not good, invalid(f"LocalPath '{path}' is invalid: it must start with /opt/ml/processing/."))
