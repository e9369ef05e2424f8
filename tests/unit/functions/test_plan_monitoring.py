"""What there is to look at for each workload since the last time, and how much of it at once."""

import json
from datetime import timedelta
from typing import Any

import pytest

from common.workload import Workload
from handlers import plan_monitoring
from monitoring.earlier import asked_before
from monitoring.records import LastLook, last_look, record_look
from monitoring.sources import Source, Stored
from monitoring.windows import MOST_BYTES, MOST_FILES, fit
from shared.text import timestamp
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.monitoring import (
    FOLDER,
    GROUP,
    ID,
    MODEL_RUN,
    NOW,
    PACKAGE,
    SOON,
    WORKLOAD,
    approve,
    go_live,
    run,
)


@pytest.fixture(autouse=True)
def every_workload_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workload, "is_watched", True)


def plan(context: Any, workload: str = WORKLOAD) -> dict[str, Any]:
    event = {"monitoring_id": ID, "until": SOON.isoformat(), "workload": workload}
    [found] = plan_monitoring.handler(event, context)["plans"]
    return dict(found)


def manifest(world: World) -> list[str]:
    body = world.s3.get_object(Bucket=BUCKET, Key=f"{FOLDER}seen.manifest")["Body"].read()
    prefix, *keys = json.loads(body)
    assert prefix == {"prefix": f"s3://{BUCKET}/"}
    return [str(key) for key in keys]


def test_what_batches_predicted_is_listed_for_the_job(world: World, context: Any) -> None:
    approve(world)
    its_id = run(world, "one")
    found = plan(context)
    assert found["todo"] == "monitor"
    assert found["seen_uri"] == f"s3://{BUCKET}/{FOLDER}seen.manifest"
    assert manifest(world) == [f"runs/{its_id}/predictions/batch.csv.out"]
    assert (found["model_package_arn"], found["model_digest"]) == (PACKAGE, "sha256:3")
    assert found["model_uri"] == f"s3://{BUCKET}/models/{MODEL_RUN}/model.tar.gz"


def test_an_accepted_upload_is_listed_with_its_labels_and_without_its_batch(
    world: World, context: Any
) -> None:
    approve(world)
    files = ("prepared/summary.json", "prepared/sample/sample.csv", "prepared/batch/batch.csv")
    its_id = run(world, "one", "incoming/file.csv", *files)
    assert plan(context)["todo"] == "monitor"
    assert manifest(world) == [f"runs/{its_id}/{name}" for name in ("prepared/sample/sample.csv", files[0])]


def test_labels_bring_along_what_was_asked_before(world: World, context: Any) -> None:
    approve(world)
    asked = run(world, "asked", "incoming/file.csv", "predictions/batch.csv.out", "prepared/summary.json")
    assert plan(context)["earlier_uri"] == ""
    world.s3.copy_object(
        Bucket=BUCKET,
        Key=f"monitoring/{WORKLOAD}/before/seen.manifest",
        CopySource={"Bucket": BUCKET, "Key": f"{FOLDER}seen.manifest"},
    )
    # What was asked was stored before the next window, as far as the test can tell.
    begin = NOW + timedelta(minutes=30)
    record_look(WORKLOAD, LastLook(timestamp(begin), "before"))
    assert asked_before(WORKLOAD, "", NOW, begin) == [
        f"runs/{asked}/{name}" for name in ("predictions/batch.csv.out", "prepared/summary.json")
    ]
    assert asked_before(WORKLOAD, "", NOW, NOW - timedelta(days=1)) == []
    assert asked_before(WORKLOAD, "", NOW, NOW + timedelta(days=31)) == []


def test_without_labels_nothing_from_before_is_read(world: World, context: Any) -> None:
    approve(world)
    run(world, "asked")
    assert plan(context)["earlier_uri"] == ""


def test_an_upload_that_was_not_accepted_is_not_looked_at(world: World, context: Any) -> None:
    approve(world)
    run(world, "one", "incoming/file.csv", "prepared/train/train.csv")
    assert plan(context)["todo"] == "nothing_new"


def test_runs_of_other_workloads_and_retrainings_are_not_looked_at(world: World, context: Any) -> None:
    approve(world)
    run(world, "other", "incoming/digits/file.parquet")
    run(world, "unknown", "incoming/nobody/file.csv")
    run(world, "again", reason="drift")
    assert plan(context)["todo"] == "nothing_new"
    assert plan(context)["seen_uri"] == ""


def test_a_window_begins_where_the_last_one_ended(world: World, context: Any) -> None:
    approve(world)
    run(world, "one")
    until = timestamp(NOW + timedelta(minutes=30))
    record_look(WORKLOAD, LastLook(until, "before"))
    found = plan(context)
    assert (found["todo"], found["since"], found["until"]) == ("nothing_new", until, timestamp(SOON))


def test_the_first_window_begins_when_the_model_was_approved_or_went_live(world: World, context: Any) -> None:
    approve(world)
    assert plan(context)["since"] == timestamp(NOW - timedelta(days=9))
    go_live(world)
    assert plan(context)["since"] == timestamp(NOW - timedelta(days=8))


