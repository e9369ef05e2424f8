"""An evaluation survives writing and reading, and reading any other content is harmless."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.evaluation import (
    Bars,
    Baseline,
    Champion,
    Evaluation,
    Figure,
    Gate,
    Matrix,
    Measurement,
    Metric,
    Picture,
    Pictures,
    Scatter,
    parse,
)

TEXT = st.text(max_size=20)
NAME = st.text(min_size=1, max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.builds(Metric, NAME, NAME, NUMBER, TEXT, st.sampled_from(["lower", "higher"]))
GATES = st.builds(Gate, NAME, at_most=NUMBER) | st.builds(Gate, NAME, at_least=NUMBER)
COUNTS = st.integers(0, 9)
FIGURES: st.SearchStrategy[Figure] = st.one_of(
    st.builds(
        Scatter,
        *(TEXT, TEXT, TEXT, TEXT),
        st.lists(st.tuples(NUMBER, NUMBER), max_size=3),
        st.sampled_from([None, "diagonal", "zero"]),
    ),
    st.builds(Bars, TEXT, TEXT, st.lists(st.tuples(TEXT, NUMBER), max_size=3)),
    st.builds(
        Matrix,
        *(TEXT, TEXT, TEXT, TEXT),
        st.just(["a", "b"]),
        st.lists(st.lists(COUNTS, min_size=2, max_size=2), min_size=2, max_size=2),
    ),
    st.builds(Pictures, TEXT, TEXT, st.lists(st.builds(Picture, TEXT, TEXT), max_size=2)),
)
EVALUATIONS = st.builds(
    Evaluation,
    workload=TEXT,
    title=TEXT,
    metrics=st.lists(METRICS, max_size=3).map(tuple),
    gate=GATES,
    baseline=st.none() | st.builds(Baseline, TEXT, NUMBER),
    champion=st.none() | st.builds(Champion, TEXT, NUMBER),
    champion_problem=TEXT,
    rows=st.dictionaries(NAME, COUNTS, max_size=3),
    warnings=st.lists(TEXT, max_size=3).map(tuple),
    batch_columns=st.lists(TEXT, max_size=3).map(tuple),
    digests=st.dictionaries(NAME, TEXT, max_size=3),
    figures=st.lists(FIGURES, max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(EVALUATIONS)
def test_an_evaluation_survives_writing_and_reading(evaluation: Evaluation) -> None:
    again = parse(json.dumps(evaluation.to_json(), allow_nan=False))
    assert json.dumps(again.to_json()) == json.dumps(evaluation.to_json())
    assert again.passed == evaluation.passed


@given(EVALUATIONS, st.data())
@example(Evaluation(rows={"a": 1}), None)
def test_a_changed_evaluation_is_read_without_an_error(evaluation: Evaluation, data: Any) -> None:
    content = evaluation.to_json()
    if data is not None:
        name = data.draw(st.sampled_from(sorted(content)))
        content[name] = data.draw(JSON)
        if content["figures"] and isinstance(content["figures"], list):
            figure = data.draw(st.sampled_from(content["figures"]))
            if isinstance(figure, dict) and figure:
                figure[data.draw(st.sampled_from(sorted(figure)))] = data.draw(JSON)
    assert_sane(Evaluation.from_json(content))


@given(JSON)
@example([])
@example({"metrics": [{"name": "a", "value": True}], "rows": {"a": "1"}})
@example({"metrics": [{"name": "a", "value": math.inf}], "baseline": {"value": math.nan}})
@example({"metrics": [{"name": "a", "value": 10**400}]})
def test_any_json_is_read_without_an_error(content: object) -> None:
    assert_sane(Evaluation.from_json(content))


@given(st.text())
@example("[" * 100_000)
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert_sane(parse(text))


def assert_sane(found: Evaluation) -> None:
    """All is of the type that its name says, and can be written again."""
    assert all(math.isfinite(metric.value) and metric.name for metric in found.metrics)
    assert all(isinstance(count, int) for count in found.rows.values())
    assert all(isinstance(text, str) for text in (*found.warnings, *found.batch_columns, found.title))
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        (Gate("m", at_most=46.0), 46.0, True),
        (Gate("m", at_most=46.0), 46.1, False),
        (Gate("m", at_least=0.95), 0.95, True),
        (Gate("m", at_least=0.95), 0.94, False),
        (Gate("m"), 0.0, False),
        (Gate("other", at_most=46.0), 1.0, False),
    ],
)
def test_the_gate_compares_its_own_metric_and_without_a_limit_nothing_passes(
    gate: Gate, value: float, passed: bool
) -> None:
    evaluation = Evaluation(metrics=[Metric("m", "M", value)], gate=gate)
    assert evaluation.passed is passed
    assert evaluation.to_json()["gate"]["passed"] is passed


def test_the_verdict_in_a_file_is_ignored() -> None:
    content = Evaluation(metrics=[Metric("m", "M", 50.0)], gate=Gate("m", at_most=46.0)).to_json()
    content["gate"]["passed"] = True
    assert not Evaluation.from_json(content).passed


def test_a_gate_has_its_limit_in_words() -> None:
    assert (Gate("m", at_most=1).words, Gate("m", at_least=0).words) == ("at most", "at least")
    assert (Gate("m", at_most=1).limit, Gate("m", at_least=0).limit) == (1, 0)


@pytest.mark.parametrize(
    "figure",
    [
        {"kind": "matrix", "title": "", "x_label": "", "y_label": "", "labels": ["a"], "counts": [[1, 2]]},
        {"kind": "matrix", "title": "", "x_label": "", "y_label": "", "labels": ["a", "b"], "counts": [[1]]},
        {
            "kind": "matrix",
            "title": "",
            "x_label": "",
            "y_label": "",
            "labels": ["a"],
            "counts": [[math.inf]],
        },
        {"kind": "script", "title": ""},
        {"kind": "bars", "title": "no rows"},
        {"kind": ["bars"]},
        "bars",
    ],
)
def test_a_figure_that_cannot_be_drawn_is_left_out(figure: object) -> None:
    good = Bars("t", "c", [("a", 1.0)])
    content = {"figures": [figure, {"kind": "bars", "title": "t", "caption": "c", "rows": [["a", 1.0]]}]}
    assert Evaluation.from_json(content).figures == (good,)


def test_points_that_are_no_numbers_are_left_out_of_a_scatter() -> None:
    points = [[1, 2], ["a", 1], [math.inf, 1], [3, 4]]
    content = {"kind": "scatter", "title": "", "x_label": "", "y_label": "", "points": points, "line": "up"}
    [figure] = Evaluation.from_json({"figures": [content]}).figures
    assert isinstance(figure, Scatter)
    assert (figure.points, figure.line) == ([(1, 2), (3, 4)], None)


def test_a_measurement_gives_its_metrics_by_name() -> None:
    measured = Measurement([Metric("a", "A", 1.0), Metric("b", "B", 2.0)], Baseline("x", 3.0), {})
    assert measured.value("b") == 2.0
    with pytest.raises(KeyError):
        measured.value("c")
