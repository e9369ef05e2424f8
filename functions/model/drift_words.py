"""Drift, and an approved model's error now and then, in a sentence each: for pages, mails and terminals.

Names and reasons in the sentences are single lines, but untrusted: a page escapes them, a mail and a terminal
make their links harmless.
"""

from collections.abc import Sequence
from typing import Literal

from common.drift import Drift, QualityChange
from model.change import Change, interval_words, level_words, version_of
from shared.text import number, one_line

# The most features that a sentence names.
_NAMED = 6


def data_change(drift: Drift | None, subject: str = "The upload") -> Change:
    """Whether the subject's rows differ from the data that the approved model was trained on.

    The words are empty if there was nothing to compare with.
    """
    if drift is None:
        return Change("")
    known = f"the data that {_approved(drift.model_package_arn)} was trained on"
    if drift.problem:
        return Change(f"{subject} was not compared with {known}. {one_line(drift.problem, 300)}")
    if drift.drifted:
        return Change(f"{subject} differs from {known}: {_listed(drift.drifted_features)}.", "warn")
    return Change(f"No drift from {known}." if drift.tests else "")


def error_change(change: QualityChange | None, package_arn: str, rows: str = "new test rows") -> Change:
    """How well the approved model does on these rows, beside its approval; no words if that is unknown."""
    if change is None:
        return Change("")
    found, tone = _direction(change)
    figures = (
        f"{one_line(change.label or change.metric, 80)} {number(change.now)} now, "
        f"{number(change.at_approval)} then ({level_words(change.level)} of the difference: "
        f"{interval_words(change.low, change.high)})"
    )
    return Change(f"On {number(change.rows)} {rows}, {_approved(package_arn)} {found}: {figures}.", tone)


def _direction(change: QualityChange) -> tuple[str, Literal["", "bad"]]:
    if change.degraded:
        return "does worse than at its approval", "bad"
    if (change.low > 0) if change.better == "higher" else (change.high < 0):
        return "does better than at its approval", ""
    return "shows no clear change since its approval", ""


def _approved(package_arn: str) -> str:
    """`version 3`, or `the approved model`."""
    version = version_of(package_arn)
    return "the approved model" if version == "model" else version


def _listed(names: Sequence[str]) -> str:
    """`weight`, `weight and year`, `a, b, c, d, e and 7 more`."""
    shown = [one_line(name, 60) for name in names]
    if len(shown) > _NAMED:
        shown = [*shown[: _NAMED - 1], f"{number(len(names) - _NAMED + 1)} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
