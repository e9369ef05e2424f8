from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from common.readable import each_readable
from common.row_sample import RowSample
from common.seen import Block, Row

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def offer(sample: RowSample, requests: Sequence[str], size: int = 100) -> list[str]:
    for start in range(0, len(requests), size):
        sample.add(Block("", [Row(each, None, NOW, "") for each in requests[start : start + size]]))
    return [row.request for row in sample.rows()]


def test_few_rows_are_all_in_the_sample_in_their_order() -> None:
    rows = [str(number) for number in range(250)]
    assert offer(RowSample(250), rows) == rows


def test_of_many_rows_each_is_as_likely_wherever_it_is() -> None:
    found = [int(each) for each in offer(RowSample(1000), [str(number) for number in range(20_000)])]
    assert len(set(found)) == 1000
    # Each quarter has 250 rows, give or take 14.
    counts = [sum(number // 5000 == quarter for number in found) for quarter in range(4)]
    assert all(180 < count < 320 for count in counts)


def test_the_same_files_give_the_same_sample() -> None:
    rows = [str(number) for number in range(5000)]
    assert offer(RowSample(100), rows) == offer(RowSample(100), rows)


def test_rows_that_take_too_much_memory_make_the_sample_smaller() -> None:
    sample = RowSample(1000, most_characters=10_000)
    kept = offer(sample, ["x" * 1000] * 500, size=10)
    assert 1 <= len(kept) <= 10


def refuse_negative(rows: Sequence[int]) -> int:
    if min(rows) < 0:
        raise ValueError("a negative number")
    return sum(rows)


@pytest.mark.parametrize("rows", [[], [1, 2, 3], [-1], [-1, 1, -2, 2, 3, 4, 5, -3], [-1, -2]])
def test_rows_that_cannot_be_read_are_refused_one_by_one_and_the_others_read(rows: list[int]) -> None:
    refused: list[int] = []
    parts = list(each_readable(refuse_negative, rows, refused.append))
    assert [row for part, _ in parts for row in part] == [row for row in rows if row >= 0]
    assert sum(total for _, total in parts) == sum(row for row in rows if row >= 0)
    assert refused == [row for row in rows if row < 0]
