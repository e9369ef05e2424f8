"""Pages escape whatever they show, run no script, and can be used by keyboard."""

import html.parser
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval.request import Approval, Decision
from common.drift import Drift, FeatureTest, Histogram
from common.evaluation import Bars, Evaluation, Figure, Matrix, Picture, Pictures, Scatter
from model.details import Details
from model.predictions import Cell, Table
from shared.text import many_lines, number, one_line
from tests.evaluation import DRAWN, DRIFTED, EVALUATION
from tests.unit.functions.conftest import ROOT, event
from web import pages
from web.form import Entry
from web.templating import render

HOSTILE = "https://evil \"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{7*7}}"
ASKED = {key: value for key, value in event("request_approval-with-champion").items() if key != "task_token"}
FACTS = {**ASKED, "evaluation": EVALUATION}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsQUPxAAAAABJRU5ErkJggg=="
NOTHING = Details()


class Parsed(html.parser.HTMLParser):
    """Parses a page as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def details(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What S3 has to say beside the record."""

    def show(found: Details) -> None:
        monkeypatch.setattr(pages, "read_details", lambda report: found)

    show(NOTHING)
    return show


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


def with_evaluation(**changes: Any) -> Approval:
    return approval(evaluation={**EVALUATION, **changes})


def hostile_evaluation(text: str) -> dict[str, Any]:
    metric = {"name": "m", "label": text, "value": 1.0, "unit": text}
    return {
        **EVALUATION,
        "title": text,
        "metrics": [metric, {**metric, "name": "n"}],
        "gate": {"metric": "m", "at_most": 2.0},
        "baseline": {"label": text, "value": 3.0},
        "champion": None,
        "champion_problem": text,
        "warnings": [text],
    }


def hostile_details(text: str) -> Details:
    figures: list[Figure] = [
        Scatter(text, text, text, text, [(1.0, 2.0)], "diagonal"),
        Bars(text, text, [(text, 1.0)]),
        Matrix(text, text, text, text, [text, text], [[1, 2], [3, 4]]),
        Pictures(text, text, [Picture(PNG, text), Picture(text, text)]),
    ]
    histogram = Histogram([], [text, "b"], [0.5, 0.5], [1.0, 0.0])
    drift = Drift(text, 1, 1, 0.01, [FeatureTest(text, text, 0.2, 0.1, drifted=True, histogram=histogram)])
    return Details(figures, Table([text, text], [[Cell(text), Cell(png=PNG)]]), drift)


def all_pages(made: Approval, text: str) -> list[str]:
    decision = Decision("approved", text, text, text, "review page")
    entry = Entry(text, text, {"reviewer": text, "comment": text})
    return [
        pages.open_page(made, entry),
        pages.expired_page(made),
        pages.decided_page(made, decision),
        pages.message_page(text, text),
    ]


@pytest.fixture
def hostile_pages(details: Any) -> Any:
    """Every page, with a text in every place for untrusted text."""

    def made(text: str) -> list[str]:
        details(hostile_details(text))
        facts = {"key": text, "run_id": text, "uploaded_by": text, "model_package_arn": text}
        asked = approval(**facts, best_hyperparameters={text: text}, evaluation=hostile_evaluation(text))
        return all_pages(asked, text)

    return made


def shape_of(page: str) -> list[tuple[str, list[str]]]:
    return [(tag, sorted(attributes)) for tag, attributes in Parsed(page).tags]


def test_hostile_text_is_shown_as_text(hostile_pages: Any) -> None:
    for page, harmless in zip(hostile_pages(HOSTILE), hostile_pages("harmless"), strict=True):
        assert shape_of(page) == shape_of(harmless)
        assert HOSTILE in Parsed(page).text
        assert {attributes["href"] for tag, attributes in Parsed(page).tags if tag == "a"} <= {"#decision"}


@given(st.text())
def test_no_text_makes_an_element_or_an_attribute(text: str) -> None:
    values = {"tone": "warn", "title": text, "text": text}
    assert shape_of(render("message.html", **values)) == shape_of(
        render("message.html", **{**values, "title": "x", "text": "x"})
    )


