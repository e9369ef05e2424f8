import datetime as dt
from typing import Any

import pytest

from local.sagemaker import ServiceError
from local.sagemaker.validation import check_request
from tests.unit.sagemaker.requests import MODEL, PACKAGE, PROCESSING, TRAINING, TRANSFORM, TUNING, changed

ONE = "1 validation error detected: "
LONG = "x" * 64
NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("CreateProcessingJob", PROCESSING),
        ("CreateTrainingJob", TRAINING),
        ("CreateHyperParameterTuningJob", TUNING),
        ("CreateTransformJob", TRANSFORM),
        ("CreateModel", MODEL),
        ("CreateModelPackage", PACKAGE),
    ],
)
def test_a_valid_request_passes_unchanged(action: str, request_: dict[str, Any]) -> None:
    assert check_request(action, request_) == request_


@pytest.mark.parametrize(
    ("action", "request_", "message"),
    [
        (
            "CreateTrainingJob",
            changed(TRAINING, "TrainingJobName", "my_job"),
            f"{ONE}Value 'my_job' at 'trainingJobName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "RoleArn", None),
            f"{ONE}Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "ResourceConfig.InstanceType", "ml.m5.tiny"),
            "Value 'ml.m5.tiny' at 'resourceConfig.instanceType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ml.m4.xlarge, ",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "StoppingCondition.MaxRuntimeInSeconds", 0),
            f"{ONE}Value '0' at 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "InputDataConfig.1.DataSource.S3DataSource.S3Uri", "bucket/key"),
            f"{ONE}Value 'bucket/key' at 'inputDataConfig.2.member.dataSource.s3DataSource.s3Uri' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "HyperParameters", {str(number): "" for number in range(101)}),
            "at 'hyperParameters' failed to satisfy constraint: Member must have length less than or equal to 100",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "EnableManagedSpotTraining", "true"),
            "STRING_VALUE can not be converted to a Boolean at 'enableManagedSpotTraining'",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "ResourceConfig.InstanceCount", 1.5),
            "NUMBER_VALUE can not be converted to an Integer at 'resourceConfig.instanceCount'",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "HyperParameters.num_round", 5),
            "NUMBER_VALUE can not be converted to a String at 'hyperParameters.num_round'",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "InputDataConfig", {"ChannelName": "train"}),
            "Expected a list at 'inputDataConfig'",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "OutputDataConfig", "s3://bucket/"),
            "STRING_VALUE Expected a structure at 'outputDataConfig'",
        ),
        (
            "CreateTrainingJob",
            changed(TRAINING, "OutputDataConfig.S3Path", "s3://bucket/"),
            "Unknown member 'S3Path' at 'outputDataConfig'. Known members: KmsKeyId, S3OutputPath, CompressionType",
        ),
        (
            "CreateHyperParameterTuningJob",
            changed(TUNING, "HyperParameterTuningJobName", "x" * 33),
            f"2 validation errors detected: Value '{'x' * 33}' at 'hyperParameterTuningJobName' failed to satisfy "
            f"constraint: Member must have length less than or equal to 32; Value '{'x' * 33}' at "
            "'hyperParameterTuningJobName' failed to satisfy constraint: Member must satisfy regular expression "
            "pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}",
        ),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "Environment.WHERE", "x" * 257),
            "at 'environment' failed to satisfy constraint: Map value must satisfy constraint: [Member must have "
            "length less than or equal to 256, Member must have length greater than or equal to 0, "
            r"Member must satisfy regular expression pattern: [\S\s]*]",
        ),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "Environment", {"not a name": "x"}),
            "Value '{not a name=x}' at 'environment' failed to satisfy constraint: Map keys must satisfy constraint: [",
        ),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "ProcessingInputs", PROCESSING["ProcessingInputs"] * 11),
            "at 'processingInputs' failed to satisfy constraint: Member must have length less than or equal to 10",
        ),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "AppSpecification.ContainerArguments.1", "x" * 257),
            "at 'appSpecification.containerArguments.2.member' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            "CreateProcessingJob",
            changed(PROCESSING, "RoleArn", "job-role-of-this-account"),
            f"{ONE}Value 'job-role-of-this-account' at 'roleArn' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        ),
        (
            "UpdateModelPackage",
            {
                "ModelPackageArn": f"arn:aws:sagemaker:us-east-1:{'0' * 12}:model-package/g/1",
                "ApprovalDescription": "a\nb",
            },
            f"{ONE}Value 'a\nb' at 'approvalDescription' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: .*",
        ),
        (
            "UpdateModelPackage",
            {
                "ModelPackageArn": f"arn:aws:sagemaker:us-east-1:{'0' * 12}:model-package/g/1",
                "ApprovalDescription": "x" * 1025,
            },
            "at 'approvalDescription' failed to satisfy constraint: Member must have length less than or equal to 1024",
        ),
        (
            "ListProcessingJobs",
            {"MaxResults": 101},
            f"{ONE}Value '101' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
        ),
    ],
)
def test_an_invalid_request_is_refused_in_the_words_of_aws(
    action: str, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        check_request(action, request_)

    if message.startswith(("1 ", "2 ")):
        assert refused.value.message == message
    else:
        assert message in refused.value.message
    expected = (
        "SerializationException" if "convert" in message or "Expected" in message else "ValidationException"
    )
    assert (refused.value.code, refused.value.status) == (expected, 400)


def test_nulls_count_as_left_out() -> None:
    assert check_request("ListModels", {"NameContains": None, "MaxResults": 5}) == {"MaxResults": 5}


def test_a_number_without_a_fraction_is_an_integer() -> None:
    assert check_request("ListModels", {"MaxResults": 5.0}) == {"MaxResults": 5}


@pytest.mark.parametrize(
    "moment",
    [1767225600, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)],
)
def test_a_timestamp_may_be_given_in_seconds_or_as_text(moment: Any) -> None:
    assert check_request("ListModels", {"CreationTimeAfter": moment}) == {"CreationTimeAfter": 1767225600.0}


def test_a_text_that_is_not_a_time_is_refused() -> None:
    with pytest.raises(ServiceError, match="can not be converted to a Timestamp at 'creationTimeAfter'"):
        check_request("ListModels", {"CreationTimeAfter": "yesterday"})
