"""Training scripts as versions 2 and 3 of SageMaker's library send them, against the embedded AWS."""

import io
import json
import tarfile
from typing import Any

import pytest

from tests.integration.sagemaker.conftest import SKLEARN, Bench

Json = dict[str, Any]
TRAIN = b"""
import argparse, os
from helper import factor
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--name")
given = parser.parse_args()
print(f"name={given.name}; loss={given.lr * factor:.2f};")
with open(os.environ["SM_MODEL_DIR"] + "/model", "w") as model:
    model.write(str(sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))))
"""
FILES = {"train.py": TRAIN, "helper.py": b"factor = 2\n"}
# Version 3 sends, besides the code, a driver that starts the script according to the request.
DRIVER = b"""#!/bin/bash
export SM_MODEL_DIR=/opt/ml/model SM_CHANNEL_TRAIN=/opt/ml/input/data/train
cd /opt/ml/input/data/code && python3 train.py --lr 0.5 --name "a b"
"""


def sourcedir() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def request_(bench: Bench) -> Json:
    """The part of a request that both versions send for a job with one channel."""
    definition = bench.definition()
    train, _ = definition["InputDataConfig"]
    definition["AlgorithmSpecification"]["TrainingImage"] = SKLEARN
    return definition | {"TrainingJobName": bench.name(), "InputDataConfig": [train]}


def trained(bench: Bench, request: Json) -> Json:
    bench.sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    described = bench.ended("describe_training_job", "TrainingJobStatus", TrainingJobName=name)
    assert described["TrainingJobStatus"] == "Completed", described
    archive = io.BytesIO(bench.read(f"models/{name}/output/model.tar.gz"))
    with tarfile.open(fileobj=archive) as model:
        content = model.extractfile("model")
        assert content is not None
        assert content.read() == b"['train.csv']"
    return described


def test_an_estimator_of_version_2_trains_a_script(bench: Bench, request_: Json) -> None:
    source = f"{request_['TrainingJobName']}/source/sourcedir.tar.gz"
    # Under S3's own key, which the request does not name.
    bench.s3.put_object(Bucket=bench.bucket, Key=source, Body=sourcedir(), ServerSideEncryption="aws:kms")
    request_["AlgorithmSpecification"] |= {
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
        "EnableSageMakerMetricsTimeSeries": True,
    }
    values = {
        "lr": 0.5,
        "name": "a b",
        "sagemaker_submit_directory": f"s3://{bench.bucket}/{source}",
        "sagemaker_program": "train.py",
        "sagemaker_container_log_level": 20,
        "sagemaker_job_name": request_["TrainingJobName"],
        "sagemaker_region": "us-east-1",
    }
    hyperparameters = {name: json.dumps(value) for name, value in values.items()}
    described = trained(bench, request_ | {"HyperParameters": hyperparameters})

    (metric,) = described["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 1.0)


def test_a_model_trainer_of_version_3_trains_a_script(bench: Bench, request_: Json) -> None:
    prefix = f"{request_['TrainingJobName']}/input"
    for name, content in FILES.items():
        bench.s3.put_object(Bucket=bench.bucket, Key=f"{prefix}/code/{name}", Body=content)
    bench.s3.put_object(Bucket=bench.bucket, Key=f"{prefix}/sm_drivers/sm_train.sh", Body=DRIVER)
    for name in ("code", "sm_drivers"):
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": f"s3://{bench.bucket}/{prefix}/{name}",
            "S3DataDistributionType": "FullyReplicated",
        }
        channel = {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}
        request_["InputDataConfig"].append(channel)
    script = "/opt/ml/input/data/sm_drivers/sm_train.sh"
    request_["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": ["-c", f"chmod +x {script} && {script}"],
    }

    trained(bench, request_ | {"HyperParameters": {"lr": "0.5", "name": "a b"}})
