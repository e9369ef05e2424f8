"""A bucket of the embedded AWS with a processing script, training data, and unused names."""

import itertools
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Aws, eventually

ROLE = "arn:aws:iam::000000000000:role/job"
ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SKLEARN = f"{ECR}/sagemaker-scikit-learn:1.9-0-cpu-py3"
XGBOOST = f"{ECR}/sagemaker-xgboost:3.2-0"
ENDED = ("Completed", "Failed", "Stopped")
# A job takes a second or two; the machine may be busy with something else.
JOB_SECONDS = 90.0

SCRIPT = b"""
import pathlib, sys, time

mode, source, target = sys.argv[1:]
print("mode", mode, "source", source)
if mode == "copy":
    for path in pathlib.Path(source).iterdir():
        pathlib.Path(target, path.name).write_bytes(path.read_bytes().upper())
elif mode == "fail":
    message = pathlib.Path(target).parents[1] / "output" / "message"
    message.write_text("line 3 makes no sense")
    sys.exit(4)
else:
    time.sleep(600)
"""

Json = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Bucket, clients and names for the tests."""

    aws: Aws
    bucket: str
    sagemaker: Any
    s3: Any
    name: Callable[[], str]

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def ended(self, describe: str, status: str, **name: str) -> Json:
        """The Describe response of a job, once it has ended."""
        call = getattr(self.sagemaker, describe)
        response: Json = eventually(lambda: (found := call(**name))[status] in ENDED and found, JOB_SECONDS)
        return response

    def processing(self, mode: str, seconds: int = 60) -> Json:
        """A CreateProcessingJob request that runs SCRIPT."""
        code, data, out = (f"/opt/ml/processing/{each}" for each in ("input/code", "input/data", "output"))
        inputs = {
            "code": (f"s3://{self.bucket}/code/", code),
            "data": (f"s3://{self.bucket}/data/train/train.csv", data),
        }
        output = {"S3Uri": f"s3://{self.bucket}/prepared/", "LocalPath": out, "S3UploadMode": "EndOfJob"}
        return {
            "ProcessingJobName": self.name(),
            "RoleArn": ROLE,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
            },
            "AppSpecification": {
                "ImageUri": SKLEARN,
                "ContainerEntrypoint": ["python3", f"{code}/main.py"],
                "ContainerArguments": [mode, data, out],
            },
            "ProcessingInputs": [
                {
                    "InputName": name,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": path,
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for name, (uri, path) in inputs.items()
            ],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
        }

    def definition(self) -> Json:
        """The members that a training job and the trials of a tuning job have in common."""
        source = {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
        return {
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "InputDataConfig": [
                {
                    "ChannelName": name,
                    "ContentType": "text/csv",
                    "DataSource": {"S3DataSource": {"S3Uri": f"s3://{self.bucket}/data/{name}/", **source}},
                }
                for name in ("train", "validation")
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }

    def training(self, rounds: int = 20) -> Json:
        """A CreateTrainingJob request of the built-in algorithm."""
        parameters = {"num_round": str(rounds), "objective": "reg:squarederror", "eval_metric": "rmse"}
        return {"TrainingJobName": self.name(), "HyperParameters": parameters, **self.definition()}

    def tuning(self) -> Json:
        """A CreateHyperParameterTuningJob request of four trials."""
        ranges = [{"Name": name, "MinValue": "0.01", "MaxValue": "10"} for name in ("alpha", "lambda")]
        parameters = {"num_round": "20", "objective": "reg:squarederror", "eval_metric": "rmse"}
        return {
            "HyperParameterTuningJobName": self.name(),
            "HyperParameterTuningJobConfig": {
                "Strategy": "Bayesian",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
                "ParameterRanges": {"ContinuousParameterRanges": ranges},
                "TrainingJobEarlyStoppingType": "Auto",
            },
            "TrainingJobDefinition": {"StaticHyperParameters": parameters, **self.definition()},
        }


@pytest.fixture(scope="session")
def bench(aws: Aws) -> Bench:
    numbers = itertools.count()
    s3, bucket = aws.client("s3"), f"bench-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code/main.py", Body=SCRIPT)
    rows = random.Random(1)  # noqa: S311 - rows to train on
    for name, count in (("train", 200), ("validation", 50)):
        pairs = [(rows.random(), rows.random()) for _ in range(count)]
        lines = "".join(f"{3 * a + b:.4f},{a:.4f},{b:.4f}\n" for a, b in pairs)
        s3.put_object(Bucket=bucket, Key=f"data/{name}/{name}.csv", Body=lines.encode())
    return Bench(aws, bucket, aws.client("sagemaker"), s3, lambda: f"bench-{next(numbers)}")


@pytest.fixture(scope="session")
def resources() -> Any:
    """`sagemaker.core.resources`: SageMaker's own library takes too long to import for every worker's collection."""
    from sagemaker.core import resources

    return resources


@pytest.fixture(scope="session")
def shapes() -> Any:
    """`sagemaker.core.shapes`, for the same reason."""
    from sagemaker.core import shapes

    return shapes
