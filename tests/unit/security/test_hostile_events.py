"""Content of an upload, a model or a person in an event harms no Lambda: the mail is sent and is clean."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approval.mails import request_mail
from common.evaluation import Evaluation, parse
from handlers import notify
from model.predictions import parse_predictions
from runs.causes import failed_job, readable_cause
from runs.ending_mails import ending_mail
from runs.endings import from_detail
from shared.mails import fit_subject
from tests.unit.functions.conftest import World, event
from tests.unit.functions.requests import ask
from web.form import Entry
from web.pages import open_page

ENDS = [
    "notify-approved", "notify-rejected", "notify-expired", "notify-failed", "notify-upload-refused",
    "notify-model-quality-too-low", "notify-tuning-failed", "notify-timed-out", "notify-aborted",
]  # fmt: skip
HOSTILE = [
    "\x1b[2J",
    "\r\nBcc: x@y",
    "<script>",
    "\u202e",
    "\ud800",
    "{",
    '{"ExitMessage": "',
    "=1+1",
    "x" * 3000,
    "\0",
    "[" * 2000,
]
TEXTS = st.text(max_size=40) | st.sampled_from(HOSTILE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CAUSES = st.one_of(
    TEXTS,
    JSON.map(json.dumps),
    st.dictionaries(
        st.sampled_from(["ExitMessage", "FailureReason", "ProcessingJobName", "errorMessage"]), TEXTS
    ).map(json.dumps),
)


def clean(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@given(CAUSES, st.integers(0, 200))
def test_any_cause_is_reported_in_words_even_if_truncated(cause: str, end: int) -> None:
    for text in (cause, cause[:end]):
        assert clean(readable_cause(text))
        assert len(readable_cause(text)) <= 2000
        job = failed_job(text)
        assert job is None or job.name.isprintable()


@given(st.sampled_from(ENDS), TEXTS, CAUSES, TEXTS, JSON)
def test_any_key_cause_error_and_comment_makes_a_clean_mail(
    name: str, key: str, cause: str, error: str, said: Any
) -> None:
    detail = copy.deepcopy(event(name)["detail"])
    uploaded = json.loads(detail["input"])
    uploaded["detail"]["object"]["key"] = key
    detail["input"] = json.dumps(uploaded)
    if detail.get("cause"):
        detail |= {"cause": cause, "error": error}
    if detail.get("output"):
        output = json.loads(detail["output"])
        output["upload"]["key"] = key
        if "decision" in output:
            output["decision"] |= {"comment": said, "reviewer": error}
        detail["output"] = json.dumps(output)
    mail = ending_mail(from_detail(detail))
    assert mail is not None
    assert clean(mail.text)
    assert len(mail.text.encode()) < 256 * 1024
    assert 0 < len(fit_subject(mail.subject)) < 100


@given(JSON, JSON)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_figures_and_facts_can_be_shown_to_the_approver(world: World, figures: Any, fact: Any) -> None:
    facts = {
        "key": fact,
        "uploaded_by": fact,
        "trials": fact,
        "best_hyperparameters": figures,
        "upload": figures,
    }
    evaluation = {
        "metrics": [{"name": "m", "label": fact, "value": figures, "unit": fact}, fact],
        "gate": {"metric": "m", "at_most": figures},
        "baseline": {"label": fact, "value": figures},
        "champion": {"value": fact},
        "champion_problem": fact,
        "rows": figures,
        "warnings": [fact],
        "x_metrics": figures,
    }
    asked = ask(world, evaluation=evaluation, **facts)
    drawn = evaluation | {"figures": [figures, {"kind": "bars", "title": fact, "rows": fact}]}
    record = asked.record
    world.put(f"models/{record.run_id}/evaluation.json", json.dumps(drawn).encode())
    assert open_page(record, Entry())
    mail = request_mail(record, "https://link")
    assert clean(mail.text)
    assert 0 < len(fit_subject(mail.subject)) < 100


@given(TEXTS | JSON.map(json.dumps))
def test_any_evaluation_and_predictions_are_shown_or_left_out(text: str) -> None:
    assert isinstance(parse(text), Evaluation)
    assert parse(json.dumps({"figures": text})).figures == ()
    for row in parse_predictions(text, ["a", "b"]).rows:
        assert all(cell.text.isprintable() for cell in row)


@pytest.mark.parametrize("detail", [{}, {"status": "FAILED"}, None, "x"])
def test_an_invalid_event_raises_and_ends_in_the_dead_letter_queue(
    world: World, detail: Any, context: Any
) -> None:
    """Only EventBridge may call it; an event that it cannot read must not be lost."""
    with pytest.raises((KeyError, TypeError)):
        notify.handler({"detail": detail}, context)
    assert world.mails() == []
