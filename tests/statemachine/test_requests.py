"""SageMaker accepts every request of the state machine."""

import re
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from local.sagemaker.validation import check_request
from tests.statemachine.machine import CHAMPION, GOOD_DAY, Ending, redrive, run, upload_event

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CHAMPION_FOUND = {"Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}}
# The longest key that S3 accepts, in the widest characters.
LONG_KEY = "incoming/" + "ü" * 505 + ".csv"


@pytest.fixture(scope="module")
def ending() -> Ending:
    return run(CHAMPION_FOUND, event=upload_event(key=LONG_KEY))


def sagemaker_requests(ending: Ending) -> list[tuple[str, dict[str, object]]]:
    """(operation, request) of every SageMaker call that was made."""
    found = []
    for call in ending.calls:
        action = re.fullmatch(r"arn:aws:states:::(?:aws-sdk:)?sagemaker:(\w+)(?:\.sync)?", call.resource)
        if action:
            found.append((action[1][0].upper() + action[1][1:], call.arguments))
    return found


def test_every_request_satisfies_the_service_model(ending: Ending) -> None:
    requests = sagemaker_requests(ending)
    assert [operation for operation, _ in requests] == [
        "CreateProcessingJob",
        "DescribeProcessingJob",
        "CreateHyperParameterTuningJob",
        "DescribeTrainingJob",
        "ListModelPackages",
        "DescribeModelPackage",
        "CreateProcessingJob",
        "DescribeProcessingJob",
        "CreateModel",
        "CreateTransformJob",
        "CreateModelPackage",
    ]
    for operation, request in requests:
        check_request(operation, request)


def test_every_resource_has_the_tags_by_which_costs_are_allocated(ending: Ending) -> None:
    steps = {
        "Preprocess": "preprocess",
        "Tune": "tune",
        "Evaluate": "evaluate",
        "Create model": "predict",
        "Batch transform": "predict",
    }
    for state, step in steps.items():
        tags = {tag["Key"]: tag["Value"] for tag in ending.arguments(state)["Tags"]}
        assert tags.pop("mpg:run").startswith("mpg-")
        assert tags == {"mpg:stack": "mpg-pipeline", "mpg:workload": "auto_mpg", "mpg:step": step}


@pytest.mark.parametrize(
    "key", ["incoming/two\nlines.csv", "incoming/" + "\N{AUTOMOBILE}" * 250 + ".csv", "incoming/a\u2028b.csv"]
)
def test_a_file_may_have_any_name_that_s3_accepts(key: str) -> None:
    request = run(event=upload_event(key=key)).arguments("Preprocess")
    check_request("CreateProcessingJob", request)
    # SageMaker counts as Java does, and refuses arguments over 256 characters or with line ends.
    assert len(request["AppSpecification"]["ContainerArguments"][-1].encode("utf-16-le")) <= 2 * 256


@pytest.mark.parametrize("gib", [0, 10])
def test_with_spot_the_tuning_job_waits_for_as_long_as_it_may_without_checkpoints(gib: int) -> None:
    event = upload_event(size=max(1, gib * 1024**3))
    request = run(event=event, substitutions={"UseSpot": "true"}).arguments("Tune")
    check_request("CreateHyperParameterTuningJob", request)
    definition = request["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"] is True
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}


