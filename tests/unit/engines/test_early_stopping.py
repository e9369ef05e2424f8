from __future__ import annotations

import pytest

from local.sagemaker.engines.early_stopping import should_stop_early

# Their running averages after two iterations are 9, 8 and 4: the median is 8.
FINISHED = [[10.0, 8.0, 6.0], [9.0, 7.0, 1.0], [5.0, 3.0]]


@pytest.mark.parametrize(
    ("trial", "stops"),
    [
        ([9.0, 8.1], True),
        ([9.0, 8.0], False),
        ([99.0, 7.9], False),
        ([8.0], False),
        ([9.1], True),
        ([1.0, 1.0, 5.6], False),
        ([1.0, 1.0, 5.7], True),
        ([], False),
    ],
)
def test_a_trial_stops_when_it_is_worse_than_the_median_of_the_running_averages(
    trial: list[float], stops: bool
) -> None:
    assert should_stop_early(trial, FINISHED) is stops


def test_two_finished_trials_are_too_few() -> None:
    assert not should_stop_early([1000.0], FINISHED[:2])
    assert not should_stop_early([1000.0], [*FINISHED[:2], []])
