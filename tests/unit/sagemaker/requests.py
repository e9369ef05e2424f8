"""Valid requests; tests change one thing in them."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.sagemaker.fakes import ROLE, SKLEARN, XGBOOST

Json = dict[str, Any]

_CHANNEL = {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}

PROCESSING: Json = {
    "ProcessingJobName": "prepare",
    "RoleArn": ROLE,
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
    },
    "AppSpecification": {
        "ImageUri": SKLEARN,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
        "ContainerArguments": ["--out=/opt/ml/processing/output", "plain"],
    },
    "Environment": {"WHERE": "/opt/ml/processing/input", "NAME": "x"},
    "ProcessingInputs": [
        {
            "InputName": "code",
            "S3Input": {
                "S3Uri": "s3://bucket/code/",
                "LocalPath": "/opt/ml/processing/input/code",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "prepared",
                "S3Output": {
                    "S3Uri": "s3://bucket/prepared/",
                    "LocalPath": "/opt/ml/processing/output",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ]
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 300},
}

_DEFINITION: Json = {
    "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "InputDataConfig": [
        {
            "ChannelName": name,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3Uri": f"s3://bucket/data/{name}/", **_CHANNEL}},
        }
        for name in ("train", "validation")
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}

TRAINING: Json = {
    "TrainingJobName": "train-1",
    "HyperParameters": {"num_round": "5", "objective": "reg:squarederror", "eval_metric": "rmse"},
    **_DEFINITION,
}

TUNING: Json = {
    "HyperParameterTuningJobName": "tune",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "alpha", "MinValue": "0.01", "MaxValue": "10", "ScalingType": "Logarithmic"}
            ]
        },
    },
    "TrainingJobDefinition": {"StaticHyperParameters": {"num_round": "5"}, **_DEFINITION},
}

MODEL: Json = {
    "ModelName": "model",
    "PrimaryContainer": {
        "Image": XGBOOST,
        "ModelDataUrl": "s3://bucket/models/model.tar.gz",
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
    },
    "ExecutionRoleArn": ROLE,
}

TRANSFORM: Json = {
    "TransformJobName": "predict",
    "ModelName": "model",
    "BatchStrategy": "MultiRecord",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/batch/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://bucket/out/", "AssembleWith": "Line", "Accept": "text/csv"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}

PACKAGE: Json = {
    "ModelPackageGroupName": "group",
    "InferenceSpecification": {
        "Containers": [MODEL["PrimaryContainer"]],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    },
}


def changed(request: Json, path: str, value: Any) -> Json:
    """A copy with one member set: `changed(TRAINING, "ResourceConfig.InstanceCount", 2)`; None removes it."""
    copied = copy.deepcopy(request)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = copied
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copied
