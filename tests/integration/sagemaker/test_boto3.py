"""The local SageMaker as boto3 sees it, with real jobs."""

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import eventually
from tests.integration.sagemaker.conftest import ROLE, XGBOOST, Bench

Json = dict[str, Any]

SERVED = b"""
def main(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) if environ["PATH_INFO"] != "/ping" else b""
    numbers = [[float(field) for field in line.split(b",")] for line in body.split()]
    start_response("200 OK", [("Content-Type", "text/csv")])
    return [f"{10 * sum(row)}\\n".encode() for row in numbers]
"""


def test_a_processing_job_transforms_an_object_in_s3(bench: Bench) -> None:
    request = bench.processing("copy")
    bench.sagemaker.create_processing_job(**request)
    described = bench.ended(
        "describe_processing_job", "ProcessingJobStatus", ProcessingJobName=request["ProcessingJobName"]
    )

    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    assert bench.read("prepared/train.csv") == bench.read("data/train/train.csv").upper()


def test_a_failed_processing_job_has_a_reason_and_logs_its_output(bench: Bench) -> None:
    request = bench.processing("fail")
    bench.sagemaker.create_processing_job(**request)
    name = request["ProcessingJobName"]
    described = bench.ended("describe_processing_job", "ProcessingJobStatus", ProcessingJobName=name)

    assert described["FailureReason"] == "AlgorithmError: line 3 makes no sense, exit code: 4"
    assert described["ExitMessage"] == "line 3 makes no sense"
    logs = bench.aws.client("logs")
    group = "/aws/sagemaker/ProcessingJobs"
    eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    stream = eventually(
        lambda: logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    )
    where = {"logGroupName": group, "logStreamName": stream[0]["logStreamName"]}
    events = eventually(lambda: logs.get_log_events(**where)["events"])
    assert events[0]["message"] == "mode fail source /opt/ml/processing/input/data"


def test_a_processing_job_that_exceeds_its_time_limit_is_stopped(bench: Bench) -> None:
    request = bench.processing("sleep", seconds=1)
    bench.sagemaker.create_processing_job(**request)
    described = bench.ended(
        "describe_processing_job", "ProcessingJobStatus", ProcessingJobName=request["ProcessingJobName"]
    )

    assert described["ProcessingJobStatus"] == "Stopped"


def test_a_processing_job_that_is_stopped_ends_at_once(bench: Bench) -> None:
    request = bench.processing("sleep")
    name = {"ProcessingJobName": request["ProcessingJobName"]}
    bench.sagemaker.create_processing_job(**request)
    eventually(lambda: "ProcessingStartTime" in bench.sagemaker.describe_processing_job(**name))
    bench.sagemaker.stop_processing_job(**name)

    assert (
        bench.ended("describe_processing_job", "ProcessingJobStatus", **name)["ProcessingJobStatus"]
        == "Stopped"
    )


@pytest.fixture(scope="module")
def trained(bench: Bench) -> Json:
    request = bench.training()
    bench.sagemaker.create_training_job(**request)
    return bench.ended(
        "describe_training_job", "TrainingJobStatus", TrainingJobName=request["TrainingJobName"]
    )


