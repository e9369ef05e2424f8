"""Somebody who may write to the bucket changes a file between two steps: the next one refuses it."""

import io

import pyarrow as pa
from pyarrow import parquet

from tests.faults.pipeline import SAMPLE, Pipeline, without
from tests.faults.run import Run


def test_a_file_changed_between_its_check_and_its_job_is_not_used(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateProcessingJob", "-preprocess-"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        put(pipeline, f"runs/{run.run_id}/input/upload.csv", SAMPLE.replace(b"18,8,307", b"99,8,307"))
    assert_refused(run, "Preprocess", "cars.csv was changed after it was written")


def test_data_changed_after_preparation_are_detected_before_the_model_is_evaluated(
    pipeline: Pipeline,
) -> None:
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        train = f"runs/{run.run_id}/prepared/train/train.parquet"
        put(pipeline, train, with_labels(30, get(pipeline, train)))
    assert_refused(run, "Evaluate", "prepared/train/train.parquet was changed after it was written")


def test_files_added_beside_the_prepared_ones_are_detected_before_the_model_is_evaluated(
    pipeline: Pipeline,
) -> None:
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        extra = [f"prepared/{channel}/extra.csv" for channel in ("batch", "train", "validation")]
        for name in extra:
            put(pipeline, f"runs/{run.run_id}/{name}", b"0" + b",0" * 9 + b"\n")
    assert_refused(run, "Evaluate", f"{', '.join(extra)}: no step of this run wrote that")
    for name in extra:
        pipeline.delete(f"runs/{run.run_id}/{name}")
    assert run.redrive().outcome == "pending"


def test_no_model_trains_on_a_file_beside_the_training_data_while_models_train(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        folder = f"runs/{run.run_id}/prepared/train"
        extra = f"{folder}/extra.parquet"
        # No model that trains on them too is good enough.
        put(pipeline, extra, with_labels(999, get(pipeline, f"{folder}/train.parquet")))
        # From here on the models train.
        with pipeline.held("sagemaker:CreateProcessingJob", "-evaluate-"):
            pipeline.until_met()
            pipeline.delete(extra)
    assert run.ends().outcome == "pending"


def test_a_file_added_beside_the_batch_is_not_predicted(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateTransformJob"):
        # No other run has the same data, or it would take over what is added here.
        run = pipeline.upload(content=without(4))
        pipeline.until_met()
        for name in ("extra.csv", "batch.csv.more", "batch.csv/batch.csv"):
            put(pipeline, f"runs/{run.run_id}/prepared/batch/{name}", b"4,98,60,2046,19,71,2,stranger\n")
    assert run.ends().outcome == "pending"
    predictions = f"runs/{run.run_id}/predictions/batch.csv.out"
    assert list(pipeline.objects(f"runs/{run.run_id}/predictions/")) == [predictions]
    assert b"stranger" not in get(pipeline, predictions)


def test_a_file_inside_the_trained_model_is_not_mistaken_for_it(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateProcessingJob", "-evaluate-"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        inside = [f"{model}/model.tar.gz" for model in pipeline.objects(f"runs/{run.run_id}/tuning/")]
        for key in inside:
            put(pipeline, key, b"another model")
    assert_refused(run, "Evaluate", "model.tar.gz/model.tar.gz cannot be a file")
    for key in inside:
        pipeline.delete(key)
    assert run.redrive().outcome == "pending"


def test_another_model_in_place_of_the_evaluated_one_is_not_kept_and_the_right_one_can_be_restored(
    pipeline: Pipeline,
) -> None:
    earlier = pipeline.upload()
    assert earlier.ends().outcome == "pending"
    with pipeline.held("lambda:Invoke", "KeepModel"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        place = f"runs/{run.run_id}/evaluation/model.tar.gz"
        evaluated = get(pipeline, place)
        put(pipeline, place, get(pipeline, f"models/{earlier.run_id}/model.tar.gz") + b"\0")
    ending = assert_refused(run, "Keep model", f"{place} was changed after the evaluation")
    assert ending == "ArtifactRefused"
    put(pipeline, place, evaluated)
    assert run.redrive().outcome == "pending"
    assert len(run.packages()) == 1


def test_figures_changed_after_the_evaluation_let_no_weak_model_through(pipeline: Pipeline) -> None:
    with pipeline.held("lambda:Invoke", "KeepModel"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        place = f"runs/{run.run_id}/evaluation/evaluation.json"
        put(pipeline, place, get(pipeline, place).replace(b'"value": ', b'"value": 0.', 1))
    assert_refused(run, "Keep model", f"{place} was changed after the evaluation")


def test_a_kept_model_changed_before_it_is_served_is_not_served(pipeline: Pipeline) -> None:
    other = pipeline.upload(content=without(200))
    assert other.ends().outcome == "pending"
    with pipeline.held("sagemaker:CreateTransformJob"):
        run = pipeline.upload()
        pipeline.until_met()
        stranger = get(pipeline, f"models/{other.run_id}/model.tar.gz")
        put(pipeline, f"models/{run.run_id}/model.tar.gz", stranger)
    assert_refused(run, "Batch transform", "its files are not those that were evaluated")


def test_figures_changed_after_registration_are_shown_to_nobody(pipeline: Pipeline) -> None:
    with pipeline.held("lambda:Invoke", "RequestApproval"):
        run = pipeline.upload()
        pipeline.until_met()
        place = f"models/{run.run_id}/evaluation.json"
        registered = get(pipeline, place)
        put(pipeline, place, registered.replace(b'"value": ', b'"value": 0.', 1))
    ending = run.ends()
    assert (ending.outcome, ending.error, run.questions()) == ("failed", "ArtifactRefused", [])
    assert f"{place} was changed after it was registered" in run.reported().text
    put(pipeline, place, registered)
    assert run.redrive().outcome == "pending"
    assert len(run.packages()) == 1


def test_a_model_changed_after_registration_can_only_be_rejected(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    place = f"models/{run.run_id}/model.tar.gz"
    put(pipeline, place, get(pipeline, place))  # The same bytes, but not the registered version.
    assert run.approve_by_mail() == 422
    assert run.ends().outcome == "pending"
    assert run.reject_by_mail("changed") == 200
    assert run.is_over().outcome == "rejected"


def test_a_model_deleted_after_registration_can_only_be_rejected(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    pipeline.delete(f"models/{run.run_id}/model.tar.gz")
    assert run.approve_by_mail() == 422
    assert run.reject_by_mail("deleted") == 200
    assert run.is_over().outcome == "rejected"


def test_a_champion_changed_since_it_was_registered_is_not_compared(pipeline: Pipeline) -> None:
    champion = approved(pipeline)
    place = f"models/{champion.run_id}/model.tar.gz"
    evaluated = get(pipeline, place)
    put(pipeline, place, evaluated + b"\0")
    try:
        run = pipeline.upload()
        assert run.ends().outcome == "pending"
        assert run.approve().output["evaluation"]["champion"] is None
    finally:
        put(pipeline, place, evaluated)


def test_a_champion_whose_model_was_deleted_stops_no_run_and_is_reported(pipeline: Pipeline) -> None:
    champion = approved(pipeline)
    place = f"models/{champion.run_id}/model.tar.gz"
    evaluated = get(pipeline, place)
    pipeline.delete(place)
    try:
        run = pipeline.upload()
        assert run.ends().outcome == "pending"
        (package,) = champion.packages()
        said = f"{package} cannot be compared: its model.tar.gz was deleted"
        assert said in run.questions()[0].text
        assert said in run.approve().output["evaluation"]["champion_problem"]
    finally:
        put(pipeline, place, evaluated)


# Every second car, which gives a different model.
def approved(pipeline: Pipeline) -> Run:
    """A run whose model is the champion of the next one."""
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve().outcome == "approved"
    return run


def with_labels(label: int, rows: bytes) -> bytes:
    """The rows of a training file, all with the same label."""
    table = parquet.read_table(io.BytesIO(rows))
    labels = pa.array([label] * len(table), pa.float32())
    changed = io.BytesIO()
    parquet.write_table(table.set_column(0, table.column_names[0], labels), changed)
    return changed.getvalue()


def get(pipeline: Pipeline, key: str) -> bytes:
    return bytes(
        pipeline.client("s3").get_object(Bucket=pipeline.stack["BucketName"], Key=key)["Body"].read()
    )


def put(pipeline: Pipeline, key: str, content: bytes) -> None:
    pipeline.client("s3").put_object(Bucket=pipeline.stack["BucketName"], Key=key, Body=content)
    pipeline.tally.faults["a file changed"] += 1


def assert_refused(run: Run, state: str, said: str) -> str:
    """The run ends here, a mail reports it, and nothing is registered; returns the error's name."""
    ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", state)
    assert said in run.reported().text
    assert run.packages() == []
    return ending.error
