import json

from local.cli.history import Answered, Called, Ended, Entered, History, Left
from tests.unit.cli.fakes import HistoryBook


def test_states_come_with_the_seconds_between_their_entry_and_their_exit() -> None:
    book = HistoryBook()
    book.add("TaskStateEntered", 1.0, name="Preprocess")
    book.add("TaskStateExited", 3.5, name="Preprocess")
    assert History(book, "arn").updates() == [Entered("Preprocess"), Left("Preprocess", 2.5)]


def test_only_new_events_are_reported() -> None:
    book = HistoryBook()
    history = History(book, "arn")
    book.add("ExecutionStarted")
    book.add("PassStateEntered", 0.0, name="A")
    assert history.updates() == [Entered("A")]
    assert history.updates() == []
    book.add("PassStateExited", 1.0, name="A")
    assert history.updates() == [Left("A", 1.0)]


def test_a_long_history_is_read_in_pages_and_reported_in_order() -> None:
    book = HistoryBook(page_size=3)
    names = [f"State {number}" for number in range(10)]
    for name in names:
        book.add("PassStateEntered", 0.0, name=name)
        book.add("PassStateExited", 0.0, name=name)
    updates = History(book, "arn").updates()
    assert [update.state for update in updates if isinstance(update, Entered)] == names


def test_pages_that_hold_nothing_new_are_not_read_again() -> None:
    book = HistoryBook(page_size=3)
    history = History(book, "arn")
    for number in range(30):
        book.add("PassStateEntered", 0.0, name=str(number))
    history.updates()
    book.pages_read = 0
    book.add("PassStateEntered", 0.0, name="the last one")
    history.updates()
    assert book.pages_read == 1


def test_a_request_and_its_answer_are_reported_with_their_content() -> None:
    book = HistoryBook()
    book.add(
        "TaskScheduled", resource="createModel", resourceType="sagemaker", parameters='{"ModelName": "m"}'
    )
    book.add("TaskSucceeded", resource="createModel", resourceType="sagemaker", output='{"ModelArn": "a"}')
    assert History(book, "arn").updates() == [
        Called("createModel", {"ModelName": "m"}),
        Answered("createModel", {"ModelArn": "a"}),
    ]


def test_a_state_whose_failure_is_caught_counts_as_failed() -> None:
    book = HistoryBook()
    book.add("TaskStateEntered", 0.0, name="Tune")
    book.add("TaskScheduled", resource="x", parameters="{}")
    book.add("TaskFailed", 1.0, resource="x", error="States.TaskFailed")
    book.add("TaskStateExited", 1.0, name="Tune")
    book.add("PassStateEntered", 1.0, name="Tell")
    book.add("PassStateExited", 1.0, name="Tell")
    lefts = [update for update in History(book, "arn").updates() if isinstance(update, Left)]
    assert lefts == [Left("Tune", 1.0, failed=True), Left("Tell", 0.0, failed=False)]


def test_a_state_whose_retry_succeeds_does_not_count_as_failed() -> None:
    book = HistoryBook()
    book.add("TaskStateEntered", 0.0, name="Tune")
    book.add("TaskFailed", 1.0, resource="x", error="Throttled")
    book.add("TaskScheduled", 2.0, resource="x", parameters="{}")
    book.add("TaskStateExited", 3.0, name="Tune")
    assert Left("Tune", 3.0, failed=False) in History(book, "arn").updates()


def test_a_state_without_an_exit_ends_when_the_next_one_begins() -> None:
    book = HistoryBook()
    book.add("TaskStateEntered", 0.0, name="A")
    book.add("TaskStateEntered", 2.0, name="B")
    assert History(book, "arn").updates() == [Entered("A"), Left("A", 2.0), Entered("B")]


def test_a_successful_end_has_the_output() -> None:
    book = HistoryBook()
    book.add("ExecutionSucceeded", output=json.dumps({"outcome": "approved"}))
    assert History(book, "arn").updates() == [Ended("SUCCEEDED", {"outcome": "approved"}, "", "")]


def test_a_failure_closes_the_state_that_it_happened_in() -> None:
    book = HistoryBook()
    book.add("FailStateEntered", 0.0, name="Pipeline failed")
    book.add("ExecutionFailed", 0.5, error="TuningFailed", cause="no trial succeeded")
    assert History(book, "arn").updates() == [
        Entered("Pipeline failed"),
        Left("Pipeline failed", 0.5, failed=True),
        Ended("FAILED", {}, "TuningFailed", "no trial succeeded"),
    ]


def test_stopping_and_running_out_of_time_are_ends_too() -> None:
    for kind, status in [("ExecutionAborted", "ABORTED"), ("ExecutionTimedOut", "TIMED_OUT")]:
        book = HistoryBook()
        book.add(kind)
        (end,) = History(book, "arn").updates()
        assert isinstance(end, Ended)
        assert end.status == status
