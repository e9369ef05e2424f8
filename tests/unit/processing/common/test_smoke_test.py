import json
from types import SimpleNamespace
from typing import Any

import pytest

from common import smoke_test as module
from common.evaluation import SmokeTest
from common.smoke_test import AnswersDiffer, compare_answers, smoke_test

DOUBLING: Any = SimpleNamespace(
    input_fn=lambda body, content_type: [float(line) for line in body.splitlines()],
    predict_fn=lambda numbers, model: [model * number for number in numbers],
    output_fn=lambda numbers, accept: ("".join(f"{number}\n" for number in numbers), accept),
)


def take(rows: list[str]) -> SmokeTest:
    return smoke_test(DOUBLING, 2, rows, "text/csv", "text/csv", 0.5)


def test_the_first_rows_are_kept_with_the_models_answer() -> None:
    found = take(["1", "2\n", "3\r\n"])
    assert found == SmokeTest("text/csv", "text/csv", 3, "1\n2\n3\n", "2.0\n4.0\n6.0\n", 0.5)
    assert take(["1"] * 500).rows == 20


def test_long_rows_are_fewer_so_that_the_evaluation_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_REQUEST", 6)
    assert take(["1", "2", "33", "4"]).request == "1\n2\n"
    assert take(["1234567", "2"]).request == "1234567\n"


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        ("1.5\n2\n", "1.5\n2.0\n", 0),
        ("1.5\n2\n", "1.5\r\n2.25", 0.125),
        ("8\n", "10\n", 0.25),
        ("", "", 0),
        ("rose,0.5\n", "rose,0.25\n", 0.25),
        ('a,"b, c",1\n', 'a,"b, c",1\n', 0),
        ('{"label": 3, "p": [0.5, 0.25]}', '{"p": [0.5, 0.125], "label": 3}', 0.125),
        ('{"a": null, "b": true, "c": "x"}', '{"c": "x", "a": null, "b": true}', 0),
        ("[1, [2]]", "[1, [2]]", 0),
    ],
)
def test_numbers_may_differ_within_the_tolerance(expected: str, found: str, difference: float) -> None:
    assert compare_answers(expected, found, 0.25) == difference


@pytest.mark.parametrize(
    ("expected", "found", "problem"),
    [
        ("1\n2\n", "1\n", "the answer has 1 lines; expected 2"),
        ("1\n2\n", "1\n3\n", "line 2: 3.0 instead of 2.0; more than 0.25 apart"),
        ("1\n", "nan\n", 'line 1: NaN instead of 1.0'),
        ("nan\n", "nan\n", "line 1: NaN instead of NaN"),
        ("1\n", "inf\n", "line 1: Infinity instead of 1.0"),
        ("rose,1\n", "lily,1\n", "line 1, value 1: lily instead of rose"),
        ("rose,1\n", "rose\n", "line 1: "),
        ("1\n", "error\n", "line 1: error instead of 1.0"),
        ('{"p": [0, 1]}', '{"p": [0, 2]}', "line 1, p, value 2: 2 instead of 1; more"),
        ('{"p": [0, 1]}', '{"p": [0]}', "line 1, p: [0] instead of [0, 1]"),
        ('{"p": 1}', '{"q": 1}', 'line 1: {"q": 1} instead of {"p": 1}'),
        ('{"p": true}', '{"p": 1}', "line 1, p: 1 instead of true"),
        ('{"p": NaN}', '{"p": NaN}', "line 1, p: NaN instead of NaN"),
        ('{"p": 1}', '{"p": 1', 'line 1: {"p": 1 instead of {"p": 1}'),
        ('{"p": 1}', "[" * 100_000, "line 1: [[[[["),
        ("1\n", f"1{'0' * 400}\n", "line 1: Infinity instead of 1.0"),
        ("1\n", f"[1{'0' * 5000}]\n", "line 1: [10000"),
        ("x\n", "\x1b[2J" + "y" * 100, "line 1:  [2Jyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy... instead of x"),
    ],
)  # fmt: skip
def test_anything_else_is_named_with_its_line(expected: str, found: str, problem: str) -> None:
    with pytest.raises(AnswersDiffer) as differ:
        compare_answers(expected, found, 0.25)
    assert str(differ.value).startswith(problem)
    assert len(str(differ.value)) < 200


def test_large_numbers_are_compared_relatively() -> None:
    assert compare_answers("1000000\n", "1000000.5\n", 1e-6) == 5e-7
    with pytest.raises(AnswersDiffer, match="more than 1e-06 apart"):
        compare_answers(json.dumps([1.0]), json.dumps([1.00001]), 1e-6)
