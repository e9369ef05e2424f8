"""A visitor without the link, or with anything other than the form, gets a sentence and changes nothing.

See tests/unit/functions/test_review.py for what the page does, tests/e2e/test_approval_attacks.py for browsers.
"""

import base64
import copy
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers import review
from tests.unit.functions.conftest import World
from tests.unit.functions.requests import APPROVE, BROWSER, Asked, ask, http, post

HOSTILE = [
    "http://[", "http://a\u2100b", "null", "https://", "://", "\ud800", "\0", "\r\nSet-Cookie: a=b", "<script>", "../" * 99,
    "application/x-www-form-urlencoded;" * 999, "same-origin", "%00%ff", "a" * 9000, "decision=approve&decision=reject",
]  # fmt: skip
TEXTS = st.text(max_size=60) | st.sampled_from(HOSTILE)
NAMES = st.sampled_from([*BROWSER, "content-type", "Content-Type", "cookie", "x-forwarded-for"]) | TEXTS
FORMS = st.dictionaries(
    st.sampled_from(["decision", "reviewer", "comment", "finish"]) | TEXTS, TEXTS, max_size=5
)
PATHS = TEXTS | st.text("aZ09-_", min_size=43, max_size=43).map("/review/{}".format)


@st.composite
def visits(draw: st.DrawFn) -> dict[str, Any]:
    """A Function URL's event for a request; AWS guarantees its frame, the visitor chooses the rest."""
    event = http(draw(st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", ""]) | TEXTS), draw(PATHS))
    event["headers"] = BROWSER | draw(st.dictionaries(NAMES, TEXTS, max_size=4))
    event["requestContext"]["http"] |= {"sourceIp": draw(TEXTS), "userAgent": draw(TEXTS)}
    event["isBase64Encoded"] = draw(st.booleans())
    body = draw(TEXTS | st.binary(max_size=60) | FORMS)
    if isinstance(body, dict):
        form = urlencode(body, errors="surrogatepass").encode()
        event |= post(event["rawPath"], form) | {"headers": event["headers"]}
    else:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if draw(st.booleans()):
        del event[draw(st.sampled_from(["body", "headers", "isBase64Encoded", "rawPath"]))]
    return event


def judge_visit(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The response to a visitor, which is a page or a redirect, and never an error of the function."""
    answer: dict[str, Any] = review.handler(copy.deepcopy(event), context)
    assert answer["statusCode"] in {200, 303, 400, 403, 404, 405, 409, 410, 413, 415, 422}, event
    assert "Traceback" not in answer["body"]
    assert all("\n" not in value and "\r" not in value for value in answer["headers"].values())
    return answer


@pytest.fixture
def asked(world: World) -> Asked:
    return ask(world)


@pytest.fixture
def requests() -> list[Asked]:
    """The request that awaits a decision, if there is one."""
    return []


same_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(visits())
@example(http("POST", "/review/" + "a" * 43, APPROVE, host="x", origin="http://["))
@example(http("POST", "/review/" + "a" * 43, APPROVE, host="x", origin="http://a\u2100b"))
@same_world
def test_without_the_link_nothing_is_shown_and_nothing_decided(
    asked: Asked, context: Any, event: dict[str, Any]
) -> None:
    assert judge_visit(event, context)["statusCode"] >= 400
    assert asked.record.decision is None


@given(visits(), st.sampled_from(["", "/"]))
@same_world
def test_with_the_link_only_the_form_decides_and_its_text_is_kept_clean(
    world: World, requests: list[Asked], context: Any, event: dict[str, Any], end: str
) -> None:
    # A request that is undecided is as good as a new one.
    asked = requests.pop() if requests else ask(world)
    answer = judge_visit(event | {"rawPath": asked.path + end}, context)
    decision = asked.record.decision
    if decision is None:
        requests.append(asked)
        assert answer["statusCode"] != 303
        return
    assert event["requestContext"]["http"]["method"] == "POST"
    assert decision.verdict in {"approved", "rejected"}
    assert decision.reviewer.isprintable()
    assert all(line.isprintable() for line in decision.comment.split("\n"))
    assert (decision.address + decision.browser).isprintable()


@pytest.mark.parametrize("origin", ["http://[", "http://a\u2100b", "null", "", "://", "https://", "x"])
def test_an_invalid_origin_counts_as_another_site(asked: Asked, context: Any, origin: str) -> None:
    event = http("POST", asked.path, APPROVE, origin=origin, host="")
    assert judge_visit(event, context)["statusCode"] == 403
    assert asked.record.decision is None