def test_the_live_model_is_watched_rather_than_a_newer_approved_one(world: World, context: Any) -> None:
    approve(world)
    go_live(world)
    approve(world, f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{GROUP}/4")
    assert plan(context)["model_package_arn"] == PACKAGE


CAPTURED = f"captured/{WORKLOAD}/mpg-pipeline-auto-mpg/live/{NOW:%Y/%m/%d/%H}/1.jsonl"


@pytest.mark.parametrize(("kind", "todo"), [("instance", "monitor"), ("function", "nothing_new")])
def test_what_an_endpoint_captured_is_listed(world: World, context: Any, kind: str, todo: str) -> None:
    approve(world)
    go_live(world, kind)
    world.put(CAPTURED, b"{}")
    world.put(CAPTURED.replace("mpg-pipeline-auto-mpg", "another-endpoint"), b"{}")
    assert plan(context)["todo"] == todo
    if todo == "monitor":
        assert manifest(world) == [CAPTURED]


def test_what_another_model_answered_before_is_not_looked_at(world: World, context: Any) -> None:
    approve(world)
    go_live(world, since=NOW + timedelta(minutes=30))
    record_look(WORKLOAD, LastLook(timestamp(NOW - timedelta(days=7)), "before"))
    world.put(CAPTURED, b"{}")
    assert plan(context)["todo"] == "nothing_new"


def test_without_an_approved_model_there_is_nothing_to_watch(world: World, context: Any) -> None:
    run(world, "one")
    found = plan(context)
    assert (found["todo"], len(found["notes"])) == ("no_model", 1)


def test_a_model_whose_file_is_gone_or_that_is_not_ours_cannot_be_watched(world: World, context: Any) -> None:
    approve(world)
    world.s3.delete_object(Bucket=BUCKET, Key=f"models/{MODEL_RUN}/model.tar.gz")
    assert plan(context)["todo"] == "no_model"
    world.sagemaker.packages[PACKAGE]["CustomerMetadataProperties"] = {}
    assert plan(context)["todo"] == "no_model"


def test_a_workload_that_says_nothing_about_monitoring_is_not_watched(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workload, "is_watched", False)
    approve(world)
    found = plan(context)
    assert found["todo"] == "not_watched"
    assert "monitoring.py" in found["notes"][0]


def test_an_unknown_workload_is_said_to_be_unknown(world: World, context: Any) -> None:
    found = plan(context, "nobody")
    assert found["todo"] == "not_watched"
    assert found["notes"] == ("There is no such workload; there are auto_mpg, digits.",)


def test_by_default_every_workload_has_a_plan(world: World, context: Any) -> None:
    approve(world)
    event = {"monitoring_id": ID, "until": SOON.isoformat(), "workload": ""}
    plans = plan_monitoring.handler(event, context)["plans"]
    assert {each["workload"]: each["todo"] for each in plans} == {
        "auto_mpg": "nothing_new",
        "digits": "no_model",
    }


def test_an_older_look_never_takes_back_a_newer_one(world: World) -> None:
    assert record_look(WORKLOAD, LastLook("2026-03-10T00:00:00Z", "a"))
    assert not record_look(WORKLOAD, LastLook("2026-03-09T00:00:00Z", "b"))
    assert record_look(WORKLOAD, LastLook("2026-03-10T00:00:00Z", "a", PACKAGE, frozenset({"x"}), True))
    assert last_look(WORKLOAD) == LastLook("2026-03-10T00:00:00Z", "a", PACKAGE, frozenset({"x"}), True)


def source(minute: int, *, files: int = 1, size: int = 10) -> Source:
    at = NOW + timedelta(minutes=minute)
    return Source(f"source {minute}", tuple(Stored(f"key-{minute}-{n}", at, size) for n in range(files)))


def test_a_window_takes_everything_if_it_can() -> None:
    window = fit([source(2), source(1)], SOON)
    assert (window.keys, window.until, window.notes) == (["key-1-0", "key-2-0"], SOON, ())


@pytest.mark.parametrize("large", [{"files": MOST_FILES}, {"size": MOST_BYTES}])
def test_what_is_too_much_is_looked_at_next_time(large: dict[str, int]) -> None:
    window = fit([source(1), source(2, **large), source(3)], SOON)
    assert window.keys == ["key-1-0"]
    assert window.until == source(2).at
    assert "next one continues here" in window.notes[0]


@pytest.mark.parametrize("large", [{"files": MOST_FILES + 1}, {"size": MOST_BYTES + 1}])
def test_what_is_too_large_by_itself_is_left_out_for_good_and_said(large: dict[str, int]) -> None:
    window = fit([source(1), source(2, **large), source(3)], SOON)
    assert (window.keys, window.until) == (["key-1-0", "key-3-0"], SOON)
    assert "source 2 was left out" in window.notes[0]


def test_what_was_stored_in_the_same_second_is_not_divided() -> None:
    window = fit([source(1), source(2), source(2, files=MOST_FILES - 1), source(3)], SOON)
    assert window.keys == ["key-1-0"]
    assert window.until == source(2).at
    both = fit([source(2), source(2, files=MOST_FILES), source(3)], SOON)
    assert (len(both.keys), both.until) == (MOST_FILES + 1, source(3).at)
