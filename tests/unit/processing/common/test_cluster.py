import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.cluster import IN_FLIGHT, ClusterFailed, Local


def square(number: int) -> int:
    return number * number


def process(_: object) -> int:
    return os.getpid()


def refuse_the_third(number: int) -> int:
    if number == 3:
        raise ValueError("not this one")
    return number


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(Local(workers=workers).map(square, range(20))) == [number**2 for number in range(20)]


def test_several_items_run_in_other_processes() -> None:
    assert os.getpid() not in set(Local(workers=2).map(process, range(8)))


@pytest.mark.parametrize(("workers", "items"), [(1, 5), (4, 1)])
def test_one_worker_or_one_item_needs_no_other_process(workers: int, items: int) -> None:
    assert set(Local(workers=workers).map(process, range(items))) == {os.getpid()}


def test_no_items_give_no_results() -> None:
    assert list(Local().map(square, [])) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_exception_of_a_function_is_raised_after_the_results_before_it(workers: int) -> None:
    results = Local(workers=workers).map(refuse_the_third, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="not this one"):
        next(results)


def test_few_items_are_read_ahead_of_the_results() -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = Local(workers=2).map(square, items())
    next(results)
    assert len(read) <= 2 * IN_FLIGHT
    results.close()  # type: ignore[attr-defined]


def test_a_killed_process_fails_the_work_with_the_probable_reason(tmp_path: Path) -> None:
    with pytest.raises(ClusterFailed, match="killed, probably because memory was short"):
        list(Local(workers=2).map(die, range(4)))
