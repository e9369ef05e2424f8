import io
import json

import pytest
from rich.console import Console

from common.evaluation import Baseline, Evaluation, Gate, Metric
from local.cli.endpoint import Endpoint
from local.cli.outcome import Result
from local.cli.predictions import read_predictions, show_predictions
from local.cli.report import show_model
from local.cli.screen import Screen
from tests.unit.cli.fakes import FakeS3

LINES = "".join(
    json.dumps({"image": "iVBOR" * 40, "SageMakerOutput": {"label": label, "sure": 0.987654}}) + "\n"
    for label in (7, 2)
)


def test_lines_of_csv_have_the_columns_of_the_evaluation() -> None:
    names, rows = read_predictions('1.5,"a, b",17.25\n2,c,18\n', ["x", "name", "predicted"])
    assert names == ["x", "name", "predicted"]
    assert rows == [["1.5", "a, b", "17.25"], ["2", "c", "18"]]


@pytest.mark.parametrize("columns", [[], ["x"], ["x", "y", "z", "more"]])
def test_lines_of_another_width_are_shown_all_the_same(columns: list[str]) -> None:
    assert read_predictions("1,2,3\n4,5\n", columns) == (["1", "2", "3"], [["1", "2", "3"], ["4", "5", ""]])


def test_lines_of_json_have_the_prediction_beside_what_was_asked() -> None:
    names, rows = read_predictions(LINES, [])
    assert names == ["image", "label", "sure"]
    assert [row[1:] for row in rows] == [["7", "0.987654"], ["2", "0.987654"]]


def test_a_prediction_that_is_one_value_keeps_its_name() -> None:
    assert read_predictions('{"x": 1, "SageMakerOutput": 3.5}\n', [])[0] == ["x", "SageMakerOutput"]


def test_no_predictions_are_none() -> None:
    assert read_predictions("", ["x"])[1] == []


def screen() -> tuple[Screen, io.StringIO]:
    shown = io.StringIO()
    return Screen(Console(file=shown, highlight=False, soft_wrap=True)), shown


def test_long_cells_are_cut_links_taken_apart_and_numbers_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = LINES + json.dumps({"image": "http://evil.com", "SageMakerOutput": {"label": 1}}) + "\n"
    store = FakeS3({"runs/1/predictions/batch.jsonl.out": lines.encode()})
    monkeypatch.setattr(Endpoint, "client", lambda self, service: store)
    on, shown = screen()
    result = Result(predictions_uri="s3://bucket/runs/1/predictions/batch.jsonl.out")
    show_predictions(on, Endpoint(1, "secret"), result)
    assert result.predictions == 3
    assert "3 predictions in s3://bucket/runs/1/predictions/batch.jsonl.out" in shown.getvalue()
    assert "0.9877" in shown.getvalue()
    assert "evil[.]com" in shown.getvalue()
    assert max(map(len, shown.getvalue().splitlines())) < 100


def test_predictions_in_several_files_are_counted_in_all_and_shown_from_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = "runs/1/predictions/batch"
    files = {
        f"{folder}-{number:05}.csv.out": f"{number},first\n{number},last\n".encode() for number in (1, 0, 2)
    }
    other = {f"{folder}-more-00000.csv.out": b"no\n", f"{folder}-00000.csv.tmp": b"no\n"}
    monkeypatch.setattr(Endpoint, "client", lambda self, service: FakeS3({**files, **other}))
    monkeypatch.setattr("local.cli.predictions._CHUNK", 5)
    on, shown = screen()
    result = Result(predictions_uri=f"s3://bucket/{folder}-00000.csv.out")
    show_predictions(on, Endpoint(1, "secret"), result)
    assert result.predictions == 6
    assert (
        "6 predictions in s3://bucket/runs/1/predictions/batch-00000.csv.out, the first of 3 files"
        in shown.getvalue()
    )
    assert "no" not in shown.getvalue().splitlines()[-1]


def test_the_last_line_counts_without_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endpoint, "client", lambda self, service: FakeS3({"x.out": b"1,2\n3,4"}))
    result = Result(predictions_uri="s3://bucket/x.out")
    show_predictions(screen()[0], Endpoint(1, "secret"), result)
    assert result.predictions == 2


def test_the_model_is_shown_with_what_is_asked_of_it() -> None:
    evaluation = Evaluation(
        metrics=[Metric("f1", "F1", 0.93, better="higher"), Metric("cost", "Cost", 12.5, "euros")],
        gate=Gate("f1", at_least=0.9),
        baseline=Baseline("saying no", 0.1),
        warnings=["class b is rare; see http://x.example"],
    )
    on, shown = screen()
    show_model(on, Result(evaluation=evaluation, trials=4, best_hyperparameters={"eta": "0.123456"}), ["eta"])
    text = shown.getvalue()
    assert "0.9300   (must be at least 0.9; saying no gives 0.1000)" in text
    assert "12.50   euros" in text
    assert "4, the best with eta 0.1235" in text
    assert "class b is rare; see http[:]//x[.]example" in text
