"""What a workload says is what SageMaker is asked for, whichever workload it is."""

import json
from typing import Any

import pytest

from local.sagemaker.validation import check_request
from tests.statemachine.machine import (
    CHAMPION,
    DEFINITION,
    SCRIPT_MODE,
    SUBSTITUTIONS,
    WORKLOADS,
    Answer,
    Ending,
    kept,
    run,
    workload,
)
from tests.statemachine.test_requests import sagemaker_requests

CODE_URI = f"s3://{SUBSTITUTIONS['BucketName']}/{SUBSTITUTIONS['CodePrefix']}"


def a_run_of(
    name: str,
    settings: dict[str, Any] | None = None,
    answers: dict[str, Answer] | None = None,
    **parameters: str,
) -> Ending:
    gate = WORKLOADS[name]["gate"]
    checked = {
        "digest": f"sha256:{1:064x}",
        "workload": name,
        "suffix": WORKLOADS[name]["upload"]["suffixes"][0],
    }
    usual: dict[str, Answer] = {
        "Check upload": {"Payload": checked},
        "Load workload": settings or workload(name),
        "Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]},
        "Keep model": kept(gate.get("at_most", gate.get("at_least")), name),
    }
    return run(usual | (answers or {}), substitutions=parameters)


def training_job(ending: Ending) -> dict[str, Any]:
    definition: dict[str, Any] = ending.arguments("Tune")["TrainingJobDefinition"]
    return definition


