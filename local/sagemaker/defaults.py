"""SageMaker's defaults for members that a request leaves out, which Describe shows."""

from __future__ import annotations

import copy

from local.sagemaker.kinds import Json

_DEFAULTS: dict[str, Json] = {
    "CreateProcessingJob": {"StoppingCondition": {"MaxRuntimeInSeconds": 86400}},
    "CreateTrainingJob": {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    },
    "CreateTransformJob": {
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": 6,
        "BatchStrategy": "MultiRecord",
        "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    },
    "CreateModel": {"EnableNetworkIsolation": False},
    "CreateModelPackage": {"CertifyForMarketplace": False},
}
_S3_INPUT = {
    "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated",
    "S3CompressionType": "None",
}


def with_defaults(action: str, request: Json) -> Json:
    """A copy of a validly shaped request, with the defaults of its action."""
    filled = _fill(copy.deepcopy(request), _DEFAULTS.get(action, {}))
    if action == "CreateProcessingJob":
        for each in filled.get("ProcessingInputs", []):
            each.setdefault("AppManaged", False)
            _fill(each.get("S3Input", {}), _S3_INPUT)
        for each in filled.get("ProcessingOutputConfig", {}).get("Outputs", []):
            each.setdefault("AppManaged", False)
    for definition in (filled, filled.get("TrainingJobDefinition", {})):
        if "CheckpointConfig" in definition:
            _fill(definition["CheckpointConfig"], {"LocalPath": "/opt/ml/checkpoints"})
    if "TrainingJobDefinition" in filled:
        _fill(filled["TrainingJobDefinition"], _DEFAULTS["CreateTrainingJob"])
    for definition in (filled, filled.get("TrainingJobDefinition", {})):
        for channel in definition.get("InputDataConfig", []):
            _fill(channel, {"CompressionType": "None", "RecordWrapperType": "None"})
    if action == "CreateEndpointConfig":
        for variant in filled["ProductionVariants"]:
            _fill(variant, {"InitialVariantWeight": 1.0})
    if action == "CreateTransformJob":
        _fill(filled["TransformInput"], {"CompressionType": "None", "SplitType": "None"})
        _fill(filled["TransformOutput"], {"AssembleWith": "None"})
    return filled


def _fill(target: Json, defaults: Json) -> Json:
    for name, value in defaults.items():
        if isinstance(value, dict):
            _fill(target.setdefault(name, {}), value)
        else:
            target.setdefault(name, value)
    return target