@pytest.mark.parametrize(
    "template", sorted((ROOT / "functions/web/templates").glob("*.html")), ids=lambda p: p.name
)
def test_no_template_leaves_an_attribute_unquoted_or_switches_the_escaping_off(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"=\{\{|\|\s*safe|autoescape|Markup", source)


def test_a_page_has_no_script_no_inline_style_and_loads_nothing(hostile_pages: Any) -> None:
    for page in hostile_pages("x"):
        for tag, attributes in Parsed(page).tags:
            assert tag not in {"script", "iframe", "link", "object", "embed", "base"}
            assert not [name for name in attributes if name.startswith("on") or name in {"style", "action"}]
            assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")


def test_the_style_sheet_cannot_be_left_early() -> None:
    page = pages.message_page("a", "b")
    assert page.count("</style>") == page.count("<style>") == 1


def test_the_address_of_the_page_is_not_in_the_page(details: Any) -> None:
    assert "/review/" not in pages.open_page(approval(), Entry())


def test_nothing_is_chosen_and_enter_presses_a_disabled_button(details: Any) -> None:
    tags = Parsed(pages.open_page(approval(), Entry())).tags
    buttons = [attributes for tag, attributes in tags if tag == "button"]
    assert "disabled" in buttons[0]
    assert "name" not in buttons[0]
    assert [(button["name"], button["value"]) for button in buttons[1:]] == [
        ("decision", "approve"),
        ("decision", "reject"),
    ]
    assert not [attributes for _, attributes in tags if "checked" in attributes or "selected" in attributes]


def test_every_field_has_a_label_and_errors_are_tied_to_their_field(details: Any) -> None:
    page = pages.open_page(approval(), Entry(errors={"reviewer": "missing", "comment": "missing"}))
    tags = Parsed(page).tags
    labels = {attributes["for"] for tag, attributes in tags if tag == "label"}
    fields = {attributes["id"]: attributes for tag, attributes in tags if tag in {"input", "textarea"}}
    ids = {attributes.get("id") for _, attributes in tags}
    assert labels == set(fields) == {"reviewer", "comment"}
    for field in fields.values():
        assert field["aria-invalid"] == "true"
        assert field["aria-describedby"] in ids


def test_a_comment_comes_back_as_typed_even_if_it_begins_with_an_empty_line(details: Any) -> None:
    page = pages.open_page(approval(), Entry(comment="\nErrors grow."))
    # A browser drops the first line break.
    assert re.search(r"<textarea[^>]*>\n\nErrors grow\.</textarea>", page)


def test_the_gates_metric_comes_first_with_its_verdict_and_the_others_have_their_units(
    details: Any,
) -> None:
    page = pages.open_page(approval(), Entry())
    gate = '<div class="good"><dt>Mean squared error</dt><dd>8.73<small>good enough: at most 46</small></dd>'
    other = "<dt>Root mean squared error</dt><dd>2.95<small>miles per gallon</small></dd>"
    assert 0 < page.index(gate) < page.index(other)


@pytest.mark.parametrize(("value", "verdict"), [(0.97, "good enough"), (0.94, "not good enough")])
def test_a_metric_of_which_more_is_better_is_compared_with_the_gates_minimum(
    details: Any, value: float, verdict: str
) -> None:
    accuracy = {"name": "accuracy", "label": "Accuracy", "value": value, "better": "higher"}
    made = with_evaluation(metrics=[accuracy], gate={"metric": "accuracy", "at_least": 0.95})
    page = pages.open_page(made, Entry())
    assert f"<small>{verdict}: at least 0.95</small>" in page
    assert "longer is better" in page


def test_the_comparison_shows_this_model_the_approved_one_the_baseline_and_the_limit(details: Any) -> None:
    page = pages.open_page(approval(), Entry())
    alternative = (
        "Mean squared error: this model 8.73, approved model 9.10, predicting the mean 60.81, at most 46"
    )
    assert f"<title>{alternative}</title>" in page


def test_warnings_are_notices_above_everything_else(details: Any) -> None:
    page = pages.open_page(with_evaluation(warnings=["label 3 is rare: 4 rows"]), Entry())
    assert page.index("label 3 is rare: 4 rows") < page.index("<dl")