def test_a_training_job_leaves_a_model_and_its_metrics(bench: Bench, trained: Json) -> None:
    assert trained["TrainingJobStatus"] == "Completed", trained.get("FailureReason")
    uri = trained["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{bench.bucket}/models/{trained['TrainingJobName']}/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(bench.read(uri.partition(f"{bench.bucket}/")[2]))) as archive:
        assert archive.getnames() == ["xgboost-model"]
    metrics = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    assert set(metrics) == {"train:rmse", "validation:rmse"}
    assert 0 < metrics["validation:rmse"] < 0.5


def test_a_training_job_with_a_bad_hyperparameter_fails_with_the_algorithms_words(bench: Bench) -> None:
    request = bench.training()
    request["HyperParameters"]["num_round"] = "many"
    bench.sagemaker.create_training_job(**request)
    described = bench.ended(
        "describe_training_job", "TrainingJobStatus", TrainingJobName=request["TrainingJobName"]
    )

    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("AlgorithmError: ")
    assert "num_round" in described["FailureReason"]


def test_a_training_job_that_is_stopped_ends_early(bench: Bench) -> None:
    request = bench.training(rounds=1_000_000)
    name = {"TrainingJobName": request["TrainingJobName"]}
    bench.sagemaker.create_training_job(**request)
    eventually(lambda: bench.sagemaker.describe_training_job(**name)["SecondaryStatus"] == "Training")
    bench.sagemaker.stop_training_job(**name)

    described = bench.ended("describe_training_job", "TrainingJobStatus", **name)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_a_training_job_that_exceeds_its_time_limit_says_so(bench: Bench) -> None:
    request = bench.training(rounds=1_000_000) | {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}
    bench.sagemaker.create_training_job(**request)
    described = bench.ended(
        "describe_training_job", "TrainingJobStatus", TrainingJobName=request["TrainingJobName"]
    )

    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_tuning_job_finds_its_best_trial(bench: Bench) -> None:
    request = bench.tuning()
    name = {"HyperParameterTuningJobName": request["HyperParameterTuningJobName"]}
    bench.sagemaker.create_hyper_parameter_tuning_job(**request)
    described = bench.ended("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobStatus", **name)

    assert described["HyperParameterTuningJobStatus"] == "Completed", described.get("FailureReason")
    listed = bench.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        **name, SortBy="FinalObjectiveMetricValue"
    )
    first = listed["TrainingJobSummaries"][0]
    assert len(listed["TrainingJobSummaries"]) == 4
    assert first["TrainingJobName"] == described["BestTrainingJob"]["TrainingJobName"]
    assert set(first["TunedHyperParameters"]) == {"alpha", "lambda"}
    trial = bench.sagemaker.describe_training_job(TrainingJobName=first["TrainingJobName"])
    assert bench.read(trial["ModelArtifacts"]["S3ModelArtifacts"].partition(f"{bench.bucket}/")[2])


def test_a_tuning_job_of_bad_trials_fails(bench: Bench) -> None:
    request = bench.tuning()
    request["TrainingJobDefinition"]["StaticHyperParameters"]["objective"] = "reg:nothing"
    name = {"HyperParameterTuningJobName": request["HyperParameterTuningJobName"]}
    bench.sagemaker.create_hyper_parameter_tuning_job(**request)
    described = bench.ended("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobStatus", **name)

    assert described["FailureReason"].startswith("No training job succeeded after 4 attempts.")


def transform(bench: Bench, model: Json, **changes: Any) -> Json:
    name = bench.name()
    bench.s3.put_object(Bucket=bench.bucket, Key="batch/rows.csv", Body=b"0.1,0.2\n0.3,0.4\n0.5,0.6\n")
    container = {"Image": XGBOOST, **model}
    bench.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bench.bucket}/batch/rows.csv"}
    request: Json = {
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{bench.bucket}/out/{name}",
            "AssembleWith": "Line",
            "Accept": "text/csv",
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataProcessing": {"JoinSource": "Input"},
    }
    bench.sagemaker.create_transform_job(**(request | changes))
    return bench.ended("describe_transform_job", "TransformJobStatus", TransformJobName=name)


def test_a_trained_model_predicts_every_row_in_batch(bench: Bench, trained: Json) -> None:
    described = transform(bench, {"ModelDataUrl": trained["ModelArtifacts"]["S3ModelArtifacts"]})

    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    lines = bench.read(f"out/{described['TransformJobName']}/rows.csv.out").decode().splitlines()
    assert [line.rpartition(",")[0] for line in lines] == ["0.1,0.2", "0.3,0.4", "0.5,0.6"]
    predictions = [float(line.rpartition(",")[2]) for line in lines]
    assert predictions == pytest.approx([0.5, 1.3, 2.1], abs=0.4)


