"""The rows of a file for `mpg predict`, and the answer that `mpg run` ends with."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.problems import Trouble
from local.cli import answer
from local.cli.endpoint import Endpoint
from local.cli.live import Live
from local.cli.rows import read_rows
from local.cli.run import Order, _parameters
from local.cli.screen import Screen
from tests.evaluation import DRAWN, EVALUATION
from tests.unit.cli.fakes import FakeS3

from common.workload import Workload, find_workload  # isort: skip

SPAM = Workload("spam", {"model": {"content_type": "text/csv", "accept": "text/csv"}})
SCREEN = Screen.on(stderr=True)


def test_a_workloads_own_module_reads_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cars.csv").write_text("18,8,307,130,3504,12,70,1,chevelle\n")
    monkeypatch.chdir(tmp_path)
    assert read_rows(find_workload("auto_mpg"), Path("cars.csv"), SCREEN) == [
        "8,307,130,3504,12,70,1,chevelle"
    ]


def test_a_file_that_the_module_refuses_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "cars.csv").write_text("1,2\n")
    with pytest.raises(Trouble) as refused:
        read_rows(find_workload("auto_mpg"), tmp_path / "cars.csv", SCREEN)
    assert refused.value.what.startswith("cars.csv, line 1: has 2 fields")


def test_a_workload_without_such_a_module_gets_the_lines_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mails.txt").write_text("\ufeffone,1\r\ntwo,2\n")
    assert read_rows(SPAM, tmp_path / "mails.txt", SCREEN) == ["one,1", "two,2"]


@pytest.mark.parametrize(("content", "problem"), [(b"", "is empty"), (b"\xff", "is not encoded in UTF-8")])
def test_a_file_without_lines_of_text_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "mails.txt").write_bytes(content)
    with pytest.raises(Trouble, match=f"mails.txt {problem}"):
        read_rows(SPAM, tmp_path / "mails.txt", SCREEN)


class FakeAws(Endpoint):
    """Answers 17.2 to everything; keeps the sample evaluation."""

    def client(self, service: str) -> Any:
        return (
            FakeS3({"models/1/evaluation.json": json.dumps({**EVALUATION, **DRAWN}).encode()})
            if service == "s3"
            else self
        )

    def describe_model_package(self, **_: Any) -> dict[str, Any]:
        place = {"S3Uri": "s3://bucket/models/1/evaluation.json"}
        return {"ModelMetrics": {"ModelQuality": {"Statistics": place}}}

    def invoke_endpoint(self, *, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        assert Body == b"8,307.0,130.0,3504,12.0,70,1\n"
        return {"Body": io.BytesIO(b"17.2\n")}


def test_a_run_ends_with_the_endpoints_answer_to_the_first_test_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    live = Live("spam", "arn/1", 1, "serverless", "mpg-local-spam", "", None, None, None)
    answer.show_answer(Screen.on(stderr=False), FakeAws(1, "secret"), live, SPAM)
    assert capsys.readouterr().out == (
        "\nThe endpoint mpg-local-spam, asked about one row\n"
        "  Sent      8,307.0,130.0,3504,12.0,70,1\n"
        "  Answered  17.2\n"
    )


@pytest.mark.parametrize(
    ("threshold", "releases", "parameters"),
    [
        (None, True, {}),
        (None, False, {"EndpointType": "none"}),
        (1.5, True, {"MseThreshold": "1.5"}),
        (46.0, False, {"MseThreshold": "46", "EndpointType": "none"}),
    ],
)
def test_a_run_changes_only_the_parameters_that_were_asked_for(
    threshold: float | None, releases: bool, parameters: dict[str, str]
) -> None:
    order = Order(Path("cars.csv"), "auto_mpg", "approve", threshold, releases)
    assert _parameters(order) == parameters
