"""Results of earlier runs are found by their content, as long as they are whole; anything else is no result."""

import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import find_result, remember_results
from runs.scheduled import RequestNotScheduled
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.fakes import service_error

EARLIER, EXECUTION = "mpg-20260301-0900-0123abcd", "arn:aws:states:eu-west-1:1:execution:mpg:earlier"
FOLDER = f"runs/{EARLIER}"
URI = f"s3://{BUCKET}/{FOLDER}"
MODEL = b"a trained model"
EVALUATION = b'{"metrics": []}'


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def summary(run_id: str = EARLIER, **changes: Any) -> bytes:
    """The summary.json of a run, whose manifests name the run."""
    digests = {
        "train/train.csv": sha256(b"train"),
        "train/train.manifest": sha256(run_id.encode()),
        "validation/validation.csv": sha256(b"validation"),
        "test/test.csv": sha256(b"test"),
        **changes,
    }
    return json.dumps({"rows": {"train": 3}, "upload_digest": "sha256:1", "digests": digests}).encode()


RESULTS: dict[str, Any] = {
    "preprocess": {"uri": f"{URI}/prepared", "digest": sha256(summary())},
    "tune": {
        "uri": f"{URI}/tuning/best/output/model.tar.gz",
        "digest": sha256(MODEL),
        "training_job": "best",
        "trials": 10,
        "best_hyperparameters": {"alpha": "0.2"},
    },
    "evaluate": {"uri": f"{URI}/evaluation", "digest": sha256(EVALUATION)},
}
PREPARED = RESULTS["preprocess"]
SEARCHES: dict[str, Any] = {
    "preprocess": {"step": "preprocess", "reuse": True, "content": {"upload": "sha256:1", "code": "c"}},
    "tune": {"step": "tune", "reuse": True, "prepared": PREPARED, "content": {"code": "c"}},
    "evaluate": {
        "step": "evaluate",
        "reuse": True,
        "prepared": PREPARED,
        "model_uri": RESULTS["tune"]["uri"],
        "content": {"code": "c", "champion": {}},
    },
}
STEPS = list(SEARCHES)


@pytest.fixture
def files(world: World) -> World:
    """The bucket after the earlier run."""
    world.put(f"{FOLDER}/prepared/summary.json", summary())
    world.put(f"{FOLDER}/prepared/train/train.csv", b"train")
    world.put(f"{FOLDER}/tuning/best/output/model.tar.gz", MODEL)
    world.put(f"{FOLDER}/evaluation/evaluation.json", EVALUATION)
    world.put(f"{FOLDER}/evaluation/model.tar.gz", b"a bundle")
    return world


@pytest.fixture
def find(files: World, context: Any) -> Callable[..., Any]:
    return lambda step, **changes: find_result.handler({**SEARCHES[step], **changes}, context)


@pytest.fixture
def remember(files: World, context: Any, find: Callable[..., Any]) -> Callable[..., Any]:
    def remember(**changes: Any) -> Any:
        request = {
            "execution_arn": EXECUTION,
            "run_id": EARLIER,
            "started_at": datetime.now(UTC).isoformat(),
            "keys": {step: find(step)["key"] for step in STEPS},
            "reused": {},
            "results": RESULTS,
            **changes,
        }
        files.stepfunctions.schedule(request)
        return remember_results.handler(request, context)

    return remember


@pytest.mark.parametrize("step", STEPS)
def test_what_a_run_remembers_is_found(step: str, find: Any, remember: Any) -> None:
    assert "found" not in find(step)
    assert remember() == {"remembered": STEPS}
    assert find(step)["found"] == {**RESULTS[step], "run_id": EARLIER}


def test_a_run_that_has_ended_well_is_found_too(find: Any, remember: Any, files: World) -> None:
    remember()
    files.stepfunctions.end(EXECUTION, "SUCCEEDED")
    assert "found" in find("preprocess")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", ""])
def test_a_run_that_ended_badly_or_is_unknown_is_not_reused(
    step: str, status: str, find: Any, remember: Any, files: World
) -> None:
    remember()
    if status:
        files.stepfunctions.end(EXECUTION, status)
    else:
        del files.stepfunctions.executions[EXECUTION]
    assert set(find(step)) - {"model_digest"} == {"key"}


