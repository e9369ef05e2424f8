"""The first batch predictions: CSV and JSON lines become one kind of table, the prediction first."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.predictions import Cell, Table, parse_predictions, picture

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsQUPxAAAAABJRU5ErkJggg=="
COLUMNS = ["year", "name", "predicted"]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_a_csv_line_has_the_named_columns_the_prediction_first() -> None:
    table = parse_predictions('70,"chevelle, malibu",17.2149\n', COLUMNS)
    assert table.headings == ("predicted", "year", "name")
    assert texts(table) == [["17.21", "70", "chevelle, malibu"]]


@pytest.mark.parametrize("text", ["70,malibu\n", "70,malibu,17,1\n", "", "\n", '"\0'])
def test_a_line_of_other_columns_is_left_out(text: str) -> None:
    assert parse_predictions(text, COLUMNS) == Table()
    assert parse_predictions(text, []) == Table()


def test_a_line_that_was_cut_off_is_not_shown() -> None:
    text = ("70,malibu,17.2\n" * 3) + "70,malibu,1"
    assert len(parse_predictions(text, COLUMNS, cut_off=True).rows) == 3


def test_the_last_line_needs_no_line_break() -> None:
    assert len(parse_predictions("70,malibu,17.2", COLUMNS).rows) == 1


def test_the_joined_output_of_json_lines_comes_first_and_pictures_are_shown() -> None:
    line = {"image": PNG, "note": "a\u202eb", "SageMakerOutput": {"label": 3, "probability": 0.98765}}
    table = parse_predictions(json.dumps(line) + "\n", [])
    assert table.headings == ["label", "probability", "image", "note"]
    assert table.rows == [[Cell("3"), Cell("0.9877"), Cell(png=PNG), Cell("a b")]]


def test_a_list_comes_after_what_a_person_reads() -> None:
    line = {"image": PNG, "SageMakerOutput": {"probabilities": [0.1, 0.9], "label": 1}}
    assert parse_predictions(json.dumps(line), []).headings == ["label", "image", "probabilities"]


@pytest.mark.parametrize(
    ("output", "shown"), [(7, "7"), ([0.1, 0.9], "[0.1, 0.9]"), ("seven", "seven"), (None, "null")]
)
def test_an_output_that_is_not_an_object_is_the_prediction(output: object, shown: str) -> None:
    table = parse_predictions(json.dumps({"SageMakerOutput": output}), [])
    assert (table.headings, texts(table)) == (["prediction"], [[shown]])


def test_a_missing_key_of_a_json_line_is_an_empty_cell() -> None:
    table = parse_predictions('{"a": 1}\nnot json\n{"b": 2}\n', [])
    assert (table.headings, texts(table)) == (["a", "b"], [["1", ""], ["", "2"]])


def test_only_the_first_lines_are_shown() -> None:
    assert (
        len(parse_predictions('{"a": 1}\n' * 50, []).rows)
        == len(parse_predictions("1\n" * 50, ["a"]).rows)
        == 6
    )


@pytest.mark.parametrize("text", ["", "x", "iVBORw0KGgo", "PHN2Zy8+", f"{PNG} ", f'{PNG}"', None, 5])
def test_a_picture_is_a_png_in_base64_and_nothing_else(text: object) -> None:
    assert picture(text) == ""
    assert picture(PNG) == PNG


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_anything_is_read_or_left_out(text: str) -> None:
    for columns in ([], ["a"], COLUMNS):
        table = parse_predictions(text, columns)
        assert all(len(row) == len(table.headings) for row in table.rows)
        assert all(cell.text.isprintable() for row in table.rows for cell in row)
