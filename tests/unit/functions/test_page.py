"""Pages escape whatever they show, run no script, and can be used by keyboard."""

import html.parser
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from approval.request import Approval, Decision
from model.details import Details, Point, parse_points, parse_predictions
from shared.text import many_lines, number, one_line
from tests.evaluation import EVALUATION
from tests.unit.functions.conftest import event
from web import plots
from web.markup import document, element
from web.page import decided_page, expired_page, message_page, open_page
from web.page_form import Entry

HOSTILE = "https://evil \"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{7*7}}"
ASKED = {key: value for key, value in event("request_approval-with-champion").items() if key != "task_token"}
FACTS = {**ASKED, "evaluation": EVALUATION}


class Parsed(html.parser.HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def approval(**facts: Any) -> Approval:
    shown = {**FACTS, **facts}
    return Approval(
        shown["model_package_arn"],
        "arn",
        shown["run_id"],
        "t",
        "h",
        "2026-03-01T09:38:42Z",
        1772962722,
        shown,
    )


def hostile_pages(text: str) -> list[str]:
    made = approval(
        key=text, run_id=text, uploaded_by=text, best_hyperparameters={text: text}, model_package_arn=text
    )
    details = Details((Point(1, 2),), ((text,) * 9,))
    decision = Decision("approved", text, text, text, "review page")
    entry = Entry(text, text, {"reviewer": text, "comment": text})
    return [
        open_page(made, details, entry),
        expired_page(made, details),
        decided_page(made, details, decision),
        message_page(text, text),
    ]


def tags_of(page: str) -> set[str]:
    return {tag for tag, _ in Parsed(page).tags}


def test_hostile_text_is_shown_as_text() -> None:
    for page, harmless in zip(hostile_pages(HOSTILE), hostile_pages("harmless"), strict=True):
        assert tags_of(page) == tags_of(harmless)
        assert HOSTILE in Parsed(page).text
        assert {attributes["href"] for tag, attributes in Parsed(page).tags if tag == "a"} <= {"#decision"}


@given(st.text())
def test_no_text_makes_an_element_or_an_attribute(text: str) -> None:
    parsed = Parsed(document(element("p", text, element("input", value=text), text, title=text)))
    assert [tag for tag, _ in parsed.tags] == ["p", "input"]
    assert [sorted(attributes) for _, attributes in parsed.tags] == [["title"], ["value"]]


@pytest.mark.parametrize("page", hostile_pages("x"))
def test_a_page_has_no_script_no_inline_style_and_loads_nothing(page: str) -> None:
    for tag, attributes in Parsed(page).tags:
        assert tag not in {"script", "iframe", "img", "link", "object", "embed", "base"}
        assert not [
            name for name in attributes if name.startswith("on") or name in {"style", "src", "action"}
        ]


def test_the_style_sheet_cannot_be_left_early() -> None:
    page = message_page("a", "b")
    assert page.count("</style>") == page.count("<style>") == 1


def test_the_address_of_the_page_is_not_in_the_page() -> None:
    assert "/review/" not in open_page(approval(), Details(), Entry())


def test_nothing_is_chosen_and_enter_presses_a_disabled_button() -> None:
    tags = Parsed(open_page(approval(), Details(), Entry())).tags
    buttons = [attributes for tag, attributes in tags if tag == "button"]
    assert "disabled" in buttons[0]
    assert "name" not in buttons[0]
    assert [(button["name"], button["value"]) for button in buttons[1:]] == [
        ("decision", "approve"),
        ("decision", "reject"),
    ]
    assert not [attributes for _, attributes in tags if "checked" in attributes or "selected" in attributes]


def test_every_field_has_a_label_and_errors_are_tied_to_their_field() -> None:
    page = open_page(approval(), Details(), Entry(errors={"reviewer": "missing", "comment": "missing"}))
    tags = Parsed(page).tags
    labels = {attributes["for"] for tag, attributes in tags if tag == "label"}
    fields = {attributes["id"]: attributes for tag, attributes in tags if tag in {"input", "textarea"}}
    ids = {attributes.get("id") for _, attributes in tags}
    assert labels == set(fields) == {"reviewer", "comment"}
    for field in fields.values():
        assert field["aria-invalid"] == "true"
        assert field["aria-describedby"] in ids


def test_without_a_champion_the_page_says_so() -> None:
    facts = {**FACTS["evaluation"], "champion": None}
    page = open_page(approval(evaluation=facts), Details(), Entry())
    assert "No model of this group is approved yet." in page
    assert "approved model</text>" not in page


def test_a_champion_that_could_not_be_compared_is_named_with_the_reason() -> None:
    facts = {
        **FACTS["evaluation"],
        "champion": None,
        "champion_problem": "arn/7 cannot be compared: it is gone",
    }
    page = open_page(approval(evaluation=facts), Details(), Entry())
    assert "shorter is better. arn/7 cannot be compared: it is gone" in page
    assert "approved yet" not in page


@pytest.mark.parametrize(
    "facts", [{}, {"evaluation": {}}, {"evaluation": None, "threshold": None, "trials": None}]
)
def test_figures_that_are_missing_are_dashes(facts: dict[str, Any]) -> None:
    bare = Approval("arn", "arn", "mpg-1", "t", "h", "2026-03-01T09:38:42Z", 1772962722, facts)
    assert "<dd>-" in open_page(bare, Details(), Entry())


@given(st.lists(st.builds(Point, *[st.floats(-1e9, 1e9)] * 2), max_size=20))
@example([Point(0.0, 5e-324)])
def test_any_predictions_can_be_drawn_within_the_plot(points: list[Point]) -> None:
    for plot in (plots.predicted_against_actual(points), plots.residuals(points)):
        dots = list(plot.iter("circle"))
        assert len(dots) == len(points)
        for dot in dots:
            assert 0 <= float(dot.attrib["cx"]) <= 360
            assert 0 <= float(dot.attrib["cy"]) <= 290


def test_a_dot_is_where_its_car_is() -> None:
    points = [Point(10, 10), Point(20, 20), Point(30, 15)]
    dots = [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"]))
        for dot in plots.predicted_against_actual(points).iter("circle")
    ]
    (x1, y1), (x2, y2), (x3, y3) = dots
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 > y3 > y2
    assert y3 - y2 == pytest.approx(y1 - y3, abs=0.2)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
def test_ticks_are_few_and_within_the_bounds(low: float, reach: float) -> None:
    found = plots.ticks(low, low + reach)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-6 * reach <= tick <= low + reach * 1.000001 for tick in found)


def test_points_that_are_no_numbers_are_left_out() -> None:
    text = '{"test_predictions": [{"actual": 1, "predicted": NaN}, {"actual": 1, "predicted": 2}]}'
    assert parse_points(text) == (Point(1, 2),)


def test_a_line_that_was_cut_off_is_not_shown() -> None:
    line = "8,307,130,3504,12,70,1,malibu,17.2\n"
    text = (line * 600)[:16_384]
    assert len(set(parse_predictions(text))) == 1
    assert parse_predictions(line.strip()) == (tuple(line.strip().split(",")),)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (8.7312, "8.73"),
        (46.0, "46"),
        (1234567, "1,234,567"),
        (0.01234, "0.0123"),
        (None, "-"),
        ("x", "-"),
        (True, "-"),
    ],
)
def test_numbers_have_the_digits_that_a_person_compares(value: object, shown: str) -> None:
    assert number(value) == shown


@given(st.text(), st.integers(3, 50))
def test_cleaned_text_is_short_and_visible(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\ufeff]", one_line(text, limit))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e]", many_lines(text, limit))
