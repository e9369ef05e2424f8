"""What the page and the mail say about approving: the sentence about the model and the one about the endpoint."""

from dataclasses import replace
from typing import Any

import pytest

from common.evaluation import Champion, Comparison, Evaluation, Metric
from model.change import endpoint_change, model_change
from tests.evaluation import EVALUATION
from tests.unit.functions.conftest import World

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--auto-mpg/6"
READ = Evaluation.from_json({**EVALUATION, "metrics": [
    {"name": "mse", "label": "Error", "value": 8.0, "unit": "seconds", "better": "lower"},
]})  # fmt: skip


def compared(difference: float, low: float, high: float, better: Any = "lower") -> Evaluation:
    comparison = Comparison(difference, low, high, 0.95, 60, 2000)
    metric = Metric("mse", "Error", 8.0, "seconds", better)
    return replace(READ, metrics=[metric], champion=Champion(ARN, 8.0 - difference, comparison))


@pytest.mark.parametrize(
    ("evaluation", "tone", "words"),
    [
        (compared(-2, -3, -1), "good",
         "Better than the approved version 6 on the same 60 test rows: Error is 2 seconds lower "
         "(95 % interval: 1 to 3 seconds lower)."),
        (compared(2, 1, 3), "bad",
         "Worse than the approved version 6 on the same 60 test rows: Error is 2 seconds higher "
         "(95 % interval: 1 to 3 seconds higher)."),
        (compared(-2, -3, 1), "",
         "No clear difference from the approved version 6 on the same 60 test rows: Error is 2 seconds lower "
         "(95 % interval: 3 seconds lower to 1 seconds higher)."),
        (compared(0, 0, 0), "",
         "No difference from the approved version 6 on the same 60 test rows: Error is equal."),
        (compared(2, 1, 3, "higher"), "good", "Better than the approved version 6"),
        (compared(-2, -3, -1, "higher"), "bad", "Worse than the approved version 6"),
        (compared(-2, -3, 0), "", "No clear difference"),
        (replace(READ, champion=Champion(ARN, 10.0)), "",
         "Beside the approved version 6 on the same test rows, Error is 2 seconds lower."),
        (replace(READ, champion=Champion("by hand", 10.0)), "", "Beside the approved model on the same test rows"),
        (replace(READ, champion=None), "", "It would be the first approved model of this workload."),
        (replace(READ, champion=None, champion_problem="it is gone"), "warn",
         "It could not be compared with the approved model."),
        (Evaluation(), "", ""),
    ],
)  # fmt: skip
def test_the_models_sentence_says_better_worse_or_no_clear_difference(
    evaluation: Evaluation, tone: str, words: str
) -> None:
    found = model_change(evaluation)
    assert found.tone == tone
    assert found.words.startswith(words)


def test_without_endpoints_the_sentence_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_TYPE", "none")
    assert endpoint_change(READ) == "Approving it releases no endpoint: EndpointType is none."


def test_the_endpoints_sentence_names_the_version_that_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_TYPE", "serverless")
    assert endpoint_change(READ) == "Approving it releases it as the first live model of this workload."
    texts = ("endpoint_type", "since", "execution_arn")
    names = {
        "workload": "auto_mpg",
        "package_arn": ARN,
        "endpoint_name": "mpg-pipeline-auto-mpg",
        "version": 6,
    }
    world.table.put_item(Item={"pk": "live#auto_mpg", **dict.fromkeys(texts, "x"), **names})
    assert endpoint_change(READ) == "Approving it replaces version 6 on the endpoint mpg-pipeline-auto-mpg."


NOT_BETTER, WORSE = "Not clearly better than the approved model", "Worse than the approved model"


@pytest.mark.parametrize(
    ("evaluation", "short"),
    [
        (compared(-2, -3, -1), ""),
        (compared(2, 1, 3, "higher"), ""),
        (compared(2, 1, 3), WORSE),
        (compared(-2, -3, -1, "higher"), WORSE),
        (compared(-2, -3, 1), NOT_BETTER),
        (compared(0, 0, 0), NOT_BETTER),
        # Without an interval, nobody can say that it is better.
        (replace(READ, champion=Champion(ARN, 10.0)), NOT_BETTER),
        (replace(READ, champion=None), ""),
        (replace(READ, champion=None, champion_problem="it is gone"), "Not compared with the approved model"),
    ],
)
def test_only_a_model_that_is_clearly_better_is_not_said_to_be_not_better(
    evaluation: Evaluation, short: str
) -> None:
    assert model_change(evaluation).not_better == short
