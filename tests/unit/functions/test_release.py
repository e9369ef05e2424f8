"""Releases: what is checked before, what the endpoint must answer, and what people are told at the end."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from approval.mails import change_mail
from approval.request import Decision
from handlers import check_release, report_release, smoke_test, sweep
from model.artifacts import ArtifactRefused, copy
from release.comparing import SmokeTestFailed, largest_difference
from shared.text import now
from tests.unit.functions.conftest import BUCKET, World, event
from tests.unit.functions.requests import ask

END = event("report_release-live")["detail"]
EXECUTION = END["executionArn"]
PACKAGE = json.loads(END["input"])["detail"]["ModelPackageArn"]
RUN = "mpg-20260301-0915-0123abcd"
ENDPOINT = "mpg-pipeline-auto-mpg"
ROW = "8,307,130,3504,12,70,1,some car"
TEST = {
    "content_type": "text/csv",
    "accept": "text/csv",
    "rows": 2,
    "request": f"{ROW}\n{ROW}\n",
    "answer": "17.5\n17.5\n",
    "tolerance": 1e-6,
}


def keep(
    world: World, *, smoke: dict[str, Any] | None = TEST, onnx: bool = False, kind: str = "serverless"
) -> dict[str, Any]:
    """A model and its evaluation, as the pipeline keeps them; returns the event of the function that checks them."""
    world.put("runs/model", b"a model")
    model = copy(
        {"Bucket": BUCKET, "Key": "runs/model"}, BUCKET, f"models/{RUN}/model.tar.gz", "application/gzip"
    )
    digests = {"model": model}
    if onnx:
        world.put("runs/onnx", b"a model as ONNX")
        place = {"Bucket": BUCKET, "Key": "runs/onnx"}
        digests["onnx"] = copy(place, BUCKET, f"models/{RUN}/model.onnx", "application/octet-stream")
    evaluation = {"workload": "auto_mpg", "title": "A title", "digests": digests}
    body = json.dumps(evaluation | ({"smoke_test": smoke} if smoke else {})).encode()
    world.put(f"models/{RUN}/evaluation.json", body)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return {"run_id": RUN, "evaluation_digest": digest, "endpoint_type": kind}


def record(world: World, status: str = "started", execution: str = EXECUTION) -> None:
    """The item of the release."""
    texts = {"package_arn": PACKAGE, "workload": "auto_mpg", "status": status, "execution_arn": execution}
    world.table.put_item(Item={"pk": f"release#{PACKAGE}", "version": 7, "reason": "", **texts})
    world.table.put_item(Item={"pk": "releasing#auto_mpg", "execution_arn": execution})


def go_live(world: World, execution: str = EXECUTION, version: int = 7, **kept: str) -> None:
    """The item about what is live."""
    texts = {
        "workload": "auto_mpg",
        "package_arn": PACKAGE.removesuffix("7") + str(version),
        "endpoint_type": "serverless",
        "endpoint_name": ENDPOINT,
        "config_name": f"{ENDPOINT}-v{version}-0123abcd",
        "model_name": f"{ENDPOINT}-v{version}-0123abcd",
        "since": "2026-03-01T09:46:00Z",
        "execution_arn": execution,
        **kept,
    }
    world.table.put_item(Item={"pk": "live#auto_mpg", "version": version, **texts})


def report(world: World, context: Any, name: str) -> dict[str, Any]:
    """The execution ended as in this event, and the function gets it."""
    told = event(name)
    world.stepfunctions.end(EXECUTION, told["detail"]["status"], **{
        key: told["detail"][key] for key in ("input", "output", "error", "cause") if key in told["detail"]
    })  # fmt: skip
    answer: dict[str, Any] = report_release.handler(told, context)
    return answer


# Before a release


def test_files_that_are_those_of_the_evaluation_pass(world: World, context: Any) -> None:
    assert check_release.handler(keep(world), context) == {
        "has_smoke_test": True,
        "onnx_digest": "",
        "warnings": [],
    }


def test_a_function_gets_the_digest_of_the_model_as_onnx(world: World, context: Any) -> None:
    digest = f"sha256:{hashlib.sha256(b'a model as ONNX').hexdigest()}"
    asked = keep(world, onnx=True, kind="function")
    assert check_release.handler(asked, context)["onnx_digest"] == digest
    world.put(f"models/{RUN}/model.onnx", b"another one")
    with pytest.raises(ArtifactRefused, match=r"model.onnx was changed"):
        check_release.handler(asked, context)


def test_an_endpoint_does_not_need_the_model_as_onnx(world: World, context: Any) -> None:
    asked = keep(world, onnx=True)
    world.s3.delete_object(Bucket=BUCKET, Key=f"models/{RUN}/model.onnx")
    assert check_release.handler(asked, context)["has_smoke_test"]


def test_an_evaluation_without_a_smoke_test_passes_with_a_warning(world: World, context: Any) -> None:
    answer = check_release.handler(keep(world, smoke=None), context)
    assert not answer["has_smoke_test"]
    assert "nothing shows" in answer["warnings"][0]


@pytest.mark.parametrize("name", ["model.tar.gz", "evaluation.json"])
def test_a_changed_file_is_refused(world: World, context: Any, name: str) -> None:
    asked = keep(world)
    world.put(f"models/{RUN}/{name}", b"another one")
    with pytest.raises(ArtifactRefused, match=rf"{name} was changed"):
        check_release.handler(asked, context)


def test_a_deleted_model_is_refused(world: World, context: Any) -> None:
    asked = keep(world)
    world.s3.delete_object(Bucket=BUCKET, Key=f"models/{RUN}/model.tar.gz")
    with pytest.raises(ArtifactRefused, match="missing"):
        check_release.handler(asked, context)


# The smoke test


def test_an_endpoint_that_answers_as_the_evaluated_model_passes(world: World, context: Any) -> None:
    asked = keep(world) | {"endpoint_name": ENDPOINT}
    world.endpoints.answer = lambda body: "17.5\n17.50000001\n"
    answer = smoke_test.handler(asked, context)
    assert answer["rows"] == 2
    assert 0 < answer["largest_difference"] < 1e-6
    assert answer["milliseconds"] >= 0
    sent = world.endpoints.requests[0]
    assert (sent["EndpointName"], sent["ContentType"], sent["Body"].decode()) == (
        ENDPOINT,
        "text/csv",
        TEST["request"],
    )


@pytest.mark.parametrize("answer", ["17.5\n17.6\n", "17.5\n", "", "<html>Bad gateway</html>\n17.5\n"])
def test_an_endpoint_that_answers_otherwise_fails(world: World, context: Any, answer: str) -> None:
    asked = keep(world) | {"endpoint_name": ENDPOINT}
    world.endpoints.answer = lambda body: answer
    with pytest.raises(SmokeTestFailed):
        smoke_test.handler(asked, context)


def test_an_endpoint_whose_model_refuses_the_rows_fails_with_its_words(world: World, context: Any) -> None:
    said = {
        "Error": {"Code": "ModelError", "Message": "Received 400"},
        "OriginalMessage": "row 1: bad weight",
    }
    world.endpoints.broken = ClientError(said, "InvokeEndpoint")  # type: ignore[arg-type]
    with pytest.raises(SmokeTestFailed, match="bad weight"):
        smoke_test.handler(keep(world) | {"endpoint_name": ENDPOINT}, context)


VERSION = "mpg-pipeline-serve:8"


def try_function(world: World, context: Any) -> dict[str, Any]:
    answer: dict[str, Any] = smoke_test.handler(
        keep(world, kind="function") | {"endpoint_name": VERSION}, context
    )
    return answer


def test_a_version_of_the_function_that_answers_as_the_evaluated_model_passes(
    world: World, context: Any
) -> None:
    world.functions.answer = lambda request: {"status": 200, "body": TEST["answer"]}
    assert try_function(world, context)["largest_difference"] == 0
    sent = world.functions.requests[0]
    assert (sent["FunctionName"], sent["Qualifier"]) == ("mpg-pipeline-serve", "8")
    assert json.loads(sent["Payload"]) == {
        "content_type": "text/csv",
        "accept": "text/csv",
        "body": TEST["request"],
    }


def test_a_version_of_the_function_that_answers_otherwise_or_not_fails(world: World, context: Any) -> None:
    with pytest.raises(SmokeTestFailed, match="line 1"):
        try_function(world, context)
    world.functions.answer = lambda request: {"status": 400, "error": "record 1: no"}
    with pytest.raises(SmokeTestFailed, match="record 1: no"):
        try_function(world, context)
    world.functions.error = "model.onnx is missing"
    with pytest.raises(SmokeTestFailed, match=r"model.onnx is missing"):
        try_function(world, context)


def test_an_endpoint_that_is_busy_is_asked_again_by_the_state_machine(world: World, context: Any) -> None:
    said = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
    world.endpoints.broken = ClientError(said, "InvokeEndpoint")  # type: ignore[arg-type]
    with pytest.raises(ClientError):
        smoke_test.handler(keep(world) | {"endpoint_name": ENDPOINT}, context)


def test_the_line_that_differs_is_named() -> None:
    """tests/unit/processing/common/test_smoke_test.py has every way in which answers differ."""
    assert largest_difference("1,a\n0.5\n", "1,a\n0.6", 0.2) == pytest.approx(0.1)
    with pytest.raises(
        SmokeTestFailed, match=r"the evaluated model did: line 2: 0\.9 instead of 0\.5; more than"
    ):
        largest_difference("1,a\n0.5\n", "1,a\n0.9", 0.2)


# The end of a release


def test_the_mail_says_what_is_live_and_how_to_call_it(world: World, context: Any) -> None:
    kept = keep(world)
    record(world, "live")
    go_live(world, **kept)
    assert report(world, context, "report_release-live") == {"mailed": True}
    [(subject, text)] = world.mails()
    assert subject == "Version 7 is live: A title"
    assert f"--endpoint-name {ENDPOINT}" in text
    assert f"--body '{ROW}' /dev/stdout" in text
    assert f'Body="{ROW}".encode()' in text
    assert "mpg rollback auto_mpg" in text


def test_a_row_that_is_too_long_or_could_hold_a_link_is_not_in_the_mail(world: World, context: Any) -> None:
    for row in ("1" * 400, "1,www.evil.example"):
        kept = keep(world, smoke={**TEST, "request": f"{row}\n"})
        record(world, "live")
        go_live(world, **kept)
        world.table.delete_item(Key={"pk": f"told#{EXECUTION}#SUCCEEDED#0"})
        report(world, context, "report_release-live")
        text = world.mails()[-1][1]
        assert row not in text
        assert "fileb://rows" in text


def test_the_mail_says_how_to_call_a_function(world: World, context: Any) -> None:
    kept = keep(world, kind="function")
    record(world, "live")
    go_live(world, **{**kept, "endpoint_name": "mpg-pipeline-serve:auto-mpg"})
    report(world, context, "report_release-live")
    text = world.mails()[0][1]
    request = json.dumps({"content_type": "text/csv", "accept": "text/csv", "body": ROW})
    assert "--function-name mpg-pipeline-serve:auto-mpg" in text
    assert f"--payload '{request}' /dev/stdout" in text
    assert f"request = {request}" in text


def test_a_long_row_for_a_function_comes_from_a_file(world: World, context: Any) -> None:
    kept = keep(world, smoke={**TEST, "request": "1" * 400}, kind="function")
    record(world, "live")
    go_live(world, **{**kept, "endpoint_name": "mpg-pipeline-serve:auto-mpg"})
    report(world, context, "report_release-live")
    text = world.mails()[0][1]
    assert "1" * 400 not in text
    assert "--payload fileb://request.json" in text
    assert "with your rows in a file named rows" in text


def test_the_mail_about_a_failure_has_the_reason_and_what_is_still_live(world: World, context: Any) -> None:
    record(world, "failed")
    go_live(world, execution="another", version=6)
    report(world, context, "report_release-failed")
    [(subject, text)] = world.mails()
    assert subject == "Version 7 was not released: auto_mpg"
    assert "Row 3 of the smoke test" in text
    assert "Version 6 is still live" in text


def test_a_failure_without_anything_live_says_so(world: World, context: Any) -> None:
    record(world, "failed")
    report(world, context, "report_release-failed")
    assert "Nothing is live." in world.mails()[0][1]


def test_a_superseded_release_says_which_version_is_live(world: World, context: Any) -> None:
    record(world, "superseded")
    go_live(world, execution="another", version=8)
    report(world, context, "report_release-superseded")
    assert "Version 8, which was approved later, is live." in world.mails()[0][1]


def test_an_end_is_reported_once(world: World, context: Any) -> None:
    record(world, "failed")
    report(world, context, "report_release-failed")
    assert report(world, context, "report_release-failed") == {"mailed": False}
    assert len(world.mails()) == 1


# A release that was stopped half way


def stop(world: World, context: Any) -> None:
    record(world)
    report(world, context, "report_release-stopped")


def requested(world: World) -> list[str]:
    """The packages whose release was started."""
    inputs = [json.loads(e.get("input", "{}")) for e in world.stepfunctions.executions.values()]
    return [i["detail"]["ModelPackageArn"] for i in inputs if i.get("detail-type") == "Release Requested"]


def endpoint(world: World, config: str, status: str = "InService") -> None:
    world.sagemaker.endpoints[ENDPOINT] = {"EndpointStatus": status, "EndpointConfigName": config}


@pytest.mark.parametrize(
    ("config", "status"), [("new", "InService"), (f"{ENDPOINT}-v6-0123abcd", "Updating")]
)
def test_what_is_live_is_released_again_after_a_release_was_stopped(
    world: World, context: Any, config: str, status: str
) -> None:
    go_live(world, execution="another", version=6)
    endpoint(world, config, status)
    stop(world, context)
    assert requested(world) == [PACKAGE.removesuffix("7") + "6"]
    assert world.item(f"release#{PACKAGE}")["status"] == "failed"
    assert world.item("releasing#auto_mpg") == {}
    assert "Somebody stopped the release." in world.mails()[0][1]


def test_nothing_is_released_again_if_the_endpoint_was_not_changed(world: World, context: Any) -> None:
    go_live(world, execution="another", version=6)
    endpoint(world, f"{ENDPOINT}-v6-0123abcd")
    stop(world, context)
    assert requested(world) == []


def test_what_is_live_in_a_function_is_released_again(world: World, context: Any) -> None:
    go_live(
        world, execution="another", version=6, endpoint_type="function", config_name="mpg-pipeline-serve:6"
    )
    stop(world, context)
    assert requested(world) == [PACKAGE.removesuffix("7") + "6"]
    assert world.item("releasing#auto_mpg") == {}


def test_an_endpoint_whose_first_release_was_stopped_is_deleted(world: World, context: Any) -> None:
    endpoint(world, "new")
    stop(world, context)
    assert world.sagemaker.endpoints == {}


def test_a_release_stopped_after_it_went_live_is_live(world: World, context: Any) -> None:
    go_live(world, **keep(world))
    stop(world, context)
    assert world.item(f"release#{PACKAGE}")["status"] == "live"
    assert requested(world) == []
    assert world.mails()[0][0] == "Version 7 is live: A title"


def test_a_release_that_waited_for_its_turn_changes_nothing(world: World, context: Any) -> None:
    endpoint(world, "new")
    record(world)
    world.table.put_item(Item={"pk": "releasing#auto_mpg", "execution_arn": "another"})
    report(world, context, "report_release-stopped")
    assert ENDPOINT in world.sagemaker.endpoints
    assert world.item("releasing#auto_mpg")["execution_arn"] == "another"


def test_a_release_of_the_same_model_that_started_meanwhile_keeps_its_record(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_endpoint(**asked: str) -> dict[str, Any]:
        world.table.put_item(Item={**world.item(f"release#{PACKAGE}"), "execution_arn": "another"})
        return {}

    endpoint(world, "new")
    monkeypatch.setattr(world.sagemaker, "delete_endpoint", delete_endpoint)
    stop(world, context)
    kept = world.item(f"release#{PACKAGE}")
    assert (kept["execution_arn"], kept["status"]) == ("another", "started")


# The sweep


def approve_now(world: World) -> None:
    world.sagemaker.register(PACKAGE, "Approved")
    world.sagemaker.packages[PACKAGE]["LastModifiedTime"] = now()


def test_the_sweep_starts_a_release_that_no_event_started_once(world: World, context: Any) -> None:
    approve_now(world)
    assert sweep.handler(event("sweep-scheduled"), context) == {"release": 1}
    # The machine that would note the release does not run here.
    sweep.handler(event("sweep-scheduled"), context)
    assert requested(world) == [PACKAGE]


def test_the_sweep_leaves_a_release_alone_that_was_started(world: World, context: Any) -> None:
    approve_now(world)
    record(world, "failed")
    assert sweep.handler(event("sweep-scheduled"), context) == {}
    assert requested(world) == []


def test_the_sweep_starts_no_release_of_a_model_approved_long_ago(world: World, context: Any) -> None:
    world.sagemaker.register(PACKAGE, "Approved")
    sweep.handler(event("sweep-scheduled"), context)
    assert requested(world) == []


def test_the_sweep_starts_nothing_while_releases_are_off(
    world: World, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_TYPE", "none")
    approve_now(world)
    sweep.handler(event("sweep-scheduled"), context)
    assert requested(world) == []


def test_the_sweep_reports_a_release_whose_event_was_lost_once(world: World, context: Any) -> None:
    record(world, "failed")
    told = event("report_release-failed")["detail"]
    world.stepfunctions.end(
        EXECUTION, "FAILED", input=told["input"], error=told["error"], cause=told["cause"]
    )
    assert sweep.handler(event("sweep-scheduled"), context) == {"release end": 1}
    assert report(world, context, "report_release-failed") == {"mailed": False}
    assert len(world.mails()) == 1


# A decision that is changed


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (7, "The model is still live: version 7"),
        (6, "Live is another model: version 6"),
        (None, "The run does nothing"),
    ],
)
def test_the_mail_about_a_changed_decision_says_what_is_live(
    world: World, version: int | None, says: str
) -> None:
    approval = replace(ask(world).record, package_arn=PACKAGE)
    if version:
        go_live(world, version=version)
    before, after = (
        Decision(v, "Ada", "", "2026-03-02T09:00:00Z", "SageMaker") for v in ("approved", "rejected")
    )
    text = change_mail(approval, before, after).text
    assert says in text
    assert ("mpg rollback auto_mpg" in text) == (version == 7)
    assert "A release of the model follows" in change_mail(approval, after, before).text