def channels(ending: Ending) -> dict[str, Any]:
    return {channel["ChannelName"]: channel for channel in training_job(ending)["InputDataConfig"]}


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("spot", ["true", "false"])
def test_every_request_of_a_workload_satisfies_the_service_model(name: str, spot: str) -> None:
    ending = a_run_of(name, UseSpot=spot)
    assert ending.output["outcome"] == "approved"
    for operation, request in sagemaker_requests(ending):
        check_request(operation, request)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_run_loads_its_workload_from_the_code_that_it_began_with(name: str) -> None:
    assert a_run_of(name).arguments("Load workload") == {
        "Bucket": SUBSTITUTIONS["BucketName"],
        "Key": f"{SUBSTITUTIONS['CodePrefix']}{name}/workload.json",
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_both_processing_jobs_run_the_workloads_step(name: str) -> None:
    ending = a_run_of(name)
    suffix = WORKLOADS[name]["upload"]["suffixes"][0]
    for state, step in (("Preprocess", "preprocess"), ("Evaluate", "evaluate")):
        job = ending.arguments(state)["AppSpecification"]
        assert job["ContainerEntrypoint"] == ["python3", "/opt/ml/processing/input/code/code.zip"]
        assert job["ContainerArguments"][:2] == [step, name]
        code = ending.arguments(state)["ProcessingInputs"][0]
        assert code["S3Input"]["S3Uri"] == f"{CODE_URI}code.zip"
    preprocess = ending.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    assert preprocess[2:4] == ["--upload", f"/opt/ml/processing/input/upload/upload{suffix}"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_champion_and_package_are_of_the_workloads_own_group(name: str) -> None:
    ending = a_run_of(name)
    group = f"mpg-pipeline-{name.replace('_', '-')}"
    assert ending.arguments("Find champion")["ModelPackageGroupName"] == group
    assert ending.arguments("Register model")["ModelPackageGroupName"] == group


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_search_is_the_workloads(name: str) -> None:
    settings = WORKLOADS[name]
    search = a_run_of(name).arguments("Tune")["HyperParameterTuningJobConfig"]
    assert search["HyperParameterTuningJobObjective"] == settings["tuning"]["objective"]
    assert search["ParameterRanges"] == settings["tuning"]["ranges"]
    assert search["TrainingJobEarlyStoppingType"] == settings["tuning"]["early_stopping"]


def test_a_built_in_algorithm_gets_its_hyperparameters_and_no_metric_definitions() -> None:
    ending = a_run_of("auto_mpg")
    assert (
        training_job(ending)["StaticHyperParameters"] == WORKLOADS["auto_mpg"]["training"]["hyperparameters"]
    )
    # SageMaker refuses them for its own algorithms.
    assert "MetricDefinitions" not in training_job(ending)["AlgorithmSpecification"]
    assert list(channels(ending)) == ["train", "validation"]


def test_a_script_gets_its_program_a_channel_with_its_code_and_metric_definitions() -> None:
    ending = a_run_of("auto_mpg", SCRIPT_MODE)
    given = training_job(ending)["StaticHyperParameters"]
    assert given["sagemaker_program"] == "auto_mpg/train.py"
    assert given["sagemaker_submit_directory"] == "/opt/ml/input/data/code/sourcedir.tar.gz"
    assert channels(ending)["code"]["DataSource"]["S3DataSource"]["S3Uri"] == f"{CODE_URI}sourcedir.tar.gz"
    algorithm = training_job(ending)["AlgorithmSpecification"]
    assert algorithm["TrainingImage"] == SUBSTITUTIONS["PyTorchTrainingImageUri"]
    assert algorithm["MetricDefinitions"] == [{"Name": "validation:score", "Regex": "score=([0-9.]+)"}]


def test_what_sagemaker_adds_to_the_hyperparameters_is_not_told_to_people() -> None:
    found = {
        "alpha": "1",
        "_tuning_objective_metric": "m",
        "sagemaker_program": "train.py",
        "a_sagemaker_b": "2",
    }
    artifacts = {"S3ModelArtifacts": "s3://b/runs/x/tuning/best/output/model.tar.gz"}
    ending = run({"Find best model": {"ModelArtifacts": artifacts, "HyperParameters": found}})
    assert ending.output["best_hyperparameters"] == {"alpha": "1", "a_sagemaker_b": "2"}


@pytest.mark.parametrize(
    ("checkpoints", "spot", "kept_in"),
    [
        (True, "true", ["checkpoints/0-0/"]),
        # Nothing interrupts such a training job.
        (True, "false", []),
        (False, "true", []),
    ],
)
def test_checkpoints_are_kept_where_training_may_be_interrupted(
    checkpoints: bool, spot: str, kept_in: list[str]
) -> None:
    ending = a_run_of("auto_mpg", workload(training={"checkpoints": checkpoints}), UseSpot=spot)
    run_folder = f"s3://{SUBSTITUTIONS['BucketName']}/runs/{ending.output['run_id']}/"
    configured = training_job(ending).get("CheckpointConfig", {})
    assert list(configured.values()) == [run_folder + folder for folder in kept_in]


def test_a_workload_may_name_its_own_instance_types() -> None:
    steps = {
        step: {"instance_type": f"ml.m5.{number}xlarge"}
        for number, step in enumerate(("preprocessing", "training", "evaluation", "batch"), start=2)
    }
    ending = a_run_of("auto_mpg", workload("auto_mpg", **steps))
    assert [
        ending.arguments("Preprocess")["ProcessingResources"]["ClusterConfig"]["InstanceType"],
        training_job(ending)["ResourceConfig"]["InstanceType"],
        ending.arguments("Evaluate")["ProcessingResources"]["ClusterConfig"]["InstanceType"],
        ending.arguments("Batch transform")["TransformResources"]["InstanceType"],
    ] == [f"ml.m5.{number}xlarge" for number in (2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (10, 3)),
        ({"max_trials": 4}, (4, 3)),
        ({"max_trials": 2}, (2, 2)),
        ({"max_parallel_trials": 2}, (10, 2)),
        ({"max_trials": 99, "max_parallel_trials": 9}, (10, 3)),
    ],
)
def test_the_smaller_number_of_trials_holds(own: dict[str, int], expected: tuple[int, int]) -> None:
    of_the_stack = {"max_trials": None, "max_parallel_trials": None}
    limits = a_run_of("auto_mpg", workload(tuning={**of_the_stack, **own})).arguments("Tune")[
        "HyperParameterTuningJobConfig"
    ]["ResourceLimits"]
    assert (limits["MaxNumberOfTrainingJobs"], limits["MaxParallelTrainingJobs"]) == expected


def test_lists_of_one_stay_lists() -> None:
    """JSONata takes a list of one for its item where it can."""
    one_range = {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "9"}]}
    ending = a_run_of(
        "auto_mpg",
        workload(
            tuning={"ranges": one_range},
            model={"realtime_instance_types": ["ml.m5.large"], "transform_instance_types": ["ml.m5.large"]},
        ),
    )
    for operation, request in sagemaker_requests(ending):
        check_request(operation, request)
    assert ending.arguments("Tune")["HyperParameterTuningJobConfig"]["ParameterRanges"] == one_range


