"""A retraining starts once, on uploads that led to a model and are still there, and says why it does not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.workload import Workload
from handlers import retrain
from retraining import accepted, choosing
from shared.aws import read_items
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.fakes import service_error

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:mpg"
EXECUTIONS = MACHINE.replace(":stateMachine:", ":execution:")
# Workloads that the layer has.
ONE, OTHER = "auto_mpg", "digits"


def note(world: World, key: str, days_ago: int = 0, workload: str = ONE, **changes: Any) -> str:
    """Upload a file, and note it as the state machine does; returns its version."""
    version = world.put(key, b"content")
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    upload = {
        "bucket": BUCKET,
        "key": key,
        "version_id": version,
        "size": 7,
        "uploaded_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "uploaded_by": "ada",
        "source_ip": "192.0.2.7",
        **changes,
    }
    world.table.update_item(
        Key={"pk": f"accepted#{workload}#{moment.date()}"},
        UpdateExpression="ADD uploads :this",
        ExpressionAttributeValues={":this": {json.dumps(upload)}},
    )
    return version


@pytest.fixture
def ask(world: World, context: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Ask for a retraining; the answer."""
    for name, value in {
        "STATE_MACHINE_ARN": MACHINE,
        "DEFAULT_WORKLOAD": ONE,
        "RETRAIN_ON": "newest",
        "RETRAIN_ON_DRIFT": "true",
        "RETRAIN_AT_MOST_EVERY_DAYS": "7",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda reason="retrain", **more: retrain.handler(
        {"workload": ONE, "reason": reason, **more}, context
    )


def started(world: World, answer: dict[str, Any]) -> dict[str, Any]:
    """The input of the execution that was started."""
    assert answer["why_not"] is None
    found: dict[str, Any] = json.loads(world.stepfunctions.executions[answer["started"]]["input"])
    return found


def end_all(world: World) -> None:
    for arn in world.stepfunctions.executions:
        world.stepfunctions.end(arn, "SUCCEEDED")


@pytest.mark.parametrize("reason", ["schedule", "drift", "retrain"])
def test_the_newest_upload_is_trained_on_again_and_the_run_knows_why(
    world: World, ask: Any, reason: str
) -> None:
    note(world, "incoming/old.csv", days_ago=120)
    version = note(world, "incoming/new.csv", days_ago=3)
    event = started(world, ask(reason))
    assert event["detail"]["object"] == {"key": "incoming/new.csv", "size": 7, "version-id": version}
    assert event["detail"]["reason"] == reason
    assert event["detail"]["requester"] == "ada"
    assert event["detail"]["bucket"] == {"name": BUCKET}
    assert "uploads" not in event["detail"]
    assert event["id"].startswith("retrain-auto_mpg-")
    assert event["time"].startswith(str((datetime.now(UTC) - timedelta(days=3)).date()))


def test_all_uploads_are_used_together_the_earliest_first(world: World, ask: Any) -> None:
    keys = ["incoming/a.csv", "incoming/b.csv", "incoming/auto_mpg/c.csv"]
    versions = [note(world, key, days_ago=300 - 100 * place) for place, key in enumerate(keys)]
    event = started(world, ask(on="all"))
    assert event["detail"]["uploads"] == [
        {"key": key, "version_id": version, "size": 7} for key, version in zip(keys, versions, strict=True)
    ]
    assert event["detail"]["object"]["key"] == keys[-1]


def test_what_is_used_is_as_deployed_unless_somebody_says_otherwise(
    world: World, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, "incoming/a.csv", days_ago=2)
    note(world, "incoming/b.csv", days_ago=1)
    monkeypatch.setenv("RETRAIN_ON", "all")
    assert len(started(world, ask("schedule"))["detail"]["uploads"]) == 2


def test_uploads_of_other_workloads_do_not_count(world: World, ask: Any) -> None:
    note(world, "incoming/digits/x.parquet", workload=OTHER)
    assert ask()["why_not"] == "There is no upload of auto_mpg that led to a model."


def test_a_deleted_upload_is_left_out_and_that_is_said(world: World, ask: Any) -> None:
    note(world, "incoming/old.csv", days_ago=2)
    for key, version in (("incoming/marked.csv", ""), ("incoming/gone.csv", "its version")):
        made = note(world, key)
        world.s3.delete_object(Bucket=BUCKET, Key=key, **({"VersionId": made} if version else {}))
    answer = ask()
    event = started(world, answer)
    assert event["detail"]["object"]["key"] == "incoming/old.csv"
    assert set(answer["left_out"].split(", ")) == {
        "incoming/gone.csv (deleted)",
        "incoming/marked.csv (deleted)",
    }
    assert event["detail"]["left_out"] == answer["left_out"]


def test_without_any_upload_that_is_left_nothing_starts_and_that_is_said(world: World, ask: Any) -> None:
    note(world, "incoming/gone.csv")
    world.s3.delete_object(Bucket=BUCKET, Key="incoming/gone.csv")
    answer = ask()
    assert answer["started"] is None
    assert answer["why_not"].endswith("led to a model. Left out: incoming/gone.csv (deleted).")
    assert not world.stepfunctions.executions


def test_an_upload_that_a_later_one_replaced_under_its_name_is_left_out(world: World, ask: Any) -> None:
    note(world, "incoming/cars.csv", days_ago=2)
    # Its name begins with that of the other one.
    note(world, "incoming/cars.csv.csv", days_ago=1)
    latest = note(world, "incoming/cars.csv")
    answer = ask(on="all")
    uploads = started(world, answer)["detail"]["uploads"]
    assert [upload["key"] for upload in uploads] == ["incoming/cars.csv.csv", "incoming/cars.csv"]
    assert uploads[-1]["version_id"] == latest
    assert answer["left_out"] == "incoming/cars.csv (replaced by a later upload)"


def test_only_so_many_files_are_used_together(
    world: World, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(4):
        note(world, f"incoming/{days}.csv", days_ago=days)
    monkeypatch.setattr(choosing, "MOST_TOGETHER", 2)
    answer = ask(on="all")
    assert [upload["key"] for upload in started(world, answer)["detail"]["uploads"]] == [
        "incoming/1.csv",
        "incoming/0.csv",
    ]
    assert answer["left_out"] == "incoming/2.csv and earlier ones (at most 2 files are used together)"


def test_only_as_many_bytes_as_one_upload_may_have_are_used_together(world: World, ask: Any) -> None:
    note(world, "incoming/new.csv", size=6 << 30)
    note(world, "incoming/old.csv", days_ago=1, size=6 << 30)
    answer = ask(on="all")
    assert "uploads" not in started(world, answer)["detail"]
    assert "at most 10,737,418,240 bytes" in answer["left_out"]


def test_a_workload_that_prepares_one_file_at_a_time_gets_the_newest_and_says_so(world: World) -> None:
    note(world, "incoming/old.csv", days_ago=1)
    note(world, "incoming/new.csv")
    workload = Workload(ONE, {"upload": {"suffixes": [".csv"]}})
    choice = choosing.choose(workload, "all")
    assert [upload.key for upload in choice.uploads] == ["incoming/new.csv"]
    assert choice.left_out == "all earlier files: it prepares one at a time"


@pytest.mark.parametrize("key", ["incoming/x.csv", "incoming/auto_mpg/x.csv"])
def test_nothing_starts_while_a_run_of_the_workload_is_open(world: World, ask: Any, key: str) -> None:
    note(world, "incoming/a.csv")
    event = {"detail": {"object": {"key": key}}}
    running = world.stepfunctions.start_execution(stateMachineArn=MACHINE, name="r", input=json.dumps(event))
    assert ask() == {
        "started": None,
        "why_not": f"A run of auto_mpg has not ended, or waits for a decision: {running['executionArn']}",
        "left_out": "",
    }
    end_all(world)
    assert ask()["started"]


@pytest.mark.parametrize("key", ["incoming/digits/x.parquet", "incoming/nothing/x.csv", ""])
def test_a_run_of_another_workload_is_no_obstacle(world: World, ask: Any, key: str) -> None:
    note(world, "incoming/a.csv")
    event = {"detail": {"object": {"key": key}}} if key else {}
    world.stepfunctions.start_execution(stateMachineArn=MACHINE, name="r", input=json.dumps(event))
    assert ask()["started"]


def test_the_next_retraining_waits_for_so_many_days(world: World, ask: Any) -> None:
    note(world, "incoming/a.csv")
    first = ask()["started"]
    end_all(world)
    answer = ask("schedule")
    assert answer["started"] is None
    assert answer["why_not"].startswith("The last retraining of auto_mpg was started at 20")
    assert answer["why_not"].endswith(" UTC; RetrainAtMostEveryDays is 7.")
    _backdate(world, days=7)
    assert ask()["started"] not in (None, first)


def test_two_callers_at_once_start_one_run(world: World, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    note(world, "incoming/a.csv")
    # The second one asks in the instant after the first one has claimed the start.
    start, answers = world.stepfunctions.start_execution, []

    def start_execution(**request: Any) -> Any:
        monkeypatch.setattr(world.stepfunctions, "start_execution", start)
        answers.append(ask("drift"))
        return start(**request)

    monkeypatch.setattr(world.stepfunctions, "start_execution", start_execution)
    answers.append(ask("schedule"))
    assert len(world.stepfunctions.executions) == 1
    assert {answer["started"] for answer in answers} == set(world.stepfunctions.executions)


def test_a_start_that_failed_is_made_up_for_by_the_next_caller(
    world: World, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, "incoming/a.csv")
    with monkeypatch.context() as broken:

        def refuse(**_: Any) -> Any:
            raise service_error("ServiceUnavailable", "StartExecution")

        broken.setattr(world.stepfunctions, "start_execution", refuse)
        with pytest.raises(Exception, match="ServiceUnavailable"):
            ask("schedule")
    event = started(world, ask("retrain"))
    assert event["detail"]["reason"] == "schedule"
    end_all(world)
    assert ask()["started"] is None


@pytest.mark.parametrize(
    "call", ["asking.open_run", "choosing.newest_first", "choosing._exists", "starting.write_if"]
)
def test_whatever_fails_before_a_start_the_next_caller_starts_one_run(
    world: World, ask: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    note(world, "incoming/a.csv")
    with monkeypatch.context() as broken:

        def refuse(*_: Any, **__: Any) -> Any:
            raise service_error("AccessDenied", call)

        broken.setattr(f"retraining.{call}", refuse)
        with pytest.raises(Exception, match="AccessDenied"):
            ask("schedule")
    assert list(world.stepfunctions.executions) == []
    assert started(world, ask("retrain"))["detail"]["reason"] == "retrain"


def test_a_start_whose_note_was_lost_is_not_repeated(world: World, ask: Any) -> None:
    note(world, "incoming/a.csv")
    arn = ask()["started"]
    end_all(world)
    world.table.update_item(Key={"pk": "retrain#auto_mpg"}, UpdateExpression="REMOVE execution_arn")
    assert ask()["started"] == arn
    assert list(world.stepfunctions.executions) == [arn]
    assert ask()["started"] is None


def test_a_drift_retrains_only_if_that_is_deployed(
    world: World, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, "incoming/a.csv")
    monkeypatch.setenv("RETRAIN_ON_DRIFT", "false")
    assert ask("drift")["why_not"] == "RetrainOnDrift is false."
    assert ask("schedule")["started"]


@pytest.mark.parametrize(
    ("asked", "why_not"),
    [
        ({"reason": "upload"}, "`reason` has to be schedule or drift or retrain."),
        ({"reason": None}, "`reason` has to be schedule or drift or retrain."),
        ({"on": "oldest"}, "`on` has to be newest or all."),
        ({"workload": "none"}, "there is no workload 'none'; there are auto_mpg, digits."),
        ({"workload": {"a": 1}}, "there is no workload \"{'a': 1}\"; there are auto_mpg, digits."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(ask: Any, asked: dict[str, Any], why_not: str) -> None:
    assert ask(**{"reason": "retrain", **asked})["why_not"] == why_not


def test_the_schedule_asks_for_every_workload(world: World, ask: Any, context: Any) -> None:
    note(world, "incoming/a.csv")
    answers = retrain.handler({"reason": "schedule"}, context)
    assert answers[ONE]["started"]
    assert answers[OTHER]["why_not"] == "There is no upload of digits that led to a model."


def test_one_workload_that_fails_does_not_keep_the_others_from_it(
    world: World, ask: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, "incoming/digits/a.parquet", workload=OTHER)
    read = read_items

    def failing(name: str, keys: list[str]) -> Any:
        if keys[0].startswith(f"accepted#{ONE}"):
            raise service_error("ProvisionedThroughputExceededException", "BatchGetItem")
        return read(name, keys)

    monkeypatch.setattr(accepted, "read_items", failing)
    with pytest.raises(retrain.RetrainingIncomplete):
        retrain.handler({"reason": "schedule"}, context)
    assert len(world.stepfunctions.executions) == 1


def _backdate(world: World, days: int) -> None:
    before = datetime.now(UTC) - timedelta(days=days, seconds=1)
    world.table.update_item(
        Key={"pk": "retrain#auto_mpg"},
        UpdateExpression="SET asked_at = :before",
        ExpressionAttributeValues={":before": before.strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
