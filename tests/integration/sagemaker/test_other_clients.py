"""The AWS CLI and SageMaker's own Python library against the local SageMaker."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.conftest import REGION
from tests.integration.sagemaker.conftest import ROLE, SKLEARN, XGBOOST, Bench

Json = dict[str, Any]
AWS = Path(sys.executable).with_name("aws")


def cli(bench: Bench, *arguments: str) -> Json:
    command = [str(AWS), "sagemaker", *arguments, "--output", "json"]
    done = subprocess.run(command, env=bench.aws.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: Json = json.loads(done.stdout or "{}")
    return answer


def test_the_aws_cli_creates_describes_and_lists_a_job(bench: Bench) -> None:
    request = bench.training()
    name = request["TrainingJobName"]

    created = cli(bench, "create-training-job", "--cli-input-json", json.dumps(request))
    bench.ended("describe_training_job", "TrainingJobStatus", TrainingJobName=name)
    described = cli(bench, "describe-training-job", "--training-job-name", name)

    assert created["TrainingJobArn"].endswith(f":training-job/{name}")
    assert described["TrainingJobStatus"] == "Completed"
    listed = cli(bench, "list-training-jobs", "--name-contains", name, "--status-equals", "Completed")
    assert [each["TrainingJobName"] for each in listed["TrainingJobSummaries"]] == [name]


@pytest.fixture
def session(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    for name, value in bench.aws.environment.items():
        monkeypatch.setenv(name, value)
    return boto3.Session(region_name=REGION)


def test_sagemakers_library_trains_a_model(
    bench: Bench, session: boto3.Session, resources: Any, shapes: Any
) -> None:
    channels = [
        shapes.Channel(
            channel_name=name,
            content_type="text/csv",
            data_source=shapes.DataSource(
                s3_data_source=shapes.S3DataSource(
                    s3_data_type="S3Prefix", s3_uri=f"s3://{bench.bucket}/data/{name}/"
                )
            ),
        )
        for name in ("train", "validation")
    ]
    job = resources.TrainingJob.create(
        training_job_name=bench.name(),
        hyper_parameters={"num_round": "5", "objective": "reg:squarederror"},
        algorithm_specification=shapes.AlgorithmSpecification(
            training_image=XGBOOST, training_input_mode="File"
        ),
        role_arn=ROLE,
        input_data_config=channels,
        output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bench.bucket}/models/"),
        resource_config=shapes.ResourceConfig(
            instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5
        ),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        session=session,
        region=REGION,
    )
    job.wait(poll=1, timeout=60)

    assert job.training_job_status == "Completed"
    assert job.training_job_name in [
        each.training_job_name for each in resources.TrainingJob.get_all(session=session)
    ]


TRAIN = b"""
import pathlib, sys

depth, model = sys.argv[1:]
if depth == "0":
    raise SystemExit("a tree has a depth")
pathlib.Path(model, "model.txt").write_text(depth)
print("loss=0.25;")
"""


@pytest.mark.parametrize(("depth", "status"), [("3", "Completed"), ("0", "Failed")])
def test_sagemakers_library_trains_with_a_users_program(
    bench: Bench, session: boto3.Session, depth: str, status: str, resources: Any, shapes: Any
) -> None:
    bench.s3.put_object(Bucket=bench.bucket, Key="own/train.py", Body=TRAIN)
    source = shapes.S3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{bench.bucket}/own/")
    job = resources.TrainingJob.create(
        training_job_name=bench.name(),
        algorithm_specification=shapes.AlgorithmSpecification(
            training_image=SKLEARN,
            training_input_mode="File",
            container_entrypoint=["python3", "/opt/ml/input/data/code/train.py"],
            container_arguments=[depth, "/opt/ml/model"],
            metric_definitions=[shapes.MetricDefinition(name="loss", regex="loss=(.*);")],
        ),
        role_arn=ROLE,
        input_data_config=[
            shapes.Channel(channel_name="code", data_source=shapes.DataSource(s3_data_source=source))
        ],
        output_data_config=shapes.OutputDataConfig(
            s3_output_path=f"s3://{bench.bucket}/models/", compression_type="GZIP"
        ),
        resource_config=shapes.ResourceConfig(
            instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5
        ),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        session=session,
        region=REGION,
    )
    described = bench.ended(
        "describe_training_job", "TrainingJobStatus", TrainingJobName=job.training_job_name
    )

    assert described["TrainingJobStatus"] == status, described.get("FailureReason")
    if status == "Completed":
        metrics = {each["MetricName"]: each["Value"] for each in described["FinalMetricDataList"]}
        assert metrics == {"loss": 0.25}
        assert bench.read(f"models/{job.training_job_name}/output/model.tar.gz")
    else:
        assert described["FailureReason"].endswith("exit code: 1")
        assert "ModelArtifacts" not in described


def test_sagemakers_library_runs_a_processing_job_and_sees_it_fail(
    bench: Bench, session: boto3.Session, resources: Any
) -> None:
    request = bench.processing("fail")
    boto = bench.sagemaker
    boto.create_processing_job(**request)
    job = resources.ProcessingJob.get(request["ProcessingJobName"], session=session, region=REGION)

    with pytest.raises(Exception, match="line 3 makes no sense"):
        job.wait(poll=1, timeout=60)
    assert job.app_specification.image_uri == SKLEARN


def test_sagemakers_library_approves_a_model(bench: Bench, session: boto3.Session, resources: Any) -> None:
    group = bench.name()
    resources.ModelPackageGroup.create(model_package_group_name=group, session=session, region=REGION)
    bench.s3.put_object(Bucket=bench.bucket, Key="approved/model.tar.gz", Body=b"a model")
    # Its own ModelPackage.create reads a member of the response that SageMaker's API does not have.
    created = bench.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": f"s3://{bench.bucket}/approved/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    package = resources.ModelPackage.get(created["ModelPackageArn"], session=session, region=REGION)
    package.update(model_approval_status="Approved")
    package.refresh()

    assert package.model_approval_status == "Approved"
    found = resources.ModelPackage.get_all(model_package_group_name=group, session=session, region=REGION)
    assert [each.model_package_arn for each in found] == [created["ModelPackageArn"]]