def test_without_spot_the_tuning_job_does_not_wait(ending: Ending) -> None:
    definition = ending.arguments("Tune")["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"] is False
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def key_fields(value: Any, path: str = "") -> dict[str, str]:
    """The places where a request names a key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path: value} if path.endswith("KmsKeyId") else {}
    for name, item in inner:
        found |= key_fields(item, f"{path}.{name}".lstrip("."))
    return found


def test_with_a_key_the_volumes_and_outputs_of_every_job_are_under_it() -> None:
    ending = run(CHAMPION_FOUND, substitutions={"KmsKeyArn": KEY})
    requests = [*sagemaker_requests(ending)]
    for operation, request in requests:
        check_request(operation, request)
    processing = {"ProcessingResources.ClusterConfig.VolumeKmsKeyId", "ProcessingOutputConfig.KmsKeyId"}
    assert [(operation, set(found)) for operation, request in requests if (found := key_fields(request))] == [
        ("CreateProcessingJob", processing),
        (
            "CreateHyperParameterTuningJob",
            {
                "TrainingJobDefinition.ResourceConfig.VolumeKmsKeyId",
                "TrainingJobDefinition.OutputDataConfig.KmsKeyId",
            },
        ),
        ("CreateProcessingJob", processing),
        ("CreateTransformJob", {"TransformResources.VolumeKmsKeyId", "TransformOutput.KmsKeyId"}),
    ]
    assert {key for _, request in requests for key in key_fields(request).values()} == {KEY}


def test_without_a_key_no_request_names_one(ending: Ending) -> None:
    # SageMaker refuses an empty string.
    assert [request for _, request in sagemaker_requests(ending) if key_fields(request)] == []


def test_the_trials_are_whole_numbers_from_the_parameters() -> None:
    request = run(substitutions={"MaxTrials": "25", "MaxParallelTrials": "5"}).arguments("Tune")
    limits = request["HyperParameterTuningJobConfig"]["ResourceLimits"]
    assert (limits["MaxNumberOfTrainingJobs"], limits["MaxParallelTrainingJobs"]) == (25, 5)
    assert isinstance(limits["MaxNumberOfTrainingJobs"], int)


def test_the_claim_is_the_version_and_a_retry_of_it_is_no_duplicate(ending: Ending) -> None:
    claim = ending.arguments("Claim upload")
    assert (
        claim["Item"]["pk"]["S"] == f"upload#mpg-pipeline-bucket/{LONG_KEY}#3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"
    )
    # A partition key has at most 2,048 bytes.
    assert len(claim["Item"]["pk"]["S"].encode()) <= 2048
    assert claim["Item"]["execution_arn"] == claim["ExpressionAttributeValues"][":me"]


def test_names_contain_the_attempt() -> None:
    throttled = TaskError("SageMaker.ResourceLimitExceededException", "quota")
    ending = run(
        {
            "Preprocess": [throttled, throttled, GOOD_DAY["Preprocess"]],
            "Tune": [throttled, {"BestTrainingJob": {"TrainingJobName": "b"}, "TrainingJobStatusCounters": {"Completed": 1, "Stopped": 0}}],
        }
    )  # fmt: skip
    names = [call.arguments["ProcessingJobName"] for call in ending.calls if call.state == "Preprocess"]
    assert [name[-4:] for name in names] == ["-0-0", "-0-1", "-0-2"]
    assert ending.arguments("Tune", 1)["HyperParameterTuningJobName"] == f"{ending.output['run_id']}-1"


@pytest.mark.parametrize("redrives", [0, 10, 25_000])  # a history has no room for more
def test_a_tuning_job_has_a_valid_name_of_its_own_at_its_last_attempt(redrives: int) -> None:
    throttled = TaskError("SageMaker.ResourceLimitExceededException", "quota")
    ending = run({"Tune": throttled})
    if redrives:
        ending = redrive({"Tune": throttled}, count=redrives)
    assert ending.error == throttled.error
    names = [call.arguments["HyperParameterTuningJobName"] for call in ending.calls if call.state == "Tune"]
    attempts = [int(name.rpartition("-")[2], 36) for name in names]
    assert attempts == [1000 * redrives + retry for retry in range(401)]
    for name in names:
        check_request(
            "CreateHyperParameterTuningJob", {**ending.arguments("Tune"), "HyperParameterTuningJobName": name}
        )


def test_two_executions_of_the_same_minute_have_different_names() -> None:
    first, second = run(name="a_b"), run(name="c_d")
    assert first.output["run_id"] != second.output["run_id"]
    assert re.fullmatch(r"mpg-20261120-1200-[0-9a-f]{8}", first.output["run_id"])


def test_registering_again_returns_the_same_package(ending: Ending) -> None:
    throttled = TaskError("SageMaker.SageMakerException", "Rate exceeded")
    again = run({"Register model": [throttled, {"ModelPackageArn": CHAMPION}]})
    tokens = {call.arguments["ClientToken"] for call in again.calls if call.state == "Register model"}
    assert tokens == {again.output["run_id"]}


def test_the_approver_learns_who_sent_the_file(ending: Ending) -> None:
    payload = ending.arguments("Ask for approval")["Payload"]
    assert (payload["uploaded_by"], payload["source_ip"]) == ("000000000000", "192.0.2.7")
    assert payload["uploaded_at"] == "2026-11-20T11:59:58Z"
    assert payload["task_token"]


def test_several_instances_share_each_job_and_the_training_files() -> None:
    counts = {"ProcessingInstanceCount": "2", "TrainingInstanceCount": "3", "TransformInstanceCount": "4"}
    ending = run(substitutions={**counts, "ProcessingNetworkIsolation": "false"})
    for operation, request in sagemaker_requests(ending):
        check_request(operation, request)
    for state in ("Preprocess", "Evaluate"):
        request = ending.arguments(state)
        assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
        assert request["NetworkConfig"] == {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": True,
        }
    arguments = ending.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--training-hosts") + 1] == "3"
    definition = ending.arguments("Tune")["TrainingJobDefinition"]
    assert definition["ResourceConfig"]["InstanceCount"] == 3
    distributions = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3DataDistributionType"]
        for channel in definition["InputDataConfig"]
    }
    assert distributions == {"train": "ShardedByS3Key", "validation": "FullyReplicated"}
    assert ending.arguments("Batch transform")["TransformResources"]["InstanceCount"] == 4


@pytest.mark.parametrize(("gib", "volume", "seconds"), [(0.99, 30, 3600), (1, 34, 4680), (10, 70, 14400)])
def test_the_volumes_and_the_time_of_jobs_follow_the_size_of_the_upload(
    gib: float, volume: int, seconds: int
) -> None:
    ending = run(event=upload_event(size=int(gib * 1024**3)))
    for operation, request in sagemaker_requests(ending):
        check_request(operation, request)
    for state in ("Preprocess", "Evaluate"):
        request = ending.arguments(state)
        assert request["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == volume
        assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": seconds}
    definition = ending.arguments("Tune")["TrainingJobDefinition"]
    assert definition["ResourceConfig"]["VolumeSizeInGB"] == volume
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": seconds}


def test_no_container_reaches_any_network(ending: Ending) -> None:
    for state in ("Preprocess", "Evaluate"):
        assert ending.arguments(state)["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert ending.arguments("Tune")["TrainingJobDefinition"]["EnableNetworkIsolation"] is True
    assert ending.arguments("Create model")["EnableNetworkIsolation"] is True
