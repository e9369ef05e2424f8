"""Digests passed in the state, where the bucket's writers cannot change them, reveal changed files."""

from typing import Any

from tests.statemachine.machine import (
    BUCKET,
    CHAMPION,
    DIGESTS,
    EVALUATION_DIGEST,
    PREPARED_DIGEST,
    kept,
    run,
)

from common.baseline_files import FILES  # isort: skip

CHAMPION_FOUND = {"Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}}


def option(request: Any, name: str) -> str:
    """The value of a processing job's command line option."""
    arguments = request["AppSpecification"]["ContainerArguments"]
    return str(arguments[arguments.index(name) + 1])


def test_each_step_gets_the_digest_of_the_previous_steps_output() -> None:
    ending = run()
    assert option(ending.arguments("Preprocess"), "--upload-digest") == DIGESTS["upload"]
    assert option(ending.arguments("Evaluate"), "--prepared-digest") == PREPARED_DIGEST
    assert ending.arguments("Keep model")["Payload"]["evaluation_digest"] == EVALUATION_DIGEST


def test_without_a_reported_digest_the_next_step_gets_none() -> None:
    silent = {"ProcessingJobName": "job", "ProcessingJobStatus": "Completed"}
    ending = run({"Read prepared digest": silent, "Read evaluation digest": silent})
    assert option(ending.arguments("Evaluate"), "--prepared-digest") == "none"
    assert ending.arguments("Keep model")["Payload"]["evaluation_digest"] == "none"


def test_the_digest_is_that_of_the_job_that_ran() -> None:
    ending = run()
    for job, reading in (("preprocess", "Read prepared digest"), ("evaluate", "Read evaluation digest")):
        assert ending.arguments(reading) == {"ProcessingJobName": job}


def test_the_registered_model_is_the_one_that_predicted_the_batch_and_carries_its_digests() -> None:
    ending = run()
    package = ending.arguments("Register model")
    container = ending.arguments("Create model")["PrimaryContainer"]
    assert package["InferenceSpecification"]["Containers"] == [container]
    assert container["Environment"]["MODEL_FILES_DIGEST"] == DIGESTS["model_files"]
    # A script would be installed with pip at every start, for which its container has no network.
    assert "SAGEMAKER_PROGRAM" not in container["Environment"]
    assert package["CustomerMetadataProperties"]["model_digest"] == DIGESTS["model"]
    assert package["CustomerMetadataProperties"]["upload_digest"] == DIGESTS["upload"]
    assert package["CustomerMetadataProperties"]["evaluation_digest"] == DIGESTS["evaluation"]


def source(package: Any, name: str, digest: str) -> dict[str, str]:
    """A kept file as a package names it."""
    run_id = package["CustomerMetadataProperties"]["run_id"]
    uri = f"s3://{BUCKET}/models/{run_id}/{name}"
    return {"ContentType": "application/json", "S3Uri": uri, "ContentDigest": digest}


def test_the_registered_model_has_the_kept_files_of_its_baseline_with_their_digests() -> None:
    digests = {**DIGESTS, **{name: f"sha256:{place:064x}" for place, name in enumerate(FILES)}}
    answer = kept(8.7)
    answer["Payload"]["digests"] = digests
    package = run({"Keep model": answer}).arguments("Register model")
    data, data_limits, quality, quality_limits = (source(package, name, digests[name]) for name in FILES)
    watched = {"Statistics": data, "Constraints": data_limits}
    assert package["DriftCheckBaselines"] == {
        "ModelDataQuality": watched,
        "ModelQuality": {"Statistics": quality, "Constraints": quality_limits},
    }
    assert package["ModelMetrics"] == {
        "ModelDataQuality": watched,
        "ModelQuality": {
            "Statistics": source(package, "evaluation.json", DIGESTS["evaluation"]),
            "Constraints": quality_limits,
        },
    }


def test_a_model_that_is_not_watched_has_its_evaluation_alone() -> None:
    package = run().arguments("Register model")
    only = {"ModelQuality": {"Statistics": source(package, "evaluation.json", DIGESTS["evaluation"])}}
    assert (package["ModelMetrics"], package["DriftCheckBaselines"]) == (only, only)


def test_the_model_that_is_evaluated_is_the_one_whose_digest_was_computed_before() -> None:
    assert option(run().arguments("Evaluate"), "--model-digest") == DIGESTS["trained_model"]
    without = run({"Find evaluation": {"Payload": {}}}).arguments("Evaluate")
    assert "--model-digest" not in without["AppSpecification"]["ContainerArguments"]


def test_the_evaluation_gets_what_counts_as_a_drift() -> None:
    evaluate = run(substitutions={"DriftSignificance": "0.01", "DriftDistance": "0.2"}).arguments("Evaluate")
    assert (option(evaluate, "--drift-significance"), option(evaluate, "--drift-distance")) == ("0.01", "0.2")


def test_a_champion_is_compared_by_the_digest_that_its_package_carries() -> None:
    assert option(run(CHAMPION_FOUND).arguments("Evaluate"), "--champion-digest") == f"sha256:{7:064x}"


def test_a_champion_that_was_registered_by_hand_carries_none() -> None:
    containers = {"Containers": [{"ModelDataUrl": "s3://bucket/by-hand/model.tar.gz"}]}
    by_hand = {"ModelPackageArn": CHAMPION, "InferenceSpecification": containers}
    request = run({**CHAMPION_FOUND, "Read champion": by_hand}).arguments("Evaluate")
    assert option(request, "--champion-arn") == CHAMPION
    assert "--champion-digest" not in request["AppSpecification"]["ContainerArguments"]