def test_the_model_is_served_and_offered_as_the_workload_says() -> None:
    served = {"environment": {"A": "b"}, "content_type": "application/x", "accept": "application/y"}
    batch = {"file": "rows.jsonl", "strategy": "SingleRecord", "max_payload_mb": 1}
    ending = a_run_of("auto_mpg", workload(model={**served, "image": "pytorch-inference"}, batch=batch))
    container = ending.arguments("Create model")["PrimaryContainer"]
    assert container["Image"] == SUBSTITUTIONS["PyTorchInferenceImageUri"]
    assert container["Environment"].keys() == {"A", "MODEL_FILES_DIGEST"}
    transform = ending.arguments("Batch transform")
    assert (transform["BatchStrategy"], transform["MaxPayloadInMB"]) == ("SingleRecord", 1)
    assert transform["TransformInput"]["ContentType"] == "application/x"
    assert transform["TransformOutput"]["Accept"] == "application/y"
    offered = ending.arguments("Register model")["InferenceSpecification"]
    assert (offered["SupportedContentTypes"], offered["SupportedResponseMIMETypes"]) == (
        ["application/x"],
        ["application/y"],
    )
    assert ending.output["predictions_uri"].endswith("/predictions/rows.jsonl.out")


@pytest.mark.parametrize(("files", "named"), [(1, "rows.more.jsonl.out"), (7, "rows.more-00000.jsonl.out")])
def test_the_predictions_are_named_by_their_first_file(files: int, named: str) -> None:
    evaluated = kept(8.7)
    evaluated["Payload"]["batch_files"] = files
    batch = {"file": "rows.more.jsonl", "strategy": "SingleRecord", "max_payload_mb": 1}
    ending = a_run_of("auto_mpg", workload(batch=batch), answers={"Keep model": evaluated})
    assert ending.output["predictions_uri"].endswith(f"/predictions/{named}")


@pytest.mark.parametrize("wheels", [[], None])
def test_only_a_workload_that_names_wheels_gets_them(wheels: list[str] | None) -> None:
    with_them = a_run_of("auto_mpg").arguments("Evaluate")
    assert with_them["ProcessingInputs"][-1]["S3Input"]["S3Uri"] == f"{CODE_URI}wheels/"
    assert with_them["AppSpecification"]["ContainerArguments"][-2:] == [
        "--wheels",
        with_them["ProcessingInputs"][-1]["S3Input"]["LocalPath"],
    ]
    without = a_run_of("auto_mpg", workload(evaluation={"wheels": wheels})).arguments("Evaluate")
    assert "wheels" not in [given["InputName"] for given in without["ProcessingInputs"]]
    assert "--wheels" not in without["AppSpecification"]["ContainerArguments"]


def test_a_package_carries_the_digest_of_its_onnx_if_it_has_one() -> None:
    answer = kept(46)
    answer["Payload"]["digests"] = {**answer["Payload"]["digests"], "onnx": "sha256:77"}
    metadata = run({"Keep model": answer}).arguments("Register model")["CustomerMetadataProperties"]
    assert metadata["onnx_digest"] == "sha256:77"
    without = run({"Keep model": kept(46)}).arguments("Register model")["CustomerMetadataProperties"]
    assert "onnx_digest" not in without


def test_a_package_carries_its_workload_and_the_value_of_its_gate() -> None:
    metadata = a_run_of("auto_mpg").arguments("Register model")["CustomerMetadataProperties"]
    assert metadata["workload"] == "auto_mpg"
    assert (metadata["gate_metric"], metadata["gate_value"]) == (
        WORKLOADS["auto_mpg"]["gate"]["metric"],
        "46",
    )


def test_every_image_of_the_schema_is_one_of_the_definitions() -> None:
    from workload_files import SCHEMA

    names = json.loads(SCHEMA.read_text(encoding="utf-8"))["definitions"]["image"]["enum"]
    images = json.loads(DEFINITION)["States"]["Claim upload"]["Assign"]["images"]
    assert list(images) == names
