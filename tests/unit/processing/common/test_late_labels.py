"""Which predicted rows count as labelled later, with rows that are numbers and their own contents."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from common import known_rows
from common.bundle import BadArchive
from common.known_rows import Keys, KnownRows, read_known_rows
from common.late_labels import LateLabels, Upload, read_uploads
from common.seen import Block, Row

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN = "mpg-20260302-1200-0123abcd"


def keys(request: str) -> Keys:
    return np.array([int(line) for line in request.splitlines()], np.uint64)


def sample(prepared: Path) -> Iterator[tuple[str, Sequence[str]]]:
    for line in (prepared / "sample.txt").read_text().splitlines():
        key, _, label = line.partition(" ")
        yield f"{key}\n", [label]


@pytest.fixture
def numbers() -> ModuleType:
    module = ModuleType("numbers.monitoring")
    module.__dict__.update(keys=keys, sample=sample)
    return module


def known(*rows: int) -> KnownRows:
    return KnownRows.of([np.array(rows, np.uint64)])


def upload(time: datetime, labels: dict[int, str]) -> Upload:
    return Upload(time, known(*labels), labels)


def block(*requests: object, run: str = "", time: datetime = NOON) -> Block:
    return Block(run, [Row(str(request), None, time, "") for request in requests])


def found(late: LateLabels) -> list[tuple[str, str]]:
    return [(row.request, label) for row, label in late.rows()]


def test_a_label_counts_that_came_after_the_row(numbers: ModuleType) -> None:
    late = LateLabels(numbers, {"b": upload(NOON + HOUR, {1: "x", 2: "y"})}, {}, known())
    late.add(block(1, 3))
    late.add(block(2, time=NOON + 2 * HOUR))
    late.add(block(2, time=NOON + HOUR))
    assert found(late) == [("1", "x")]


def test_each_content_counts_once_with_the_first_label_after_it(numbers: ModuleType) -> None:
    uploads = {
        "a": upload(NOON - HOUR, {1: "old"}),
        "c": upload(NOON + 2 * HOUR, {1: "later"}),
        "b": upload(NOON + HOUR, {1: "first"}),
    }
    late = LateLabels(numbers, uploads, {}, known())
    late.add(block(1, 1))
    late.add(block(1, time=NOON + HOUR))
    assert found(late) == [("1", "first")]


def test_rows_whose_label_the_model_knew_do_not_count(numbers: ModuleType) -> None:
    late = LateLabels(numbers, {"b": upload(NOON + HOUR, {1: "x", 2: "y"})}, {}, known(1))
    late.add(block(1, 2))
    assert found(late) == [("2", "y")]


@pytest.mark.parametrize("is_earlier", [False, True])
def test_rows_whose_label_was_in_the_upload_that_they_were_predicted_for_do_not_count(
    is_earlier: bool, numbers: ModuleType
) -> None:
    own = {RUN: upload(NOON, {1: "x"})}
    later = {"b": upload(NOON + HOUR, {1: "x", 2: "y"})}
    uploads, earlier = (later, own) if is_earlier else (own | later, {})
    late = LateLabels(numbers, uploads, earlier, known())
    late.add(block(1, 2, run=RUN))
    assert found(late) == [("2", "y")]
    assert late.problems() == []


def test_earlier_uploads_bring_no_labels(numbers: ModuleType) -> None:
    earlier = {"b": upload(NOON + HOUR, {1: "x"})}
    late = LateLabels(numbers, {"c": upload(NOON + 2 * HOUR, {2: "y"})}, earlier, known())
    late.add(block(1, 2))
    assert found(late) == [("2", "y")]


def test_predictions_of_a_run_whose_upload_is_not_there_are_left_out_and_said(numbers: ModuleType) -> None:
    late = LateLabels(numbers, {"b": upload(NOON + HOUR, {1: "x", 2: "y"})}, {}, known())
    late.add(block(1, 2, 3, run=RUN))
    assert found(late) == []
    (problem,) = late.problems()
    assert problem.startswith(f"2 late labels for predictions of {RUN} were left out")


def test_a_model_that_does_not_say_what_it_knew_has_no_late_labels(numbers: ModuleType) -> None:
    late = LateLabels(numbers, {"b": upload(NOON + HOUR, {1: "x"})}, {}, None)
    late.add(block(1))
    assert (found(late), late.expected) == ([], False)
    (problem,) = late.problems()
    assert "does not say which rows it knew" in problem


def test_a_row_that_cannot_be_read_takes_no_other_with_it(numbers: ModuleType) -> None:
    late = LateLabels(numbers, {"b": upload(NOON + HOUR, {1: "x", 2: "y"})}, {}, known())
    late.add(block(1, "none", 2))
    assert found(late) == [("1", "x"), ("2", "y")]


def test_rows_are_not_read_if_no_labels_came_after_them(numbers: ModuleType) -> None:
    def refuse(request: str) -> Keys:
        raise AssertionError(request)

    numbers.__dict__["keys"] = refuse
    LateLabels(numbers, {"b": upload(NOON, {1: "x"})}, {}, known()).add(block(1))
    LateLabels(numbers, {}, {}, known()).add(block(1))


def test_of_a_large_upload_only_rows_that_the_sample_covers_can_be_told(
    numbers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_rows, "SAMPLE", 3)
    assert known(1, 5, 9).may_have(np.array([1, 2, 9, 10], np.uint64)).tolist() == [True, False, True, True]
    assert known(1, 5).may_have(np.array([1, 2, 9], np.uint64)).tolist() == [True, False, False]
    # The same content twice fills a sample, too.
    assert known(1, 5, 5).may_have(np.array([4, 6], np.uint64)).tolist() == [False, True]


def test_the_known_rows_of_an_archive_are_read_back(numbers: ModuleType) -> None:
    rows = known(7, (1 << 64) - 1, 3)
    again = read_known_rows(rows.to_bytes())
    assert again.keys.tolist() == [3, 7, (1 << 64) - 1]
    assert again.to_bytes() == rows.to_bytes()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", known_rows.KnownRows(np.array([1.5])).to_bytes()])
def test_damaged_known_rows_are_refused(content: bytes) -> None:
    with pytest.raises(BadArchive):
        read_known_rows(content)


def test_the_labelled_rows_of_accepted_uploads_are_read_by_run(numbers: ModuleType, tmp_path: Path) -> None:
    for run, has_summary in ((RUN, True), ("mpg-20260302-1300-0123abcd", False), ("no-run", True)):
        folder = tmp_path / "runs" / run / "prepared"
        folder.mkdir(parents=True)
        (folder / "sample.txt").write_text("1 x\n2 y\n2 z\n")
        if has_summary:
            (folder / "summary.json").write_text("{}")
    uploads = read_uploads(tmp_path, numbers)
    assert uploads.keys() == {RUN}
    assert (uploads[RUN].time, uploads[RUN].labels) == (NOON, {1: "x", 2: "y"})
    assert uploads[RUN].rows.keys.tolist() == [1, 2, 2]