@pytest.fixture(scope="module")
def served_model(bench: Bench) -> Json:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("code/served.py")
        info.size = len(SERVED)
        archive.addfile(info, io.BytesIO(SERVED))
    bench.s3.put_object(Bucket=bench.bucket, Key="served/model.tar.gz", Body=buffer.getvalue())
    environment = {"SAGEMAKER_SERVING_MODULE": "served:main", "SAGEMAKER_BASE_DIR": "/opt/ml/model"}
    return {"ModelDataUrl": f"s3://{bench.bucket}/served/model.tar.gz", "Environment": environment}


def test_a_model_with_a_server_of_its_own_predicts_in_batch(bench: Bench, served_model: Json) -> None:
    described = transform(bench, served_model)

    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    lines = bench.read(f"out/{described['TransformJobName']}/rows.csv.out").decode().splitlines()
    assert [float(line.rpartition(",")[2]) for line in lines] == pytest.approx([3, 7, 11])


def test_a_model_that_cannot_read_its_input_fails_the_job(bench: Bench, served_model: Json) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bench.bucket}/code/main.py"}
    described = transform(
        bench,
        served_model,
        TransformInput={
            "DataSource": {"S3DataSource": source},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
    )

    assert described["TransformJobStatus"] == "Failed"
    assert "could not convert string to float" in described["FailureReason"]


def test_an_approval_reaches_its_event_rule(bench: Bench) -> None:
    group = bench.name()
    events, sqs = bench.aws.client("events"), bench.aws.client("sqs")
    queue = sqs.create_queue(QueueName=group)["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "UpdatedModelPackageFields": ["ModelApprovalStatus"]},
    }
    events.put_rule(Name=group, EventPattern=json.dumps(pattern))
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    deliver = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deliver]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=group, Targets=[{"Id": "queue", "Arn": arn}])

    bench.s3.put_object(Bucket=bench.bucket, Key="approved/model.tar.gz", Body=b"a model")
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = bench.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": f"s3://{bench.bucket}/approved/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    bench.sagemaker.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="good"
    )

    messages = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    detail = json.loads(messages[0]["Body"])["detail"]
    assert (detail["ModelPackageArn"], detail["ModelApprovalStatus"]) == (package, "Approved")
    listed = bench.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [each["ModelPackageArn"] for each in listed["ModelPackageSummaryList"]] == [package]


def test_paginators_see_every_job_once(bench: Bench, trained: Json) -> None:
    pages = bench.sagemaker.get_paginator("list_training_jobs").paginate(PaginationConfig={"PageSize": 1})
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]

    assert trained["TrainingJobName"] in names
    assert len(names) == len(set(names))


def test_waiters_know_the_states(bench: Bench) -> None:
    request = bench.processing("copy")
    bench.sagemaker.create_processing_job(**request)
    waiter = bench.sagemaker.get_waiter("processing_job_completed_or_stopped")

    waiter.wait(ProcessingJobName=request["ProcessingJobName"], WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def test_errors_are_the_exceptions_of_the_client(bench: Bench, trained: Json) -> None:
    with pytest.raises(bench.sagemaker.exceptions.ResourceInUse):
        bench.sagemaker.create_training_job(
            **(bench.training() | {"TrainingJobName": trained["TrainingJobName"]})
        )
    with pytest.raises(bench.sagemaker.exceptions.ResourceNotFound):
        bench.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="none")
    with pytest.raises(ClientError, match="Member must satisfy regular expression pattern"):
        bench.sagemaker.describe_training_job(TrainingJobName="not_a_name")
    with pytest.raises(ClientError, match="UnknownOperationException"):
        bench.sagemaker.list_notebook_instances()


@pytest.mark.parametrize("call", ["invoke_endpoint", "invoke_endpoint_async"])
def test_a_missing_endpoint_is_not_found(bench: Bench, call: str) -> None:
    runtime = bench.aws.client("sagemaker-runtime")
    body = {"InputLocation": "s3://bucket/in"} if call.endswith("async") else {"Body": b"1,2"}
    with pytest.raises(ClientError) as refused:
        getattr(runtime, call)(EndpointName="Cars", **body)
    assert refused.value.response["Error"] == {
        "Code": "ValidationError",
        "Message": "Endpoint Cars of account 000000000000 not found.",
    }
