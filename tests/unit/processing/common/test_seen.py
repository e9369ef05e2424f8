"""Rows of batch transforms and of data capture."""

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common import seen
from common.captures import Window, captured, read_time
from common.left_out import LeftOut
from common.seen import BATCH, ENDPOINT, Form, Row, predicted
from tests.unit.processing.seen_files import event, side, write_captures, write_predictions

RUN, BEGAN = "mpg-20260302-1000-0123abcd", datetime(2026, 3, 2, 10, tzinfo=UTC)
CSV, JSON_LINES = (Form(kind, kind) for kind in ("text/csv", "application/jsonlines"))
WINDOW = Window(read_time("2026-03-01T00:00:00Z"), read_time("2026-03-08T00:00:00Z"))
# As the developer guide shows it, "Capture data from real-time endpoint".
DOCUMENTED = (
    '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT",'
    '"data":"50,53,80.8,53.3\\n","encoding":"CSV"},"endpointOutput":{"observedContentType":'
    '"text/csv; charset=utf-8","mode":"OUTPUT","data":"0.0254","encoding":"CSV"}},"eventMetadata":'
    '{"eventId":"62f3d1a8-20f1-4f2a-a6a8-6ac4a2b2f5f9","inferenceTime":"2026-03-02T10:15:00Z"},'
    '"eventVersion":"0"}'
)


def read_predicted(root: Path, form: Form) -> tuple[list[Row], list[str]]:
    left_out = LeftOut()
    blocks = list(predicted(root, form, left_out))
    assert {(block.run, block.kind) for block in blocks} <= {(RUN, BATCH)}
    return [row for block in blocks for row in block.rows], left_out.sentences()


def read_captured(root: Path, form: Form = CSV) -> tuple[list[Row], list[str]]:
    left_out = LeftOut()
    blocks = list(captured(root, "cars", form, WINDOW, left_out))
    assert {(block.run, block.kind) for block in blocks} <= {("", ENDPOINT)}
    return [row for block in blocks for row in block.rows], left_out.sentences()


@pytest.mark.parametrize(
    ("line", "columns", "request_row"),
    [
        ("8,307,chevelle,18.5", 1, "8,307,chevelle"),
        ('8,307,"chevelle, ""malibu""",18.5', 1, '8,307,"chevelle, ""malibu"""'),
        ('8,307,"fast, cheap"', 1, "8,307"),
        ("8,307,setosa,0.9", 2, "8,307"),
        ('8,"a, b","setosa, or so",0.9', 2, '8,"a, b"'),
    ],
)
def test_the_last_columns_of_a_joined_line_are_the_answer(
    line: str, columns: int, request_row: str, tmp_path: Path
) -> None:
    write_predictions(tmp_path, RUN, [line])
    rows, problems = read_predicted(tmp_path, Form("text/csv", "text/csv", columns))
    assert [(row.request, row.answer, row.time) for row in rows] == [(request_row, None, BEGAN)]
    assert problems == []


def test_joined_objects_lose_the_answer_and_other_values_are_under_their_key(tmp_path: Path) -> None:
    lines = [
        '{"image": "aGk=", "SageMakerOutput": {"label": 3}}',
        '{"SageMakerInput": [1, 2], "SageMakerOutput": 3}',
    ]
    write_predictions(tmp_path, RUN, lines, "batch.jsonl.out")
    rows, problems = read_predicted(tmp_path, JSON_LINES)
    assert [json.loads(row.request) for row in rows] == [{"image": "aGk="}, [1, 2]]
    assert problems == []


def test_all_parts_of_a_batch_are_read_and_nothing_else(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, ["a,1", "", "b,2"], "batch-00000.csv.out")
    write_predictions(tmp_path, RUN, ["c,3\r"], "batch-00001.csv.out")
    write_predictions(tmp_path, RUN, ["d,4"], "notes.txt")
    write_predictions(tmp_path, "no-run", ["e,5"])
    write_predictions(tmp_path, "mpg-20269902-1000-0123abcd", ["f,6"])
    rows, problems = read_predicted(tmp_path, CSV)
    assert [row.request for row in rows] == ["a", "b", "c"]
    assert problems == []


def test_malformed_lines_of_a_batch_are_counted_by_reason_with_the_first_place(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, ["8", "a,1", "8,", '8,"x'], "batch-00000.csv.out")
    path = write_predictions(tmp_path, RUN, [], "batch-00001.csv.out")
    path.write_bytes(b"b,2\n\xff,3\n")
    rows, problems = read_predicted(tmp_path, CSV)
    assert [row.request for row in rows] == ["a", "b"]
    folder = f"runs/{RUN}/predictions"
    assert problems == [
        f"3 rows were left out: without an answer (first {folder}/batch-00000.csv.out, line 1).",
        f"1 row was left out: not encoded in UTF-8 ({folder}/batch-00001.csv.out, line 2).",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("{", "no JSON"), ("[" * 100_000, "no JSON"), ("[1]", "without an answer"), ("{}", "without an answer")],
)
def test_a_malformed_object_of_a_batch_is_left_out(line: str, reason: str, tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, [line, '{"x": 1, "SageMakerOutput": 2}'])
    rows, (problem,) = read_predicted(tmp_path, JSON_LINES)
    assert len(rows) == 1
    assert f"1 row was left out: {reason} (" in problem


