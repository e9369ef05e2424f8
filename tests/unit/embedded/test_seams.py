"""The emulator still has what is taken from it."""

from importlib.metadata import version

import pytest

from local.embedded import seams
from local.embedded.seams import names


def test_the_installed_ministack_has_every_name_that_is_used() -> None:
    assert seams.check() == []


def test_the_installed_ministack_is_the_one_that_was_tried() -> None:
    assert version("ministack") == seams.MINISTACK_VERSION


def test_a_name_that_moved_is_told_with_the_file_that_has_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = (("services.sns", "_fan_out", None), ("services.sns", "_subscribe", ("request",)))
    monkeypatch.setattr(names, "SEAMS", moved)
    assert seams.check() == [
        "ministack.services.sns._fan_out is gone: local/embedded/seams must be adapted.",
        "ministack.services.sns._subscribe no longer takes request.",
    ]
