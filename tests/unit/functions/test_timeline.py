"""The time line of a run: what stands where, however long the run waited."""

from datetime import timedelta

import pytest

from reporting.searches import Search, trial_of
from reporting.timeline import Bar, Timeline, timeline
from reporting.words import duration, size
from tests.unit.functions.histories import RUN, START, Story, training_job, tuned


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"), (0.04, "0 s"), (0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1 min"), (200, "3 min 20 s"),
        (7500, "2 h 5 min"), (3600, "1 h"), (349_300, "4 d 1 h"), (86_401, "1 d"),
    ],
)  # fmt: skip
def test_a_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_size_has_the_unit_that_fits() -> None:
    assert [size(n) for n in (812, 17_700, 2.3e6, 3.2e9)] == ["812 bytes", "17.7 KB", "2.3 MB", "3.2 GB"]


def drawn(story: Story, search: Search | None = None) -> Timeline:
    found = timeline(story.history, search, story.at)
    assert found is not None
    return found


def bars(line: Timeline, kind: str) -> list[Bar]:
    return [bar for bar in line.bars if bar.kind == kind]


def waited(seconds: float) -> Story:
    """A run of some minutes that then waits for a decision."""
    story = Story().works("Preprocess", "preprocess", 100)
    story.enters("Is it good?", "Choice").exits("Choice").works("Evaluate", "evaluate", 50)
    story.enters("Ask for approval").calls("invoke.waitForTaskToken", Payload={"task_token": "secret"})
    return story.answers(seconds).exits()


def test_each_state_that_does_something_has_a_row_and_its_time() -> None:
    line = drawn(waited(10))
    assert [(row.name, row.took) for row in line.rows] == [
        ("Preprocess", "1 min 40 s"),
        ("Evaluate", "50 s"),
        ("Ask for approval", "10 s"),
    ]


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    line = drawn(waited(50))
    preprocess, evaluate = bars(line, "state")
    assert preprocess.width == pytest.approx(2 * evaluate.width, abs=0.3)
    assert evaluate.x == pytest.approx(preprocess.x + preprocess.width, abs=0.2)
    at_work, _ = bars(line, "work")
    assert (at_work.width, at_work.x) == pytest.approx(
        (preprocess.width / 2, preprocess.x + preprocess.width / 2), abs=0.3
    )
    assert not line.breaks


@pytest.mark.parametrize("days", [1, 7, 30])
def test_a_long_wait_for_a_decision_squashes_nothing(days: int) -> None:
    line = drawn(waited(days * 86_400))
    [gap], [preprocess, evaluate] = line.breaks, bars(line, "state")
    assert gap.label == f"{days} d"
    assert preprocess.width + evaluate.width + gap.width == pytest.approx(line.right - line.left, abs=0.3)
    assert gap.width < evaluate.width
    assert all(tick.at <= gap.x + 0.1 or tick.at >= gap.x + gap.width - 0.1 for tick in line.ticks)
    assert len(line.ticks) <= 9


def test_the_time_between_a_failure_and_its_redrive_is_a_wait() -> None:
    story = Story().works("Preprocess", "preprocess", 60)
    request = {"ProcessingJobName": f"{RUN}-evaluate-0-0"}
    story.enters("Evaluate").calls("createProcessingJob.sync", **request).fails(30, **request)
    story.ends("Failed").passes(50_000).ends("Redriven")
    story.calls("createProcessingJob.sync", **request).answers(30, **request).exits()
    line = drawn(story)
    assert [row.name for row in line.rows] == ["Preprocess", "Evaluate"]
    assert [gap.label for gap in line.breaks] == ["13 h 53 min"]
    assert [bar.kind for bar in line.bars if bar.words.startswith("Evaluate")] == ["failed", "state"]


def test_each_attempt_has_a_bar_that_says_so() -> None:
    story = Story().enters("Evaluate").calls("createProcessingJob.sync", ProcessingJobName="a").fails(10)
    line = drawn(story.passes(5).calls("createProcessingJob.sync", ProcessingJobName="b").answers(10).exits())
    assert [bar.words for bar in line.bars] == [
        "Evaluate, attempt 1: 10 s, failed",
        "Evaluate, attempt 2: 10 s",
    ]


def test_a_run_under_way_is_drawn_until_now() -> None:
    story = Story().enters("Preprocess").calls("createProcessingJob.sync", ProcessingJobName="a")
    line = timeline(story.history, None, START + timedelta(minutes=5))
    assert line is not None
    assert [row.took for row in line.rows] == ["5 min"]
    assert line.bars[0].width == pytest.approx(line.right - line.left)


def test_a_run_that_did_nothing_has_no_time_line() -> None:
    assert timeline(Story().history, None, START) is None


def test_trials_share_lanes_below_their_search() -> None:
    jobs = [
        training_job(1, 3.0, "1", 0, 20), training_job(2, 1.0, "2", 0, 40), training_job(3, None, "3", 21, 60),
    ]  # fmt: skip
    search = Search(
        f"{RUN}-0", "error", minimizes=True, trials=[trial_of(n, job) for n, job in enumerate(jobs, 1)]
    )
    line = drawn(tuned(Story(), 60), search)
    [first], [best], [failed] = bars(line, "trial"), bars(line, "best"), bars(line, "failed")
    assert first.y == failed.y < best.y
    tune, following = line.rows
    assert tune.y < first.y < best.y < following.y
    assert best.words == "Trial 2: 40 s, Completed"
