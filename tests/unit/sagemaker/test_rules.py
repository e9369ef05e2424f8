"""Refusals of validly shaped requests."""

from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.fakes import PYTORCH_INFERENCE, PYTORCH_TRAINING, ROLE, SKLEARN
from tests.unit.sagemaker.requests import MODEL, PACKAGE, PROCESSING, TRAINING, TRANSFORM, TUNING, changed

CROSS = "RoleArn: Cross-account pass role is not allowed."
OTHER_ROLE = ROLE.replace("0" * 12, "1" * 12)
OWN_METRICS = (
    "You can't override the metric definitions for Amazon SageMaker algorithms. "
    "Please retry the request without specifying metric definitions."
)
METRICS = [{"Name": "validation:rmse", "Regex": "(.*)"}]
INPUT = "ProcessingInputs.0.S3Input"
OUTPUT = "ProcessingOutputConfig.Outputs.0.S3Output"
CONFIG = "HyperParameterTuningJobConfig"
RANGES = f"{CONFIG}.ParameterRanges"
ALGORITHM = "TrainingJobDefinition.AlgorithmSpecification"
CHANNEL = "InputDataConfig.0"
WAIT = "Invalid MaxWaitTimeInSeconds. "
ON_SPOT = changed(TRAINING, "EnableManagedSpotTraining", True)
FILTERED = changed(TRANSFORM, "DataProcessing", {"InputFilter": "$[1:]"})
TOO_FEW = (
    "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations "
    "for the provided ranges [3] must be equal or greater than the value of MaxNumberOfJobs, [4]. "
    "Provide additional ranges."
)
THREE = {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "3", "MaxValue": "5"}]}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (changed(PROCESSING, "RoleArn", OTHER_ROLE), CROSS),
        (
            changed(PROCESSING, "AppSpecification.ImageUri", "busybox"),
            "Invalid image URI busybox. Please provide a valid",
        ),
        (
            changed(PROCESSING, "AppSpecification.ContainerEntrypoint", None),
            "without ContainerEntrypoint is not supp",
        ),
        (
            changed(PROCESSING, "ProcessingResources.ClusterConfig.InstanceCount", 17),
            "More than 16 instances are not supp",
        ),
        (
            changed(PROCESSING, f"{INPUT}.LocalPath", "/tmp/in"),
            "LocalPath '/tmp/in' is invalid: it must start with /opt/ml/proc",
        ),
        (
            changed(PROCESSING, f"{INPUT}.LocalPath", "/opt/ml/processing/../model"),
            "must start with /opt/ml/processing/",
        ),
        (changed(PROCESSING, f"{INPUT}.LocalPath", None), "LocalPath '' is invalid"),
        (changed(PROCESSING, f"{OUTPUT}.LocalPath", "/opt/ml/model"), "LocalPath '/opt/ml/model' is invalid"),
        (
            changed(TRANSFORM, "TransformInput.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile"),
            "S3DataType AugmentedManifestFile is not supported",
        ),
        (changed(PROCESSING, f"{INPUT}.S3InputMode", "Pipe"), "S3InputMode Pipe is not supported"),
        (
            changed(PROCESSING, "ProcessingInputs", PROCESSING["ProcessingInputs"] * 2),
            "'code' is given more than once",
        ),
        (changed(TRAINING, "AlgorithmSpecification", None), "AlgorithmSpecification is required."),
        (changed(TRAINING, "AlgorithmSpecification.MetricDefinitions", METRICS), OWN_METRICS),
        (
            changed(
                changed(TRAINING, "HyperParameters.sagemaker_program", "train.py"),
                "HyperParameters.sagemaker_mpi_enabled",
                "true",
            ),
            "Distributed training (sagemaker_mpi_enabled) is not supported",
        ),
        (
            changed(TRAINING, "AlgorithmSpecification.TrainingImage", PYTORCH_INFERENCE),
            "Training with the image pytorch-inference is not supported",
        ),
        (changed(TUNING, f"{ALGORITHM}.TrainingImage", SKLEARN), "A metric is required for this"),
        (
            changed(MODEL, "PrimaryContainer.Image", PYTORCH_TRAINING),
            "Serving a model with the image pytorch-training is not supported",
        ),
        (
            changed(
                changed(FILTERED, "TransformInput.ContentType", "application/jsonlines"),
                "TransformOutput.AssembleWith",
                "Line",
            ),
            "A filter of 'application/jsonlines' is not supported",
        ),
        (
            changed(TRAINING, f"{CHANNEL}.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile"),
            "S3DataType Augmented",
        ),
        (changed(TRAINING, f"{CHANNEL}.InputMode", "Pipe"), "InputMode Pipe is not supported"),
        (changed(TRAINING, f"{CHANNEL}.ChannelName", "validation"), "'validation' is given more than once"),
        (
            changed(TRAINING, "StoppingCondition.MaxWaitTimeInSeconds", 900),
            f"{WAIT}It is only supported when EnableManagedSpotTraining is set to true",
        ),
        (ON_SPOT, f"{WAIT}It must be present and be greater than or equal to MaxRuntimeInSeconds"),
        (
            changed(ON_SPOT, "StoppingCondition.MaxWaitTimeInSeconds", 599),
            f"{WAIT}It must be present and be greater",
        ),
        (
            changed(ON_SPOT, "StoppingCondition.MaxWaitTimeInSeconds", 3601),
            f"{WAIT}Without checkpoints it must be less",
        ),
        (changed(TUNING, f"{ALGORITHM}.MetricDefinitions", METRICS), OWN_METRICS),
        (changed(TUNING, "TrainingJobDefinition.RoleArn", OTHER_ROLE), CROSS),
        (changed(TUNING, "TrainingJobDefinition", None), "TrainingJobDefinition is required."),
        (
            changed(TUNING, "TrainingJobDefinition.StaticHyperParameters.alpha", "1"),
            "Hyperparameters can't be both static and tunable: [alpha].",
        ),
        (
            changed(TUNING, f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs", 5),
            "The value of MaxParallelTrainingJobs, [5] must be equal or less than the value of MaxNumberOfTrainingJobs, [4].",
        ),
        (
            changed(TUNING, f"{CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs", None),
            "without MaxNumberOfTrainingJobs is not",
        ),
        (changed(TUNING, f"{CONFIG}.Strategy", "Hyperband"), "Strategy Hyperband is not supported"),
        (changed(TUNING, f"{CONFIG}.Strategy", "Grid"), "Only categorical hyperparameters are supported"),
        (changed(TUNING, f"{CONFIG}.ParameterRanges", None), "must have at least one hyperparameter range"),
        (changed(TUNING, RANGES, THREE), TOO_FEW),
        (changed(TUNING, f"{RANGES}.ContinuousParameterRanges.0.MinValue", "ten"), "ten"),
        (
            changed(
                TUNING,
                "WarmStartConfig",
                {"ParentHyperParameterTuningJobs": [{}], "WarmStartType": "TransferLearning"},
            ),
            "WarmStartConfig is not supported",
        ),
        (changed(TRANSFORM, "TransformInput.SplitType", "RecordIO"), "SplitType RecordIO is not supported"),
        (
            changed(TRANSFORM, "MaxPayloadInMB", 100) | {"MaxConcurrentTransforms": 2},
            "must not exceed 100 MB",
        ),
        (
            changed(FILTERED, "TransformInput.SplitType", "None"),
            "requires SplitType Line and AssembleWith Line",
        ),
        (
            changed(FILTERED, "TransformInput.ContentType", "application/jsonlines"),
            "'application/jsonlines' is not supp",
        ),
        (
            changed(FILTERED, "DataProcessing.InputFilter", "$.features"),
            "$.features selects no columns of a CSV record",
        ),
        (
            changed(
                changed(TRANSFORM, "DataProcessing", {"JoinSource": "Input"}),
                "TransformOutput.Accept",
                "application/json",
            ),
            "JoinSource Input requires ContentType and Accept to be the same.",
        ),
        (TRANSFORM, 'Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model/model".'),
        (changed(MODEL, "PrimaryContainer", None), "One of PrimaryContainer and Containers is required."),
        (changed(MODEL, "PrimaryContainer.Mode", "MultiModel"), "Mode MultiModel is not supported"),
        (changed(MODEL, "ExecutionRoleArn", OTHER_ROLE), CROSS),
        (
            changed(PACKAGE, "ModelPackageName", "alone"),
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use.",
        ),
        (changed(PACKAGE, "ModelPackageGroupName", None), "Missing ARN."),
        (
            changed(PACKAGE, "InferenceSpecification.Containers.0.Image", "busybox"),
            "Invalid image URI busybox.",
        ),
        (
            changed(PACKAGE, "InferenceSpecification.Containers", [MODEL["PrimaryContainer"]] * 2),
            "A model package with more than one container is not supported",
        ),
    ],
)
def test_requests_that_sagemaker_refuses_or_this_one_lacks_are_refused_at_once(
    request_: dict[str, Any], message: str, sagemaker: SageMaker
) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action_of(request_), request_)

    assert message in refused.value.message
    assert refused.value.code == "ValidationException"


def action_of(request: dict[str, Any]) -> str:
    if "TransformJobName" in request:
        return "CreateTransformJob"
    if "InferenceSpecification" in request:
        return "CreateModelPackage"
    names = {"ProcessingJobName": "ProcessingJob", "TrainingJobName": "TrainingJob", "ModelName": "Model"}
    names["HyperParameterTuningJobName"] = "HyperParameterTuningJob"
    return "Create" + next(stem for name, stem in names.items() if name in request)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("CreateNotebookInstance", "CreateNotebookInstance is not served by the local SageMaker."),
        ("CreateWonders", "CreateWonders is no action of SageMaker."),
    ],
)
def test_an_unsupported_action_is_reported_as_such(action: str, message: str, sagemaker: SageMaker) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action, {})

    assert (refused.value.code, refused.value.message) == ("UnknownOperationException", message)