FILES = {
    "preprocess": [f"{FOLDER}/prepared/summary.json", f"{FOLDER}/prepared/train/train.csv"],
    "tune": [f"{FOLDER}/tuning/best/output/model.tar.gz"],
    "evaluate": [f"{FOLDER}/evaluation/evaluation.json", f"{FOLDER}/evaluation/model.tar.gz"],
}


@pytest.mark.parametrize(("step", "file"), [(step, file) for step in STEPS for file in FILES[step]])
@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_changed_or_deleted_file_is_not_reused(
    step: str, file: str, change: str, find: Any, remember: Any, files: World
) -> None:
    remember()
    if change == "changed":
        files.put(file, b"something else")
    else:
        files.s3.delete_object(Bucket=BUCKET, Key=file)
    assert "found" not in find(step)


def test_an_added_file_is_not_reused_either(find: Any, remember: Any, files: World) -> None:
    remember()
    files.put(f"{FOLDER}/prepared/train/extra.csv", b"more")
    assert "found" not in find("preprocess")


def test_a_file_that_was_changed_before_it_was_remembered_is_told_by_its_digest(
    find: Any, remember: Any
) -> None:
    other = {**RESULTS, "evaluate": {**RESULTS["evaluate"], "digest": sha256(b"what the job wrote")}}
    remember(results=other)
    assert "found" not in find("evaluate")
    assert "found" in find("preprocess")


@pytest.mark.parametrize(("days_ago", "found"), [(75, True), (77, False)])
def test_an_entry_expires_two_weeks_before_its_files(
    days_ago: int, found: bool, find: Any, remember: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPIRE_RUNS_AFTER_DAYS", "90")
    remember(started_at=(datetime.now(UTC) - timedelta(days=days_ago)).isoformat())
    assert ("found" in find("preprocess")) is found


def test_dynamodb_deletes_an_entry_when_it_expires(remember: Any, files: World, find: Any) -> None:
    started = datetime(2026, 3, 1, 9, tzinfo=UTC)
    remember(started_at="2026-03-01T09:00:00.123Z")
    item = files.table.get_item(Key={"pk": f"result#{find('preprocess')['key']}"})["Item"]
    assert item["expires_at"] == int((started + timedelta(days=90 - 14)).timestamp())


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("preprocess", {"content": {"upload": "sha256:2", "code": "c"}}),
        ("tune", {"content": {"code": "d"}}),
        ("evaluate", {"content": {"code": "c", "champion": {"digest": "sha256:7"}}}),
    ],
)
def test_another_content_is_another_key(step: str, changes: Any, find: Any, remember: Any) -> None:
    remember()
    answer = find(step, **changes)
    assert answer["key"] != find(step)["key"]
    assert "found" not in answer


def test_the_order_of_the_content_does_not_matter(find: Any) -> None:
    turned = dict(reversed(SEARCHES["preprocess"]["content"].items()))
    assert find("preprocess", content=turned) == find("preprocess")


def test_the_same_content_in_another_step_is_another_key(find: Any) -> None:
    assert find("preprocess", content={})["key"] != find("tune", content={})["key"]


def other_preparation(world: World, content: bytes) -> dict[str, Any]:
    world.put("runs/other/prepared/summary.json", content)
    return {"uri": f"s3://{BUCKET}/runs/other/prepared", "digest": sha256(content)}


def test_the_same_data_prepared_by_another_run_are_the_same_content(files: World, find: Any) -> None:
    again = other_preparation(files, summary("another-run"))
    for step in ("tune", "evaluate"):
        assert find(step, prepared=again)["key"] == find(step)["key"]


def test_tuning_depends_on_what_it_reads_and_the_evaluation_on_everything(files: World, find: Any) -> None:
    other_test = other_preparation(files, summary(**{"test/test.csv": sha256(b"other rows")}))
    assert find("tune", prepared=other_test)["key"] == find("tune")["key"]
    assert find("evaluate", prepared=other_test)["key"] != find("evaluate")["key"]
    other_train = other_preparation(files, summary(**{"train/train.csv": sha256(b"other rows")}))
    assert find("tune", prepared=other_train)["key"] != find("tune")["key"]


def test_an_evaluation_is_that_of_one_model_whose_digest_is_told(files: World, find: Any) -> None:
    before = find("evaluate")
    assert before["model_digest"] == sha256(MODEL)
    files.put(FILES["tune"][0], b"another model")
    after = find("evaluate")
    assert after["model_digest"] == sha256(b"another model")
    assert after["key"] != before["key"]