def test_a_line_that_is_too_long_is_left_out_and_counts_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "LONGEST_LINE", 1 << 20)
    write_predictions(tmp_path, RUN, ["a,1", "x" * (5 << 20), "b,2"])
    tracemalloc.start()
    rows, (problem,) = read_predicted(tmp_path, CSV)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(row.request, row.place.rpartition(" ")[2]) for row in rows] == [("a", "1"), ("b", "3")]
    assert "longer than" in problem
    assert peak < 4 << 20


def test_the_rows_of_a_file_come_in_blocks(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, [f"{number},1" for number in range(2500)])
    blocks = list(predicted(tmp_path, CSV, LeftOut()))
    assert [len(block.rows) for block in blocks] == [1000, 1000, 500]


def test_a_captured_call_as_it_is_documented_is_read(tmp_path: Path) -> None:
    write_captures(tmp_path, "cars", [DOCUMENTED])
    (row,), problems = read_captured(tmp_path)
    assert (row.request, row.answer) == ("50,53,80.8,53.3", "0.0254")
    assert row.time == datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
    assert problems == []


@pytest.mark.parametrize(("kind", "encoding"), [(CSV, "BASE64"), (CSV, "CSV"), (JSON_LINES, "JSON")])
def test_each_row_of_a_call_has_its_answer_in_every_encoding(
    kind: Form, encoding: str, tmp_path: Path
) -> None:
    call = event("a\r\nb\r\n", "1\n2\n", content_type=kind.content_type, encoding=encoding)
    write_captures(tmp_path, "cars", [call])
    rows, problems = read_captured(tmp_path, kind)
    assert [(row.request, row.answer) for row in rows] == [("a", "1"), ("b", "2")]
    assert problems == []


def test_other_workloads_captures_are_not_read(tmp_path: Path) -> None:
    write_captures(tmp_path, "pictures", [event("a", "1")])
    assert read_captured(tmp_path) == ([], [])


def test_calls_outside_the_window_are_left_out_but_for_the_delay_of_their_storage(tmp_path: Path) -> None:
    times = {"early": "2026-02-28T22:59:59Z", "late": "2026-03-08T00:00:00Z", "kept": "2026-02-28T23:30:00Z"}
    write_captures(tmp_path, "cars", [event(name, "1", time) for name, time in times.items()])
    rows, problems = read_captured(tmp_path)
    assert [row.request for row in rows] == ["kept"]
    assert problems == []


def answered(**changes: Any) -> dict[str, Any]:
    call = event("a\nb", "1\n2")
    call["captureData"]["endpointOutput"] |= changes
    return call


@pytest.mark.parametrize(
    "call",
    [
        event("a\nb"),
        event("a\nb", "1"),
        answered(observedContentType="application/json", data='{"predictions": [1, 2]}'),
        answered(encoding="BASE64", data="not base64"),
        answered(data=None),
    ],
    ids=["not captured", "fewer", "another type", "damaged", "no text"],
)
def test_without_an_answer_for_each_row_the_requests_count_still(
    call: dict[str, Any], tmp_path: Path
) -> None:
    write_captures(tmp_path, "cars", [call])
    rows, problems = read_captured(tmp_path)
    assert [(row.request, row.answer) for row in rows] == [("a", None), ("b", None)]
    assert problems == []


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no event of data capture"),
        ({"captureData": "x"}, "no event of data capture"),
        (event("a", "1", "yesterday"), "captured without a time"),
        ({"captureData": {"endpointOutput": side("OUTPUT", "1")}}, "captured without a time"),
        (event("a", "1") | {"captureData": {"endpointOutput": side("OUTPUT", "1")}}, "without the request"),
        (event("a", "1", content_type="image/png"), "requests of image/png; only text/csv is looked at"),
        (event("a", "1", encoding="ZIP"), "captured in a wrong encoding"),
        (
            event("a") | {"captureData": {"endpointInput": side("INPUT", "a") | {"encoding": "BASE64"}}},
            "captured in a wrong encoding",
        ),
    ],
)
def test_a_malformed_event_is_left_out_and_said(call: Any, reason: str, tmp_path: Path) -> None:
    write_captures(tmp_path, "cars", [call, event("b", "2")])
    rows, (problem,) = read_captured(tmp_path)
    assert [row.request for row in rows] == ["b"]
    assert problem.startswith("1 row was left out: ")
    assert reason in problem
    assert problem.endswith("line 1).")
