from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.live_model import LiveModel
from common.seen import Row

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def shout(request: str) -> str:
    return request.upper()


def answers(model: LiveModel, *rows: tuple[str, str | None]) -> list[str]:
    return model.answers([Row(request, answer, NOW, "") for request, answer in rows])


def test_the_model_answers_the_rows_that_have_no_answer_and_each_gets_its_own() -> None:
    model = LiveModel(Path(), shout, None, None)
    assert answers(model, ("a", "1"), ("b", None), ("c", "3"), ("d", None)) == ["1", "B", "3", "D"]


def test_a_model_that_answers_more_or_fewer_rows_is_not_believed() -> None:
    model = LiveModel(Path(), lambda request: "one answer\n", None, None)
    with pytest.raises(ValueError, match="1 answers to 2 rows"):
        answers(model, ("a", None), ("b", None))
