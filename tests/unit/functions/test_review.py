"""The review page: GET shows; POST decides, once, and only what a person chose on the page."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approval import deciding, packages
from approval.mails import request_mail
from approval.records import decide_by_link, hash_link, new_link_id
from approval.request import Decision
from common.evaluation import Evaluation
from handlers import resume_pipeline
from handlers import review as handler
from tests.evaluation import DRAWN, DRIFT, DRIFTED, EVALUATION, FORMER
from tests.unit.functions.conftest import BUCKET, World
from tests.unit.functions.requests import APPROVE, BROWSER, REJECT, Asked, ask, http, post
from web import review
from web.form import check_entry

# One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsQUPxAAAAABJRU5ErkJggg=="


@pytest.fixture
def asked(world: World) -> Asked:
    return ask(world)


@pytest.fixture
def send(context: Any) -> Any:
    """Call the function as its URL does."""
    return lambda event: handler.handler(event, context)


def test_the_page_shows_what_a_decision_needs(world: World, asked: Asked, send: Any) -> None:
    page = send(http("GET", asked.path))["body"]
    for shown in (
        "cars 2026+spring.csv",
        "2026-03-01 09:25 UTC",
        "203.0.113.20",
        "278 train, 60 validation, 60 test",
        "8.73",
        "2.95",
        "2.91",
        "at most 46",
        "9.10",
        "60.81",
        "lambda = 2.47",
        "You can decide here until",
        "Approving sets the model package to Approved",
        asked.arn,
    ):
        assert shown in page, shown


def test_the_page_draws_the_test_predictions_and_lists_the_first_batch_predictions(
    world: World, asked: Asked, send: Any
) -> None:
    run = asked.record.run_id
    world.put(f"models/{run}/evaluation.json", json.dumps({**EVALUATION, **DRAWN}).encode())
    world.put(f"runs/{run}/predictions/batch.csv.out", b'8,307,130,3504,12,70,1,"chevelle, malibu",17.215\n')
    page = send(http("GET", asked.path))["body"]
    assert page.count("<circle") == sum(len(figure["points"]) for figure in DRAWN["figures"])
    assert "chevelle, malibu" in page
    assert "<tbody>\n<tr><td>17.21</td><td>8</td>" in page


@pytest.mark.parametrize(("kept", "drawn"), [(DRIFT, 3), ({**DRIFT, "rows": 185}, 0), (None, 0)])
def test_histograms_are_drawn_if_the_kept_evaluation_says_what_the_record_says(
    world: World, send: Any, kept: Any, drawn: int
) -> None:
    summary = Evaluation.from_json(DRIFTED).summary()
    asked = ask(world, evaluation=summary)
    world.put(
        f"models/{asked.record.run_id}/evaluation.json", json.dumps({**DRIFTED, "drift": kept}).encode()
    )
    page = send(http("GET", asked.path))["body"]
    assert "184 new rows beside 398" in page
    assert page.count('<svg class="histogram" role="img"') == drawn


def test_the_page_works_without_its_files_in_s3(asked: Asked, send: Any) -> None:
    answer = send(http("GET", asked.path))
    assert answer["statusCode"] == 200
    assert 'value="approve"' in answer["body"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"test_predictions": [{"actual": "x"}]}', b"\xff\x00"]
)
def test_the_page_works_with_an_unreadable_evaluation(
    world: World, asked: Asked, send: Any, content: bytes
) -> None:
    world.put(f"models/{asked.record.run_id}/evaluation.json", content)
    world.put(f"runs/{asked.record.run_id}/predictions/batch.csv.out", content)
    assert send(http("GET", asked.path))["statusCode"] == 200


def test_looking_changes_nothing(world: World, asked: Asked, send: Any) -> None:
    before = world.items()
    for method in ("GET", "HEAD", "GET"):
        assert send(http(method, asked.path))["statusCode"] == 200
    assert world.items() == before
    assert world.sagemaker.updates == []


def test_head_answers_as_get_without_a_body(asked: Asked, send: Any) -> None:
    got, head = (send(http(method, asked.path)) for method in ("GET", "HEAD"))
    assert head == {**got, "body": ""}


@pytest.mark.parametrize("change", ["changed", "written anew", "deleted"])
def test_a_model_that_is_not_the_evaluated_one_cannot_be_approved_but_rejected(
    world: World, asked: Asked, send: Any, change: str
) -> None:
    key = f"models/{asked.record.run_id}/model.tar.gz"
    if change == "deleted":
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        world.put(key, b"another" if change == "changed" else b"a model")
    before = world.items()
    answer = send(post(asked.path, APPROVE))
    assert answer["statusCode"] == 422
    assert "its file was changed or deleted after it was evaluated" in answer["body"]
    assert world.items() == before
    assert world.sagemaker.updates == []
    assert send(post(asked.path, REJECT))["statusCode"] == 303


def test_an_approval_is_recorded_with_who_when_and_from_where(world: World, asked: Asked, send: Any) -> None:
    answer = send(post(asked.path, APPROVE))
    assert (answer["statusCode"], answer["headers"]["Location"]) == (303, asked.path)
    item = world.item(f"package#{asked.arn}")
    assert item["status"] == "APPROVED"
    assert item["reviewer"] == "Ada Lovelace"
    assert item["decided_from_address"] == "203.0.113.7"
    assert item["decided_with_browser"] == "Firefox"
    assert datetime.fromisoformat(item["decided_at"]) <= datetime.now(UTC)


def test_a_decision_sets_the_package_and_does_not_touch_the_execution(
    world: World, asked: Asked, send: Any
) -> None:
    send(post(asked.path, REJECT))
    (update,) = world.sagemaker.updates
    assert update["ModelApprovalStatus"] == "Rejected"
    assert re.fullmatch(
        r"Rejected by Grace Hopper at \S+: Errors grow\. Look again\.", update["ApprovalDescription"]
    )
    assert world.item(f"package#{asked.arn}")["comment"] == "Errors grow.\nLook again."
    assert world.stepfunctions.results == []


def test_the_longest_comment_fits_the_description_and_is_kept_whole(
    world: World, asked: Asked, send: Any
) -> None:
    comment = "é\u2028" + "x" * 1998
    answer = send(post(asked.path, {**REJECT, "comment": comment}))
    assert answer["statusCode"] == 303
    description = world.sagemaker.updates[0]["ApprovalDescription"]
    assert len(description) == 1024
    assert "\u2028" not in description
    assert len(world.item(f"package#{asked.arn}")["comment"]) == 2000


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"reviewer": "", "comment": ""},
        {"reviewer": "Ada", "comment": ""},
        {**APPROVE, "decision": ""},
        {**APPROVE, "decision": "Approve"},
        {**APPROVE, "decision": "approved"},
        {**APPROVE, "decision": "yes"},
        {**APPROVE, "decision": "approve "},
        {**APPROVE, "reviewer": ""},
        {**APPROVE, "reviewer": " \t "},
        {**APPROVE, "reviewer": "..."},
        {**APPROVE, "reviewer": "\u202e\u200b"},
        {**APPROVE, "reviewer": "\u3164\u115f"},
        {**APPROVE, "reviewer": "x" * 101},
        {**APPROVE, "comment": "x" * 2001},
        {**REJECT, "comment": ""},
        {**REJECT, "comment": " \r\n "},
        {**REJECT, "comment": "\u3164\u2800\u0301"},
        {"finish": "yes"},
    ],
)
def test_an_incomplete_decision_changes_nothing_and_is_explained(
    world: World, asked: Asked, send: Any, form: dict[str, str]
) -> None:
    before = world.items()
    answer = send(post(asked.path, form))
    assert answer["statusCode"] == 422
    assert "Nothing was decided." in answer["body"]
    assert world.items() == before
    assert world.sagemaker.updates == []


def test_a_form_keeps_its_values_after_a_mistake(asked: Asked, send: Any) -> None:
    page = send(post(asked.path, {"decision": "reject", "reviewer": 'Ada "><b>', "comment": ""}))["body"]
    assert 'value="Ada &#34;&gt;&lt;b&gt;"' in page
    assert "rejecting needs a comment" in page


def test_the_scanner_that_opens_and_submits_everything_decides_nothing(
    world: World, asked: Asked, send: Any
) -> None:
    page = send(http("GET", asked.path))["body"]
    for link in re.findall(r'href="([^"]*)"', page):
        assert link.startswith("#"), "a link that a scanner could follow"
    fields = dict(re.findall(r'<(?:input|textarea)[^>]*name="(\w+)"(?:[^>]*value="([^"]*)")?', page))
    buttons: list[dict[str, str]] = [{}] + [
        {name: value} for name, value in re.findall(r'<button[^>]*name="(\w+)"[^>]*value="(\w+)"', page)
    ]
    assert len(buttons) == 3
    for button in buttons:
        assert send(post(asked.path, {**fields, **button}))["statusCode"] == 422
    assert asked.record.decision is None
    assert world.sagemaker.updates == []


@pytest.mark.parametrize(
    "headers",
    [
        {**BROWSER, "sec-fetch-site": "cross-site"},
        {**BROWSER, "sec-fetch-site": "same-site"},
        {**BROWSER, "sec-fetch-site": "none"},
        {"host": BROWSER["host"], "origin": "https://example.com"},
        {"host": BROWSER["host"], "origin": "null"},
        {"host": BROWSER["host"]},
        {},
    ],
)
def test_a_post_from_anywhere_but_the_page_is_refused(
    world: World, asked: Asked, send: Any, headers: dict[str, str]
) -> None:
    answer = send(http("POST", asked.path, APPROVE, **headers))
    assert answer["statusCode"] == 403
    assert asked.record.decision is None


def test_an_old_browser_that_sends_only_its_origin_can_decide(asked: Asked, send: Any) -> None:
    headers = {"host": BROWSER["host"], "origin": BROWSER["origin"]}
    assert send(http("POST", asked.path, APPROVE, **headers))["statusCode"] == 303


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (
            http("POST", "/review/" + "A" * 43, b"decision=approve&decision=reject&reviewer=Ada", **BROWSER),
            400,
        ),
        (http("POST", "/review/" + "A" * 43, b"decision=approve&reviewer=%ff", **BROWSER), 400),
        (http("POST", "/review/" + "A" * 43, b"\xff\xfe", **BROWSER), 400),
        (http("POST", "/review/" + "A" * 43, b"&".join([b"a%d=1" % n for n in range(11)]), **BROWSER), 400),
        (http("POST", "/review/" + "A" * 43, b"x" * 40_000, **BROWSER), 413),
        (http("POST", "/review/" + "A" * 43, APPROVE, content_type="text/plain", **BROWSER), 415),
        (http("POST", "/review/" + "A" * 43, APPROVE, **BROWSER), 404),
        (http("PUT", "/review/" + "A" * 43, APPROVE, **BROWSER), 405),
        (http("DELETE", "/review/" + "A" * 43), 405),
        (http("GET", "/review/" + "A" * 43), 404),
        (http("GET", "/review/" + "A" * 42), 404),
        (http("GET", "/review/../" + "A" * 40), 404),
        (http("GET", "/review/"), 404),
        (http("GET", "/"), 404),
    ],
)
def test_a_malformed_request_gets_a_plain_page(world: World, send: Any, event: Any, status: int) -> None:
    answer = send(event)
    assert answer["statusCode"] == status
    assert answer["body"].startswith("<!doctype html>")


def test_the_second_decision_sees_the_first(world: World, asked: Asked, send: Any) -> None:
    send(post(asked.path, APPROVE))
    answer = send(post(asked.path, REJECT))
    assert answer["statusCode"] == 409
    assert "Already decided by Ada Lovelace at 20" in answer["body"]
    assert asked.record.decision is not None
    assert asked.record.decision.reviewer == "Ada Lovelace"
    assert len(world.sagemaker.updates) == 1


def test_the_second_of_two_simultaneous_decisions_sees_the_first(
    asked: Asked, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    undecided = asked.record
    assert send(post(asked.path, APPROVE))["statusCode"] == 303
    monkeypatch.setattr(review, "find_by_link", lambda link_hash: undecided)
    answer = send(post(asked.path, REJECT))
    assert answer["statusCode"] == 409
    assert "Already decided by Ada Lovelace at 20" in answer["body"]


def test_only_one_of_two_decisions_that_passed_every_check_is_written(asked: Asked) -> None:
    record, moment = asked.record, datetime.now(UTC)
    link_hash = hash_link(asked.link_id)
    first, second = (Decision("approved", who, "", "2026-03-01T09:41:12Z", "review page") for who in "ab")
    assert decide_by_link(record, link_hash, first, moment)
    assert not decide_by_link(record, link_hash, second, moment)
    assert asked.record.decision == first


def test_after_a_decision_the_page_shows_it_and_no_form(asked: Asked, send: Any) -> None:
    send(post(asked.path, REJECT))
    answer = send(http("GET", asked.path))
    assert answer["statusCode"] == 200
    assert "Already decided by Grace Hopper at 20" in answer["body"]
    assert "Errors grow.\nLook again." in answer["body"]
    assert "<form" not in answer["body"]


def test_an_expired_request_says_so_and_accepts_no_decision(world: World, send: Any) -> None:
    asked = ask(world, timeout_seconds=0)
    for event in (http("GET", asked.path), post(asked.path, APPROVE)):
        answer = send(event)
        assert answer["statusCode"] == 410
        assert "This request has expired" in answer["body"]
        assert "<form" not in answer["body"]
    assert asked.record.decision is None


def test_expiry_is_part_of_the_write_itself(asked: Asked) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    decision = Decision("approved", "Ada", "", "2026-03-01T09:41:12Z", "review page")
    assert not decide_by_link(asked.record, hash_link(asked.link_id), decision, later)


def test_the_link_of_an_earlier_mail_is_replaced(world: World, send: Any) -> None:
    first, second = ask(world), ask(world)
    for event in (http("GET", first.path), post(first.path, APPROVE)):
        answer = send(event)
        assert answer["statusCode"] == 410
        assert "newest mail" in answer["body"]
    assert send(post(second.path, APPROVE))["statusCode"] == 303
    assert "Already decided by Ada Lovelace" in send(http("GET", first.path))["body"]


def test_a_replaced_link_cannot_decide_in_the_write_either(world: World) -> None:
    first, _ = ask(world), ask(world)
    decision = Decision("approved", "Ada", "", "2026-03-01T09:41:12Z", "review page")
    assert not decide_by_link(first.record, hash_link(first.link_id), decision, datetime.now(UTC))


def test_a_link_that_was_never_made_opens_nothing(world: World, asked: Asked, send: Any) -> None:
    assert send(http("GET", f"/review/{new_link_id()}"))["statusCode"] == 404
    assert send(http("GET", f"/review/{hash_link(asked.link_id)[:43]}"))["statusCode"] == 404


def test_a_decision_made_in_sagemaker_is_shown_and_not_overridden(
    world: World, asked: Asked, send: Any
) -> None:
    world.sagemaker.decide(asked.arn, "Rejected", by="grace", why="not yet")
    assert "Already decided by grace at 2026-03-02 08:15 UTC" in send(http("GET", asked.path))["body"]
    answer = send(post(asked.path, APPROVE))
    assert answer["statusCode"] == 409
    assert world.sagemaker.updates == []
    assert asked.record.decision is None, "its event records it, not this page"


def test_a_decision_that_cannot_be_applied_to_the_package_stays_and_can_be_retried(
    world: World, asked: Asked, send: Any
) -> None:
    world.sagemaker.refuses_updates = "ThrottlingException"
    assert send(post(asked.path, APPROVE))["statusCode"] == 303
    page = send(http("GET", asked.path))["body"]
    assert "One thing is left to do" in page
    assert f"update-model-package --model-package-arn {asked.arn} --model-approval-status Approved" in page
    world.sagemaker.refuses_updates = ""
    # A retry applies the recorded decision, regardless of the second form.
    assert send(post(asked.path, {**REJECT, "finish": "yes"}))["statusCode"] == 303
    assert world.sagemaker.updates[0]["ModelApprovalStatus"] == "Approved"
    assert "One thing is left to do" not in send(http("GET", asked.path))["body"]


def test_a_retry_does_not_override_a_decision_in_sagemaker(world: World, asked: Asked, send: Any) -> None:
    world.sagemaker.refuses_updates = "ThrottlingException"
    send(post(asked.path, APPROVE))
    world.sagemaker.refuses_updates = ""
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    send(post(asked.path, {"finish": "yes"}))
    assert world.sagemaker.updates == []


def test_nothing_is_decided_while_sagemaker_cannot_be_read(world: World, asked: Asked, send: Any) -> None:
    world.sagemaker.broken = "InternalFailure"
    assert send(http("GET", asked.path))["statusCode"] == 200
    answer = send(post(asked.path, APPROVE))
    assert answer["statusCode"] == 503
    assert "InternalFailure" not in answer["body"]
    assert asked.record.decision is None


def test_no_internals_reach_the_page_or_the_log(
    asked: Asked, send: Any, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def fail(link_hash: str) -> None:
        raise RuntimeError(f"secret {link_hash}")

    monkeypatch.setattr(review, "find_by_link", fail)
    answer = send(http("GET", asked.path))
    assert answer["statusCode"] == 503
    assert '"error_type":"RuntimeError"' in log.getvalue()
    for text in (answer["body"], log.getvalue()):
        assert "secret" not in text
        assert asked.link_id not in text


def test_neither_link_nor_token_nor_words_of_the_reviewer_are_logged(
    asked: Asked, send: Any, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    send(http("GET", asked.path))
    send(post(asked.path, REJECT))
    printed = log.getvalue() + "".join(capsys.readouterr())
    assert '"message":"decided"' in printed
    for secret in (asked.link_id, hash_link(asked.link_id), asked.token, "Grace", "Look again"):
        assert secret not in printed


def test_the_table_holds_no_link(world: World, asked: Asked) -> None:
    assert asked.link_id not in str([{**item, "task_token": ""} for item in world.items()])


@pytest.mark.parametrize("path", ["/", "/review/" + "A" * 43])
def test_every_answer_carries_the_security_headers(world: World, send: Any, path: str) -> None:
    headers = send(http("GET", path))["headers"]
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'; base-uri 'none'; frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_audit_record_is_kept_as_long_as_asked(
    world: World, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "30")
    asked = ask(world)
    send(post(asked.path, APPROVE))
    item = world.item(f"package#{asked.arn}")
    decided = datetime.fromisoformat(item["decided_at"])
    assert int(item["expires_at"]) == int((decided + timedelta(days=30)).timestamp())


def test_an_unanswered_request_is_kept_as_long_after_its_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "30")
    asked = ask(world)
    assert int(world.item(f"package#{asked.arn}")["expires_at"]) == asked.record.decide_before + 30 * 86_400


def test_without_a_retention_the_audit_record_stays(world: World, asked: Asked, send: Any) -> None:
    send(post(asked.path, APPROVE))
    assert "expires_at" not in world.item(f"package#{asked.arn}")


def test_predictions_of_another_bucket_are_not_read(world: World, send: Any) -> None:
    world.s3.create_bucket(Bucket="elsewhere")
    world.s3.put_object(Bucket="elsewhere", Key="batch.csv.out", Body=b"8,1,1,1,1,1,1,stolen,1\n")
    asked = ask(world, predictions_uri="s3://elsewhere/batch.csv.out")
    assert "stolen" not in send(http("GET", asked.path))["body"]


def test_the_predictions_are_read_from_the_runs_folder(world: World, send: Any) -> None:
    asked = ask(world, predictions_uri=f"s3://{BUCKET}/runs/x/predictions/rows.jsonl.out")
    world.put("runs/x/predictions/rows.jsonl.out", b'{"name": "malibu", "SageMakerOutput": {"label": 3}}\n')
    assert "<tr><td>3</td><td>malibu</td></tr>" in send(http("GET", asked.path))["body"]


def test_a_record_of_an_earlier_version_opens_with_what_it_has(world: World, send: Any) -> None:
    asked = ask(world, evaluation=FORMER, threshold=46.0)
    world.put(f"models/{asked.record.run_id}/evaluation.json", json.dumps(FORMER).encode())
    answer = send(http("GET", asked.path))
    assert answer["statusCode"] == 200
    for shown in ("8.73", "2.95", "278 train, 60 validation, 60 test", "lambda = 2.47", 'value="approve"'):
        assert shown in answer["body"], shown
    mail = request_mail(asked.record, "https://link")
    assert "8.73" in mail.text
    # Such a record names its champion in a way that is not read any more.
    assert "approved yet" not in answer["body"] + mail.text
    assert send(post(asked.path, APPROVE))["statusCode"] == 303


def test_only_a_page_with_pictures_may_show_pictures_and_only_embedded_ones(
    world: World, asked: Asked, send: Any
) -> None:
    def policy(event: Any) -> str:
        return str(send(event)["headers"]["Content-Security-Policy"])

    assert "img-src" not in policy(http("GET", asked.path))
    shown = {"kind": "pictures", "title": "Mistakes", "pictures": [{"png": PNG, "caption": "8 read as 3"}]}
    drawn = json.dumps({**EVALUATION, "figures": [shown]}).encode()
    world.put(f"models/{asked.record.run_id}/evaluation.json", drawn)
    for method in ("GET", "HEAD"):
        assert policy(http(method, asked.path)).endswith("; img-src data:")
    assert f'src="data:image/png;base64,{PNG}" alt="8 read as 3"' in send(http("GET", asked.path))["body"]


def test_invisible_characters_are_removed_from_a_name_and_a_comment() -> None:
    entry = check_entry({"decision": "reject", "reviewer": "A\u202eda\x00\n L", "comment": "a\r\nb\x1b[31m"})
    assert (entry.reviewer, entry.comment) == ("A da L", "a\nb [31m")
    assert not entry.errors


def test_a_record_shows_no_secrets_when_it_is_printed(asked: Asked) -> None:
    shown = repr(replace(asked.record, run_id="x"))
    assert asked.token not in shown
    assert hash_link(asked.link_id) not in shown


# SageMaker decides at the same moment


def decide_in_sagemaker_before(
    world: World, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, arn: str
) -> None:
    """Somebody rejects the package in SageMaker right before the page makes this call."""
    original = getattr(module, name)

    def call(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(module, name, original)
        world.sagemaker.decide(arn, "Rejected", by="grace", why="not yet")
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, call)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (deciding, "decide_by_link"),
        (deciding, "apply_to_package"),
        (packages, "read_status"),
        (packages, "write_decision"),
    ],
)
def test_page_record_and_mail_agree_with_the_package_when_sagemaker_decides_meanwhile(
    world: World,
    asked: Asked,
    send: Any,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    call: str,
) -> None:
    with monkeypatch.context() as patch:
        decide_in_sagemaker_before(world, patch, module, call, asked.arn)
        send(post(asked.path, APPROVE))
    package = str(world.sagemaker.packages[asked.arn]["ModelApprovalStatus"])
    detail = {"ModelPackageArn": asked.arn, "ModelApprovalStatus": package}
    resume_pipeline.handler({"detail": detail}, context)
    (result,) = world.stepfunctions.results
    assert json.loads(result)["decision"] == package.lower()
    assert world.item(f"package#{asked.arn}")["status"] == package.upper()
    page = send(http("GET", asked.path))["body"]
    assert f"The model is {package.lower()}." in page
    contradicted = package == "Rejected"
    assert ("It was also approved by Ada Lovelace" in page) == contradicted
    assert ("overruled" in json.loads(result)) == contradicted
    assert ('"ApprovalContradicted":[1.0]' in capsys.readouterr().out) == contradicted


def test_the_page_agrees_with_the_package_before_the_run_has_its_answer(
    world: World, asked: Asked, send: Any
) -> None:
    send(post(asked.path, APPROVE))
    world.sagemaker.decide(asked.arn, "Rejected", by="grace", why="not yet")
    page = send(http("GET", asked.path))["body"]
    assert "The model is rejected." in page
    assert "It was also approved by Ada Lovelace" in page


def test_page_and_mail_say_from_which_run_each_step_was_reused(world: World, send: Any) -> None:
    first, second = "mpg-20260301-0900-0123abcd", "mpg-20260302-0900-4567cdef"
    reused = {"evaluate": second, "tune": first, "preprocess": first, "unknown": "x", "predict": ""}
    asked = ask(world, reused=reused)
    because = "because data, code and parameters are the same"
    sentences = [
        f"prepared data and tuned model from run {first}, {because}",
        f"evaluation from run {second}, {because}",
    ]
    page = send(http("GET", asked.path))["body"]
    mail = request_mail(asked.record, "https://link").text
    for sentence in sentences:
        assert sentence in page
        assert sentence in mail
    assert "Reused" not in request_mail(ask(world).record, "https://link").text
