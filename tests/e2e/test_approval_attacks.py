"""Attacks on the review page: scanners, other sites, malformed bodies, hostile text."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.up import UNDECIDED, Asked, Up, ask
from tests.e2e.visitor import FORM, Answer, Contents, approve, look, post, reject, send

# Requests of other sites never reach the function here; tests/unit/functions/test_review.py covers them.
BY_THE_DOORS = "The embedded AWS does not answer pages of other sites."
BY_THE_FUNCTION = "can only be sent from the review page itself"
HOSTILE = '"><script>alert(1)</script>'


def test_a_scanner_that_opens_follows_and_submits_everything_decides_nothing(asked: Asked) -> None:
    seen: set[str] = set()
    waiting = {asked.link}
    while waiting:
        url = waiting.pop()
        seen.add(url.partition("#")[0])
        assert send("HEAD", url).html == ""
        contents = Contents(look(url))
        assert contents.links <= {f"{asked.link}#decision", asked.link}, "a link that a scanner would follow"
        waiting |= {link for link in contents.links if link.partition("#")[0] not in seen}
        for form in contents.forms:
            assert form.method == "POST"
            assert [name for name, _ in form.buttons].count("decision") == 2
            for fields in form.submissions():
                for headers in ({}, {"Sec_Fetch_Site": "none"}, {"Sec_Fetch_Site": "cross-site"}):
                    assert post(form.action, fields, **headers).status in (403, 422)
                assert send("GET", f"{form.action}?{'&'.join(map('='.join, fields.items()))}").status == 200
                assert send("POST", form.action, headers={"Content-Type": FORM}).status == 403
    assert seen == {asked.link}
    assert asked.standing == UNDECIDED
    assert approve(asked.link).status == 303, "a person still can"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method_decides_whatever_it_carries(untouched: Asked, method: str) -> None:
    body = "decision=approve&reviewer=Ada"
    for url in (untouched.link, f"{untouched.link}?{body}"):
        answer = send(method, url, body, {"Content-Type": FORM, "Sec-Fetch-Site": "same-origin"})
        assert answer.status == (200 if method in ("GET", "HEAD") else 405)
    assert untouched.standing == UNDECIDED


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, BY_THE_DOORS),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://evil.us-east-1.on.aws"}, BY_THE_DOORS),
        ({"Sec-Fetch-Site": "none"}, BY_THE_FUNCTION),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, BY_THE_DOORS),
        ({"Origin": "https://evil.example"}, BY_THE_DOORS),
        ({"Origin": "null"}, BY_THE_DOORS),
        ({}, BY_THE_FUNCTION),
    ],
)
def test_a_post_that_does_not_come_from_the_page_is_refused(
    untouched: Asked, headers: dict[str, str], reason: str
) -> None:
    body = "decision=approve&reviewer=Mallory&comment="
    answer = send("POST", untouched.link, body, {"Content-Type": FORM, **headers})
    assert answer.status == 403
    assert reason in answer.text
    assert untouched.standing == UNDECIDED


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"decision=approve&reviewer=Ada&comment=" + b"x" * 40_000, FORM, 413),
        (b"decision=approve&decision=reject&reviewer=Ada", FORM, 400),
        (b"decision=approve&reviewer=%ff", FORM, 400),
        (b"decision=approve&reviewer=\xff", FORM, 400),
        (b'{"decision": "approve", "reviewer": "Ada"}', "application/json", 415),
        (b"decision=approve&reviewer=Ada", "text/plain", 415),
        (b"decision=approve&reviewer=Ada", "multipart/form-data; boundary=x", 415),
    ],
)
def test_a_body_that_is_too_large_or_not_a_form_is_refused(
    untouched: Asked, body: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type, "Sec-Fetch-Site": "same-origin"}
    answer = send("POST", untouched.link, body, headers)
    assert answer.status == status
    assert answer.html.startswith("<!doctype html>")
    assert untouched.standing == UNDECIDED


def test_a_caller_who_may_only_invoke_functions_decides_nothing_and_sends_no_mail(untouched: Asked) -> None:
    up, mails = untouched.up, untouched.up.mails("ApprovalTopic", untouched.run_id)
    decided = {"ModelPackageArn": untouched.package_arn, "ModelApprovalStatus": "Approved"}
    request = {
        "execution_arn": untouched.execution_arn,
        "task_token": "a token of mine",
        "model_package_arn": untouched.package_arn,
        "evaluation": {"metrics": [{"name": "mse", "value": 0.01}], "gate": {"metric": "mse", "at_most": 46}},
    }
    before = untouched.record
    forged = {"ResumePipelineFunction": {"detail": decided}, "RequestApprovalFunction": request}
    with ThreadPoolExecutor() as attackers:
        answers = list(attackers.map(lambda item: invoke(up, *item), forged.items()))
    assert [answer["errorType"] for answer in answers] == ["DecisionNotVisible", "RequestNotScheduled"]
    assert untouched.standing == UNDECIDED
    assert untouched.record == before
    assert up.mails("ApprovalTopic", untouched.run_id) == mails


def invoke(up: Up, function: str, event: dict[str, Any]) -> Any:
    answer = up.client("lambda").invoke(FunctionName=up.resources[function], Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def every_kind_of_answer(asked: Asked) -> list[Answer]:
    """From the open page to the decided one, with everything that can go wrong in between."""
    site = asked.link.partition("review/")[0]
    return [
        look(asked.link),
        send("HEAD", asked.link),
        look(site),
        look(f"{site}favicon.ico"),
        look(asked.link[:-1] + "!"),
        post(asked.link, {}),
        post(asked.link, {}, Sec_Fetch_Site="none"),
        post(asked.link, {"comment": "x" * 40_000}),
        post(asked.link, {}, Content_Type="text/plain"),
        send("PUT", asked.link),
        approve(asked.link),
        look(asked.link),
        reject(asked.link),
    ]


def test_every_answer_forbids_what_a_page_like_this_never_needs(asked: Asked) -> None:
    answers = every_kind_of_answer(asked)
    assert [answer.status for answer in answers] == [
        *(200, 200, 404, 404, 404, 422, 403, 413, 415, 405, 303, 200, 409)
    ]
    for answer in answers:
        policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy.pop("style-src"))
        assert policy == {
            "default-src": "'none'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
            "form-action": "'self'",
        }
        assert answer.headers.items() >= {
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-type", "text/html; charset=utf-8"),
        }


def test_hostile_text_is_shown_as_text_on_the_page_and_in_the_mails(up: Up) -> None:
    # Its slash makes folders, and the first one names a workload.
    asked = ask(up, f"auto_mpg/{HOSTILE}.csv")
    assert f"incoming/auto_mpg/{HOSTILE}.csv" in asked.mail.text
    opened = look(asked.link)
    refused = reject(asked.link, HOSTILE, "")
    assert Contents(refused).forms[0].fields["reviewer"] == HOSTILE
    comment = f"</textarea></p>{HOSTILE}\n{HOSTILE}"
    assert reject(asked.link, HOSTILE, comment).status == 303
    decided = look(asked.link)
    for page in (opened, refused, decided):
        assert f"incoming/auto_mpg/{HOSTILE}.csv" in page.text
        assert not Contents(page).tags & {"script", "b", "img", "iframe"}
    assert f"Already decided by {HOSTILE} at" in decided.text
    assert comment.replace("\n", " ") in decided.text
    mail = asked.final_mail("Rejected: ")
    assert asked.end()["decision"]["reviewer"] == HOSTILE
    assert f"{HOSTILE} rejected the model." in mail.text
    assert comment in mail.text
