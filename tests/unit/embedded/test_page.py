"""The pages at /_mpg/: what they show, and that what others wrote stays text."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from local.embedded.pages import site
from local.embedded.pages.plots import HEIGHT, WIDTH, plot
from local.embedded.pages.rendering import MOST_CHARACTERS, duration
from local.embedded.seams import views
from local.embedded.seams.views import Alarm, Execution, History, Machine, Series

DEFINITION = json.dumps({"StartAt": "A b", "States": {"A b": {"Type": "Wait", "Seconds": 5, "End": True}}})
EVIL = '"><script>alert(1)</script>'
NOW = 1_767_614_400.0


def mail(**changes: str) -> dict[str, Any]:
    usual = {
        "id": "1",
        "sent_at": "2026-01-05T12:00:00.123+00:00",
        "to": "a@example.com",
        "topic": "approvals",
    }
    return {**usual, "subject": "Approve?", "text": "text", **changes}


def execution(**changes: str) -> Execution:
    usual = dict.fromkeys(("stopped_at", "outcome", "error", "cause"), "")
    usual |= {"machine": "m", "name": "e-1", "status": "RUNNING", "file": "incoming/cars.csv"}
    return Execution(**usual | {"started_at": "2026-01-05T12:00:00Z"} | changes)


def alarm(**changes: str) -> Alarm:
    usual = {"name": "errors", "state": "OK", "since": "2026-01-05T12:00:00+00:00", "reason": "", "rule": ""}
    return Alarm(**usual | {"description": ""} | changes)


def events(name: str = "A b", given: str = "{}") -> list[dict[str, Any]]:
    details = {"name": name, "input": given}
    at = "2026-01-05T12:00:01.000Z"
    return [{"id": 1, "type": "WaitStateEntered", "timestamp": at, "stateEnteredEventDetails": details}]


class Emulator:
    """What the views of the emulator answer."""

    def __init__(self) -> None:
        self.machines: list[Machine] = []
        self.executions: list[Execution] = []
        self.history: History | None = None
        self.metrics: list[Series] = []
        self.alarms: list[Alarm] = []


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    found = Emulator()
    monkeypatch.setattr(views, "machines", lambda: found.machines)
    monkeypatch.setattr(views, "executions", lambda machine="": iter(found.executions))
    monkeypatch.setattr(views, "history", lambda machine, name: found.history)
    monkeypatch.setattr(views, "metrics", lambda: found.metrics)
    monkeypatch.setattr(views, "alarms", lambda: found.alarms)
    return found


def show(path: str = "", query: str = "", mails: tuple[dict[str, Any], ...] = ()) -> str:
    found = site.page(path, query, mails)
    assert found is not None
    content_type, text = found
    assert content_type == "text/html; charset=utf-8"
    return text


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "a":
            self.found.append(dict(attrs)["href"])


@pytest.mark.usefixtures("emulator")
def test_a_link_in_a_mail_can_be_clicked() -> None:
    url = "http://abc.lambda-url.us-east-1.localhost:4566/review/x_y-z?a=1&b=2"
    text = show(mails=(mail(text=f"Look here:\n\n{url}\n\nand decide."),))
    assert url in Links(text).found
    assert url.replace("&", "&amp;") in text


def test_text_from_others_is_shown_and_not_executed(emulator: Emulator) -> None:
    evil = dict.fromkeys(("machine", "name", "status", "file", "outcome", "error", "cause"), EVIL)
    emulator.executions = [execution(**evil, started_at=EVIL, stopped_at=EVIL)]
    emulator.machines = [Machine(EVIL, DEFINITION, {EVIL: 1})]
    emulator.alarms = [alarm(name=EVIL, since=EVIL, reason=EVIL, description=EVIL, rule=EVIL, state="ALARM")]
    emulator.metrics = [Series(EVIL, EVIL, {EVIL: EVIL}, EVIL, [(NOW, 1.0, 1.0)], 1)]
    definition = json.dumps({"States": {EVIL: {"Type": EVIL, "Resource": EVIL, "Next": EVIL}}})
    times = {"started_at": "2026-01-05T12:00:00Z"}
    emulator.history = History(execution(**evil, **times), definition, events(EVIL, EVIL), EVIL, EVIL)
    evil_mail = mail(
        **dict.fromkeys(("subject", "to", "topic", "sent_at"), EVIL), text=f"{EVIL} http://x/{EVIL}"
    )
    pages = [
        show(mails=(evil_mail,), query=f"x={EVIL}"),
        show("metrics"),
        show("alarms"),
        show("machines/" + EVIL),
        show("executions/m/e"),
        show("executions/m/e", f"state={EVIL}"),
    ]
    for text in pages:
        assert "<script" not in text
        found = Links(text)
        assert "script" not in found.tags
        # The policy forbids both, so a browser would not apply them.
        assert not found.attributes & {"style", "onclick", "onload"}
    assert all(text.count("&lt;script&gt;") >= 3 for text in pages)


def test_the_newest_comes_first(emulator: Emulator) -> None:
    emulator.executions = [execution(name="late"), execution(name="early")]
    text = show(mails=(mail(subject="first mail"), mail(subject="second mail")))
    assert text.index("second mail") < text.index("first mail")
    assert text.index("late") < text.index("early")


def test_an_execution_shows_its_status_until_it_has_an_outcome(emulator: Emulator) -> None:
    emulator.executions = [execution()]
    assert "RUNNING" in show()
    emulator.executions = [execution(status="SUCCEEDED", outcome="approved")]
    assert "approved" in show()
    assert "SUCCEEDED" not in show()
    emulator.executions = [execution(status="FAILED", error="TuningFailed")]
    assert "FAILED: TuningFailed" in show()


def test_many_executions_are_cut_to_the_newest_until_all_are_asked_for(emulator: Emulator) -> None:
    emulator.executions = [execution(name=f"e-{number:04}") for number in range(200)]
    assert ("e-0049<" in show(), "e-0050<" in show(), "?all=1" in show()) == (True, False, True)
    assert ("e-0199<" in show(query="all=1"), '?all=1"' in show(query="all=1")) == (True, False)


@pytest.mark.usefixtures("emulator")
def test_an_empty_page_says_how_to_start() -> None:
    assert "incoming/" in show()


def test_an_execution_is_a_graph_whose_states_link_to_their_input(emulator: Emulator) -> None:
    emulator.history = History(execution(), DEFINITION, events(given='{"a": 1}'), '{"whole": 1}', "")
    text = show("executions/m/e-1")
    assert "?state=A%20b" in Links(text).found
    assert "… waiting" in text
    assert '"whole": 1'.replace('"', "&#34;") in text
    chosen = show("executions/m/e-1", "state=A%20b")
    assert '"a": 1'.replace('"', "&#34;") in chosen
    assert "whole&#34;" not in chosen


def test_a_page_reloads_itself_until_it_is_asked_not_to_or_there_is_nothing_to_wait_for(
    emulator: Emulator,
) -> None:
    emulator.history = History(execution(), DEFINITION, events(), "{}", "")
    reload = '<meta http-equiv="refresh" content="2">'
    assert reload in show("executions/m/e-1", "state=A%20b")
    still = show("executions/m/e-1", "state=A%20b&still=1")
    assert reload not in still
    assert "?state=A%20b" in Links(still).found
    ended = execution(status="SUCCEEDED", stopped_at="2026-01-05T12:00:09Z")
    emulator.history = History(ended, DEFINITION, events(), "{}", "{}")
    assert "refresh" not in show("executions/m/e-1")


def test_a_long_input_is_cut(emulator: Emulator) -> None:
    long = json.dumps({"a": "x" * 200_000})
    emulator.history = History(execution(), DEFINITION, events(given=long), long, "")
    for query in ("", "state=A%20b"):
        text = show("executions/m/e-1", query)
        assert len(text) < MOST_CHARACTERS + 10_000
        assert "200" in text


def test_a_state_machine_is_a_graph_whose_states_show_their_definition(emulator: Emulator) -> None:
    emulator.machines = [Machine("m", DEFINITION, {})]
    assert "?state=A%20b" in Links(show("machines/m")).found
    assert "&#34;Seconds&#34;: 5" in show("machines/m", "state=A%20b")


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "machines/none",
        "executions/m/none",
        "executions",
        "docs/none.md",
        "docs/../README.md",
        "/x",
    ],
)
def test_there_is_no_other_page(path: str) -> None:
    assert site.page(path, "section=Alarms", ()) is None


def test_an_alarm_that_is_on_comes_first_and_links_to_what_to_do(emulator: Emulator) -> None:
    said = 'Runs fail. See "runs-fail" in docs/operations.md.'
    emulator.alarms = [alarm(name="a"), alarm(name="b", state="ALARM", description=said)]
    text = show("alarms")
    assert text.index(">b<") < text.index(">a<")
    link = next(link for link in Links(text).found if link and link.startswith("docs/"))
    path, _, query = link.partition("?")
    assert "its mail names the state" in show(path, query).lower()
    assert "#b" in str(Links(show()).found)


def test_an_alarm_that_names_no_section_has_no_link(emulator: Emulator) -> None:
    emulator.alarms = [alarm(description='See "none" in docs/operations.md and "runs-fail" in docs/none.md.')]
    assert "What to do" not in show("alarms")


def test_metrics_of_the_functions_come_before_those_of_aws(emulator: Emulator) -> None:
    point = [(NOW, 3.0, 1.0)]
    emulator.metrics = [
        Series("AWS/Lambda", "Errors", {}, "Count", point, 1),
        Series("Shop", "Sales", {"till": "2"}, "None", point, 1),
    ]
    text = show("metrics")
    assert text.index("Shop") < text.index("AWS/Lambda")
    assert "till = 2" in text


def test_counts_are_summed_and_other_values_averaged() -> None:
    points = [(NOW, 4.0, 2.0), (NOW + 1, 6.0, 1.0), (NOW + 3600, 1.0, 1.0)]
    count = plot(Series("Shop", "Sales", {}, "Count", points, 3), NOW + 3600)
    mean = plot(Series("Shop", "Sales", {}, "Seconds", points, 3), NOW + 3600)
    assert (mean.last, mean.lowest, mean.highest, mean.values) == (1.0, 1.0, 6.0, 3)
    # The first two share a slot: a bar of 10 beside one of 1, a dot at 10 / 3 beside one at 1.
    assert count.path == f"M3.0,{HEIGHT - 2:.1f} V3.0 M{WIDTH - 3:.1f},{HEIGHT - 2:.1f} V37.2"
    assert mean.path == f"M3.0,3.0 L{WIDTH - 3:.1f},{HEIGHT - 3:.1f}"


@pytest.mark.parametrize(
    ("points", "unit"),
    [
        ([(NOW, 0.0, 1.0)], "Count"),
        ([(NOW, 5.0, 1.0)], "None"),
        ([(NOW - 9e5, -2.0, 1.0)], "Count"),
        ([(NOW, 0.0, 0.0)], "None"),
    ],
)
def test_few_values_are_drawn_inside_the_plot(points: list[tuple[float, float, float]], unit: str) -> None:
    drawn = plot(Series("Shop", "Sales", {}, unit, points, 1), NOW)
    numbers = [
        float(part) for part in drawn.path.replace("M", " ").replace("V", " ").replace(",", " ").split()
    ]
    assert all(0 <= number <= WIDTH for number in numbers)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7320, "2 h 2 min"), (2e5, "2 days")],
)
def test_a_duration_is_as_precise_as_needed(seconds: float, text: str) -> None:
    assert duration(seconds) == text
