"""`mpg run` shows how an upload differs from the approved model's data."""

import io

from rich.console import Console

from common.evaluation import Evaluation
from local.cli.outcome import Result
from local.cli.report import show_drift
from local.cli.screen import Screen
from tests.evaluation import DRIFT, DRIFTED, EVALUATION


def shown(evaluation: Evaluation | None) -> list[str]:
    out = io.StringIO()
    screen = Screen(Console(file=out, highlight=False, soft_wrap=True))
    show_drift(screen, Result(evaluation=evaluation))
    return out.getvalue().splitlines()


def test_sentences_and_the_tests_that_found_a_drift_are_shown() -> None:
    assert shown(Evaluation.from_json(DRIFTED)) == [
        "",
        "The data, beside the approved model's",
        "  The upload differs from the data that version 1 was trained on: weight and origin.",
        "  On 184 new test rows, version 1 does worse than at its approval: Mean squared error 21.30 now, 9.50 then "
        "(95 % interval of the difference: 7.10 to 16.50 higher).",
        "",
        "  feature  test                         statistic  threshold",
        "  weight   Wasserstein distance         0.7713     0.3115",
        "  weight   Kolmogorov-Smirnov distance  0.4127     0.1904",
        "  origin   Jensen-Shannon distance      0.2961     0.1648",
    ]


def test_a_name_from_the_upload_is_no_link_and_moves_no_cursor() -> None:
    tests = [{**DRIFT["tests"][2], "name": f"http://evil.example/\x1b[2J{n}"} for n in range(25)]
    lines = shown(Evaluation.from_json({**DRIFTED, "drift": {**DRIFT, "tests": tests}}))
    assert not [line for line in lines if "\x1b" in line or "evil.example" in line or "://" in line]
    assert lines[-1] == "  and 15 more"


def test_without_an_approved_model_nothing_is_shown() -> None:
    assert shown(None) == shown(Evaluation.from_json({**EVALUATION, "champion": None})) == []
