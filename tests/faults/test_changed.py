"""Somebody who may write to the bucket changes a file between two steps: the next one refuses it."""

import io

import pyarrow as pa
from pyarrow import parquet

from tests.faults.pipeline import SAMPLE, Pipeline, without
from tests.faults.run import Run


def test_files_changed_or_added_before_the_evaluation_are_not_used_and_a_redrive_goes_on_without_them(
    pipeline: Pipeline,
) -> None:
    # The upload, after it was checked
    with pipeline.held("sagemaker:CreateProcessingJob", "-preprocess-"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        checked = f"runs/{run.run_id}/input/upload.csv"
        put(pipeline, checked, SAMPLE.replace(b"18,8,307", b"99,8,307"))
    assert_refused(run, "Preprocess", "cars.csv was changed after it was written")
    restore(pipeline, checked, SAMPLE)

    # Beside the prepared files, while the models train
    folder = f"runs/{run.run_id}/prepared"
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        run.resume()
        pipeline.until_met()
        # No model that trains on such labels too is good enough.
        strange = with_labels(999, get(pipeline, f"{folder}/train/train.parquet"))
        row = b"0" + b",0" * 9 + b"\n"
        extra = {"batch/extra.csv": row, "train/extra.parquet": strange, "validation/extra.csv": row}
        for name, content in extra.items():
            put(pipeline, f"{folder}/{name}", content)
    beside = ", ".join(f"prepared/{name}" for name in extra)
    assert_refused(run, "Evaluate", f"{beside}: no step of this run wrote that")
    for name in extra:
        pipeline.delete(f"{folder}/{name}")

    # Inside the trained model, as if it were a folder
    with pipeline.held("sagemaker:CreateProcessingJob", "-evaluate-"):
        run.resume()
        pipeline.until_met()
        inside = [f"{model}/model.tar.gz" for model in pipeline.objects(f"runs/{run.run_id}/tuning/")]
        for key in inside:
            put(pipeline, key, b"another model")
    assert_refused(run, "Evaluate", "model.tar.gz/model.tar.gz cannot be a file")
    for key in inside:
        pipeline.delete(key)
    assert run.redrive().outcome == "pending"


def test_data_changed_after_preparation_are_detected_before_the_model_is_evaluated(
    pipeline: Pipeline,
) -> None:
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        run = pipeline.upload(reuse=False)
        pipeline.until_met()
        train = f"runs/{run.run_id}/prepared/train/train.parquet"
        put(pipeline, train, with_labels(30, get(pipeline, train)))
    assert_refused(run, "Evaluate", "prepared/train/train.parquet was changed after it was written")


def test_what_was_evaluated_is_what_is_kept_served_and_shown_and_the_right_files_can_be_restored(
    pipeline: Pipeline,
) -> None:
    other = pipeline.upload(content=without(200))
    assert other.ends().outcome == "pending"
    stranger = get(pipeline, f"models/{other.run_id}/model.tar.gz")

    # The model, and then the evaluation, before they are kept
    with pipeline.held("lambda:Invoke", "KeepModel"):
        # No other run has the same data, or it would take over what is added below.
        run = pipeline.upload(content=without(4), reuse=False)
        pipeline.until_met()
        model = f"runs/{run.run_id}/evaluation/model.tar.gz"
        evaluated = get(pipeline, model)
        put(pipeline, model, stranger + b"\0")
    assert assert_refused(run, "Keep model", f"{model} was changed after the evaluation") == "ArtifactRefused"
    restore(pipeline, model, evaluated)
    with pipeline.held("lambda:Invoke", "KeepModel"):
        run.resume()
        pipeline.until_met()
        figures = f"runs/{run.run_id}/evaluation/evaluation.json"
        measured = get(pipeline, figures)
        put(pipeline, figures, with_a_smaller_error(measured))
    assert_refused(run, "Keep model", f"{figures} was changed after the evaluation")
    restore(pipeline, figures, measured)

    # The kept model, before it is served; and files beside the batch
    kept, batch = f"models/{run.run_id}/model.tar.gz", f"runs/{run.run_id}/prepared/batch"
    with pipeline.held("sagemaker:CreateTransformJob"):
        run.resume()
        pipeline.until_met()
        put(pipeline, kept, stranger)
        for name in ("extra.csv", "batch.csv.more", "batch.csv/batch.csv"):
            put(pipeline, f"{batch}/{name}", b"4,98,60,2046,19,71,2,stranger\n")
    assert_refused(run, "Batch transform", "its files are not those that were evaluated")
    restore(pipeline, kept, evaluated)

    # The evaluation, after it was registered
    with pipeline.held("lambda:Invoke", "RequestApproval"):
        run.resume()
        pipeline.until_met()
        figures = f"models/{run.run_id}/evaluation.json"
        registered = get(pipeline, figures)
        put(pipeline, figures, with_a_smaller_error(registered))
    ending = run.ends()
    assert (ending.outcome, ending.error, run.questions()) == ("failed", "ArtifactRefused", [])
    assert f"{figures} was changed after it was registered" in run.reported().text
    restore(pipeline, figures, registered)

    assert run.redrive().outcome == "pending"
    assert len(run.packages()) == 1
    predictions = f"runs/{run.run_id}/predictions/batch.csv.out"
    assert list(pipeline.objects(f"runs/{run.run_id}/predictions/")) == [predictions]
    assert b"stranger" not in get(pipeline, predictions)

    # The model, after it was registered: changed here, and deleted there
    put(pipeline, kept, evaluated)  # The same bytes, but not the registered version.
    assert run.approve_by_mail() == 422
    assert run.ends().outcome == "pending"
    assert run.reject_by_mail("changed") == 200
    assert run.is_over().outcome == "rejected"
    pipeline.delete(f"models/{other.run_id}/model.tar.gz")
    assert other.approve_by_mail() == 422
    assert other.reject_by_mail("deleted") == 200
    assert other.is_over().outcome == "rejected"


def test_an_approved_model_that_was_changed_or_deleted_is_not_compared_and_stops_no_run(
    pipeline: Pipeline,
) -> None:
    changed = approved(pipeline)
    place = f"models/{changed.run_id}/model.tar.gz"
    evaluated = get(pipeline, place)
    put(pipeline, place, evaluated + b"\0")
    try:
        deleted = pipeline.upload()
        assert deleted.ends().outcome == "pending"
        assert deleted.approve().output["evaluation"]["champion"] is None
    finally:
        restore(pipeline, place, evaluated)

    # That run's model is the approved one now.
    place = f"models/{deleted.run_id}/model.tar.gz"
    evaluated = get(pipeline, place)
    pipeline.delete(place)
    try:
        run = pipeline.upload()
        assert run.ends().outcome == "pending"
        (package,) = deleted.packages()
        said = f"{package} cannot be compared: its model.tar.gz was deleted"
        assert said in run.questions()[0].text
        assert said in run.approve().output["evaluation"]["champion_problem"]
    finally:
        restore(pipeline, place, evaluated)


def with_a_smaller_error(evaluation: bytes) -> bytes:
    """An evaluation's file, in which the first figure is a fraction of what it was."""
    return evaluation.replace(b'"value": ', b'"value": 0.', 1)


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


def restore(pipeline: Pipeline, key: str, content: bytes) -> None:
    """Undo a change."""
    pipeline.client("s3").put_object(Bucket=pipeline.stack["BucketName"], Key=key, Body=content)


def assert_refused(run: Run, state: str, said: str) -> str:
    """The run ends here, a mail reports it, and nothing is registered; returns the error's name."""
    ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", state)
    assert said in run.reported().text
    assert run.packages() == []
    return ending.error