def test_changed_data_have_no_key(files: World, find: Any) -> None:
    files.put(FILES["preprocess"][0], summary(**{"train/train.csv": "another"}))
    assert find("tune") == {}


def test_a_champion_that_was_registered_by_hand_has_no_known_content(find: Any) -> None:
    content = {"code": "c", "champion": {"package": "arn", "found": True}}
    assert find("evaluate", content=content) == {}


def test_an_upload_that_must_not_reuse_anything_replaces_what_was_remembered(
    find: Any, remember: Any
) -> None:
    remember()
    assert set(find("preprocess", reuse=False)) == {"key"}


def test_where_the_stack_switches_reuse_off_nothing_is_found_or_remembered(
    find: Any, remember: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember()
    monkeypatch.setenv("REUSE", "false")
    assert [find(step) for step in STEPS] == [{}, {}, {}]


def test_a_reused_result_and_one_without_a_key_are_not_remembered(remember: Any, files: World) -> None:
    done = remember(keys={"preprocess": "a", "tune": "b"}, reused={"preprocess": "mpg-before"})
    assert done == {"remembered": ["tune"]}
    assert [item["pk"] for item in files.table.scan()["Items"]] == ["result#b"]


def test_of_two_runs_at_once_the_later_entry_wins_whole(find: Any, remember: Any, files: World) -> None:
    remember()
    files.put("runs/other/evaluation/evaluation.json", b"{}")
    later = {"uri": f"s3://{BUCKET}/runs/other/evaluation", "digest": sha256(b"{}")}
    remember(run_id="other", execution_arn="arn:other", results={"evaluate": later})
    assert find("evaluate")["found"] == {**later, "run_id": "other"}
    assert find("tune")["found"]["run_id"] == EARLIER


def test_remembering_again_changes_nothing(remember: Any, files: World) -> None:
    started = datetime.now(UTC).isoformat()
    remember(started_at=started)
    before = files.table.scan()["Items"]
    remember(started_at=started)
    assert files.table.scan()["Items"] == before


def test_nobody_can_make_later_runs_reuse_other_files(files: World, context: Any) -> None:
    forged = {"execution_arn": EXECUTION, "run_id": EARLIER, "keys": {"preprocess": "a"}, "results": RESULTS}
    files.stepfunctions.schedule({"execution_arn": EXECUTION, "run_id": "another"})
    with pytest.raises(RequestNotScheduled):
        remember_results.handler(forged, context)
    assert files.table.scan()["Items"] == []


CALLERS = {
    "GetItem": "reuse.finding.read",
    "ListObjectsV2": "reuse.finding.fingerprint",
    "GetObject": "reuse.files._read",
    "DescribeExecution": "reuse.finding.describe",
}


@pytest.mark.parametrize("operation", CALLERS)
@pytest.mark.parametrize("step", STEPS)
def test_a_service_that_fails_means_no_result_and_is_logged(
    step: str,
    operation: str,
    find: Any,
    remember: Any,
    files: World,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remember()

    def fail(*_: Any, **__: Any) -> Any:
        raise service_error("InternalError", operation, "a secret")

    monkeypatch.setattr(CALLERS[operation], fail)
    answer = find(step)
    assert "found" not in answer
    assert ("key" in answer) == (operation != "GetObject" or step == "preprocess")
    logged = log.getvalue()
    assert "could not look for a result" in logged
    assert "a secret" not in logged
    assert '"ReuseFailed":[1.0]' in capsys.readouterr().out.replace(" ", "")


@pytest.mark.parametrize("damage", [{"result": "no json"}, {"result": "{}"}, {"expires_at": "soon"}])
def test_a_damaged_entry_means_no_result(
    damage: dict[str, str], find: Any, remember: Any, files: World
) -> None:
    remember()
    key = {"pk": f"result#{find('preprocess')['key']}"}
    item = files.table.get_item(Key=key)["Item"]
    files.table.put_item(Item={**item, **damage})
    assert set(find("preprocess")) == {"key"}


def test_a_reused_result_is_counted_by_step(
    find: Any, remember: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    remember()
    capsys.readouterr()
    find("tune")
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [counted] = [line for line in printed if "ResultReused" in line]
    assert (counted["ResultReused"], counted["Step"]) == ([1.0], "tune")
