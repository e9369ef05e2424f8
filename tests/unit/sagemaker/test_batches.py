import threading

import pytest

from local.sagemaker.batches import Batches
from local.sagemaker.logs import Logs, Stream
from tests.unit.sagemaker.fakes import ROLE, FakeAws

STREAM = Stream(ROLE, "/aws/sagemaker/TrainingJobs", "job/algo-1-1")


def test_items_arrive_in_order_and_in_batches() -> None:
    seen: list[list[int]] = []
    first, go_on = threading.Event(), threading.Event()

    def deliver(batch: list[int]) -> None:
        seen.append(batch)
        first.set()
        assert go_on.wait(10)

    batches = Batches(deliver, delay=0.0, size=3, name="test")
    batches.put(0)
    assert first.wait(10)
    for number in range(1, 6):
        batches.put(number)
    go_on.set()
    batches.close()
    batches.close()

    assert seen == [[0], [1, 2, 3], [4, 5]]


def test_an_undeliverable_batch_does_not_delay_the_next() -> None:
    seen: list[int] = []
    failed = threading.Event()

    def deliver(batch: list[int]) -> None:
        if batch == [0]:
            failed.set()
            raise RuntimeError("no")
        seen.extend(batch)

    batches = Batches(deliver, delay=0.0, size=3, name="test")
    batches.put(0)
    assert failed.wait(10)
    batches.put(1)
    batches.close()

    assert seen == [1]


@pytest.fixture
def logs(aws: FakeAws) -> Logs:
    return Logs(aws)  # type: ignore[arg-type]


def test_a_group_and_a_stream_may_already_exist(aws: FakeAws, logs: Logs) -> None:
    aws.logs.create_log_stream(STREAM.group, "other")
    logs.write(STREAM, "line")
    logs.close()

    assert aws.logs.lines[STREAM.group, STREAM.name] == ["line"]


def test_long_lines_are_split_and_empty_ones_kept(aws: FakeAws, logs: Logs) -> None:
    logs.write(STREAM, "x" * 120_000)
    logs.write(STREAM, "")
    logs.close()

    lines = aws.logs.lines[STREAM.group, STREAM.name]
    assert [len(line) for line in lines] == [50_000, 50_000, 20_000, 1]


def test_no_call_carries_more_than_cloudwatch_accepts(
    aws: FakeAws, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(
        aws.logs,
        "put_log_events",
        lambda logEvents, **_: sizes.append(sum(len(each["message"].encode()) + 26 for each in logEvents)),  # noqa: N803
    )
    for _ in range(30):
        logs.write(STREAM, "é" * 50_000)
    logs.close()

    assert sum(sizes) == 30 * (100_000 + 26)
    assert max(sizes) < 1_048_576
    assert len(sizes) > 1
