"""No member of a request is accepted without an effect."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from local.sagemaker.members import members_of
from local.sagemaker.members.marks import REFUSED, SHOWN, Mark, Members, Only
from local.sagemaker.validation import service_model
from tests.unit.sagemaker.requests import MODEL, PACKAGE, PROCESSING, TRAINING, TRANSFORM, TUNING, changed

DEFINITION = "TrainingJobDefinition"
SOURCE = "InputDataConfig.0.DataSource.S3DataSource"
CONTAINER = "InferenceSpecification.Containers.0"
EXPERIMENT = {"ExperimentName": "mine"}
S3 = "s3://bucket/somewhere"


def input_of(action: str) -> Any:
    return service_model().operation_model(action).input_shape


@pytest.fixture
def actions(sagemaker: SageMaker) -> list[str]:
    served: list[str] = sorted(sagemaker._actions)
    return served


def undecided(shape: Any, known: Mark | Only | Members, path: str) -> Iterator[str]:
    """Members of botocore's model that the table does not cover, below a structure that it does not refuse."""
    while shape.type_name == "list":
        shape = shape.member
    if shape.type_name != "structure" or known in (REFUSED, SHOWN):
        return
    if not isinstance(known, dict):
        yield path
        return
    for name, member in shape.members.items():
        if name not in known:
            yield f"{path}.{name}"
        else:
            yield from undecided(member, known[name], f"{path}.{name}")


def invented(shape: Any, known: Mark | Only | Members, path: str) -> Iterator[str]:
    """Members of the table that botocore does not know."""
    while shape.type_name == "list":
        shape = shape.member
    if isinstance(known, dict):
        for name, below in known.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from invented(shape.members[name], below, f"{path}.{name}")


def test_every_member_of_every_action_is_considered(actions: list[str]) -> None:
    open_questions = [
        path for action in actions for path in undecided(input_of(action), members_of(action), action)
    ]

    assert open_questions == []


def test_the_tables_name_only_existing_members(actions: list[str]) -> None:
    changes = [action for action in actions if members_of(action) is not members_of("ListTags")]

    assert len(changes) == 12
    assert [p for action in changes for p in invented(input_of(action), members_of(action), action)] == []


@pytest.mark.parametrize(
    ("action", "request_", "what"),
    [
        ("CreateProcessingJob", changed(PROCESSING, "ExperimentConfig", EXPERIMENT), "ExperimentConfig is"),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "ProcessingInputs.0.AppManaged", True),
            "ProcessingInputs.AppManaged true is",
        ),
        (
            "CreateProcessingJob",
            changed(
                PROCESSING,
                "ProcessingOutputConfig.Outputs.0.FeatureStoreOutput",
                {"FeatureGroupName": "cars"},
            ),
            "ProcessingOutputConfig.Outputs.FeatureStoreOutput is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "ResourceConfig.KeepAlivePeriodInSeconds", 600),
            "ResourceConfig.KeepAlivePeriodInSeconds 600 is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "RetryStrategy", {"MaximumRetryAttempts": 3}),
            "RetryStrategy is",
        ),
        ("CreateTrainingJob", changed(TRAINING, "ExperimentConfig", EXPERIMENT), "ExperimentConfig is"),
        (
            "CreateTrainingJob",
            changed(
                TRAINING,
                "DebugHookConfig",
                {"S3OutputPath": S3, "CollectionConfigurations": [{"CollectionName": "losses"}]},
            ),
            "DebugHookConfig.CollectionConfigurations is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "ProfilerConfig", {"S3OutputPath": S3}),
            "ProfilerConfig.S3OutputPath is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "TensorBoardOutputConfig", {"S3OutputPath": S3}),
            "TensorBoardOutputConfig is",
        ),
        (
            "CreateTrainingJob",
            changed(
                TRAINING,
                "ModelPackageConfig",
                {"ModelPackageGroupArn": "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/none"},
            ),
            "ModelPackageConfig is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "OutputDataConfig.CompressionType", "NONE"),
            "OutputDataConfig.CompressionType NONE is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "InputDataConfig.0.ShuffleConfig", {"Seed": 1}),
            "InputDataConfig.ShuffleConfig is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, f"{SOURCE}.AttributeNames", ["line"]),
            "InputDataConfig.DataSource.S3DataSource.AttributeNames is",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "VpcConfig", {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}),
            "VpcConfig is",
        ),
        (
            "CreateHyperParameterTuningJob",
            changed(
                TUNING,
                f"{DEFINITION}.HyperParameterTuningResourceConfig",
                {
                    "InstanceConfigs": [
                        {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
                    ]
                },
            ),
            "TrainingJobDefinition.HyperParameterTuningResourceConfig.InstanceConfigs is",
        ),
        ("CreateHyperParameterTuningJob", changed(TUNING, "Autotune", {"Mode": "Enabled"}), "Autotune is"),
        (
            "CreateHyperParameterTuningJob",
            changed(TUNING, "TrainingJobDefinitions", [TUNING[DEFINITION]]),
            "TrainingJobDefinitions is",
        ),
        (
            "CreateTransformJob",
            changed(TRANSFORM, "DataCaptureConfig", {"DestinationS3Uri": S3}),
            "DataCaptureConfig is",
        ),
        (
            "CreateTransformJob",
            changed(TRANSFORM, "ModelClientConfig", {"InvocationsMaxRetries": 1}),
            "ModelClientConfig is",
        ),
        (
            "CreateModel",
            changed(MODEL, "PrimaryContainer.ImageConfig", {"RepositoryAccessMode": "Vpc"}),
            "PrimaryContainer.ImageConfig.RepositoryAccessMode Vpc is",
        ),
        (
            "CreateModelPackage",
            changed(PACKAGE, "SkipModelValidation", "All"),
            "SkipModelValidation All is",
        ),
        (
            "CreateModelPackage",
            changed(PACKAGE, f"{CONTAINER}.ProductId", "one"),
            "InferenceSpecification.Containers.ProductId is",
        ),
        ("ListTrainingJobs", {"WarmPoolStatusEquals": "InUse"}, "WarmPoolStatusEquals is"),
    ],
)
def test_a_member_without_effect_is_refused_by_its_name(
    sagemaker: SageMaker, action: str, request_: dict[str, Any], what: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action, request_)

    assert refused.value.code == "ValidationException"
    assert refused.value.message == f"{what} not supported by the local SageMaker."


def test_a_member_of_a_newer_botocore_is_refused(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = input_of("CreateModel")
    monkeypatch.setitem(shape.members, "Warp", service_model().shape_for("ModelName"))

    with pytest.raises(ServiceError, match=r"Warp is not supported by the local SageMaker\."):
        sagemaker.call("CreateModel", MODEL | {"Warp": "9"})


def test_a_value_that_matches_the_behaviour_here_is_accepted(sagemaker: SageMaker) -> None:
    usual = {"Mode": "SingleModel", "ImageConfig": {"RepositoryAccessMode": "Platform"}}
    request = MODEL | {"PrimaryContainer": MODEL["PrimaryContainer"] | usual}

    assert sagemaker.call("CreateModel", request)["ModelArn"].endswith(":model/model")
