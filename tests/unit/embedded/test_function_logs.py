"""The log of a call ends where the function said so, and nothing waits for more."""

from queue import Empty

from local.embedded.seams.function_logs import lines_until

END = "END RequestId: 1"


class Written:
    """A function's lines; None where it writes nothing for a while."""

    def __init__(self, *lines: str | None) -> None:
        self.left = list(lines)

    def get(self, *, timeout: float) -> str:
        assert timeout
        line = self.left.pop(0)
        if line is None:
            raise Empty
        return line


def test_a_log_ends_with_its_call_and_leaves_the_rest_to_the_next_one() -> None:
    written = Written("END RequestId: 0", "one", "", "two", END, "of the next call")

    found = list(lines_until(END, written, lambda: True))

    assert found == ["END RequestId: 0", "one", "", "two"]
    assert written.left == ["of the next call"]


def test_an_unfinished_line_is_a_line() -> None:
    assert list(lines_until(END, Written("one", f"two{END}"), lambda: True)) == ["one", "two"]


def test_a_living_function_may_pause() -> None:
    assert list(lines_until(END, Written("one", None, "two", END), lambda: True)) == ["one", "two"]


def test_the_log_of_a_function_that_died_has_no_end() -> None:
    assert list(lines_until(END, Written("one", None), lambda: False)) == ["one"]