def test_the_page_says_what_approving_changes_before_the_figures(details: Any) -> None:
    page = pages.open_page(approval(), Entry())
    model = "No clear difference from the approved version 1 on the same 60 test rows: Mean squared error is"
    assert 0 < page.index(model) < page.index("Approving it releases no endpoint") < page.index("<dl")
    assert model not in pages.expired_page(approval())


def test_without_a_champion_the_page_says_so(details: Any) -> None:
    page = pages.open_page(with_evaluation(champion=None), Entry())
    assert "No model of this workload is approved yet." in page
    assert "approved model</text>" not in page


def test_a_champion_that_could_not_be_compared_is_named_with_the_reason(details: Any) -> None:
    problem = "arn/7 cannot be compared: it is gone"
    page = pages.open_page(with_evaluation(champion=None, champion_problem=problem), Entry())
    assert f"shorter is better. {problem}" in page
    assert "approved yet" not in page


@pytest.mark.parametrize(
    "facts", [{}, {"evaluation": {}}, {"evaluation": None, "trials": None, "upload": "x"}]
)
def test_a_record_without_figures_says_so(details: Any, facts: dict[str, Any]) -> None:
    bare = Approval("arn", "arn", "mpg-1", "t", "h", "2026-03-01T09:38:42Z", 1772962722, facts)
    assert "The figures of this model cannot be shown" in pages.open_page(bare, Entry())


def test_a_matrix_is_a_table_whose_rows_and_columns_have_names(details: Any) -> None:
    details(Details([Matrix("Matrix", "", "predicted", "actual", ["a", "b"], [[90, 10], [0, 0]])]))
    page = pages.open_page(approval(), Entry())
    scopes = [attributes.get("scope") for tag, attributes in Parsed(page).tags if tag == "th"]
    assert scopes == ["colgroup", "col", "col", "col", "row", "row"]
    assert '<td class="right t9">90</td><td class="wrong t1">10</td>' in page
    assert '<td class="wrong t0">0</td><td class="right t0">0</td>' in page


def test_every_figure_of_an_evaluation_is_drawn(details: Any) -> None:
    details(Details(Evaluation.from_json({**EVALUATION, **DRAWN}).figures))
    page = pages.open_page(approval(), Entry())
    for words in ("Predicted and actual mpg of the test cars", "actual - predicted", "around zero"):
        assert words in page
    assert page.count("<circle") == 6


def test_the_upload_stands_beside_the_approved_models_data_before_the_figures_of_the_model(
    details: Any,
) -> None:
    found = Evaluation.from_json({**DRIFTED, **DRAWN})
    details(Details(found.figures, drift=found.drift))
    page = pages.open_page(with_evaluation(**found.summary()), Entry())
    places = [
        page.index("<h2>How it compares"),
        page.index("<h2>The data, beside the approved model's"),
        page.index("The upload differs from the data that version 1 was trained on: weight and origin."),
        page.index("version 1 does worse than at its approval: Mean squared error 21.30 now, 9.50 then"),
        page.index('<svg class="histogram" role="img"'),
        page.index("<h2>How it predicts"),
    ]
    assert places == sorted(places)


def test_without_an_approved_model_nothing_is_said_of_drift(details: Any) -> None:
    assert "The data, beside" not in pages.open_page(with_evaluation(champion=None), Entry())


def test_an_invalid_picture_is_left_out(details: Any) -> None:
    details(
        Details([Pictures("Mistakes", "", [Picture("bm8gcGljdHVyZQ==", "text"), Picture(PNG, "8 as 3")])])
    )
    page = pages.open_page(approval(), Entry())
    images = [attributes for tag, attributes in Parsed(page).tags if tag == "img"]
    assert images == [{"src": f"data:image/png;base64,{PNG}", "alt": "8 as 3"}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (8.7312, "8.73"),
        (46.0, "46"),
        (1234567, "1,234,567"),
        (0.97125, "0.9712"),
        (-0.5, "-0.5"),
        (0.01234, "0.0123"),
        (None, "-"),
        ("x", "-"),
        (True, "-"),
    ],
)
def test_numbers_are_rounded_for_people(value: object, shown: str) -> None:
    assert number(value) == shown


@given(st.text(), st.integers(3, 50))
def test_cleaned_text_is_short_and_visible(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\ufeff]", one_line(text, limit))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e]", many_lines(text, limit))
