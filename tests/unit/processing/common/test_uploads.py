import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.uploads import PROBLEMS_SHOWN, BadUpload, Problems


def refusal(problems: Problems) -> str:
    with pytest.raises(BadUpload) as refused:
        problems.refuse_any()
    return str(refused.value)


def test_without_a_problem_nothing_is_refused() -> None:
    Problems("incoming/a.csv").refuse_any()


def test_the_first_problem_names_the_file_and_the_others_their_place() -> None:
    problems = Problems("incoming/a.csv")
    problems.add("line 2", "weight is missing", "mpg is missing")
    problems.add("line 4", "has 2 fields")
    assert refusal(problems).split("\n") == [
        "incoming/a.csv, line 2: weight is missing",
        "line 2: mpg is missing",
        "line 4: has 2 fields",
    ]


def test_a_problem_of_the_whole_file_has_no_place() -> None:
    problems = Problems("incoming/a.csv")
    problems.add(None, "is empty")
    assert refusal(problems) == "incoming/a.csv is empty"


@given(st.integers(1, 5000))
def test_the_first_five_are_shown_and_the_others_counted(count: int) -> None:
    problems = Problems("a.csv")
    for number in range(count):
        problems.add(f"line {number}", "is wrong")
    shown = refusal(problems).split("\n")
    assert len(shown) == min(count, PROBLEMS_SHOWN + 1)
    if count > PROBLEMS_SHOWN:
        assert shown[-1] == f"and {count - PROBLEMS_SHOWN:,} more"


@given(st.text())
def test_no_name_moves_a_cursor_in_the_message(name: str) -> None:
    problems = Problems(name)
    problems.add("line 1", "is wrong")
    assert refusal(problems).isprintable()
    assert len(refusal(problems)) < 300
