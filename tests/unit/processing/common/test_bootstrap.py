import numpy as np
import pytest

from common import bootstrap
from common.bootstrap import FEWEST_ROWS, GROUPS, compare


def test_the_interval_is_that_of_the_mean_of_the_differences() -> None:
    random = np.random.default_rng(7)
    champion = random.normal(10, 3, 400)
    differences = random.normal(-0.5, 1, 400)
    found = compare((champion + differences).tolist(), champion.tolist())
    assert found
    # For a mean of so many values, the bootstrap agrees with the central limit theorem.
    mean, error = differences.mean(), differences.std(ddof=1) / 20
    assert found.difference == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx(
        (mean - 1.96 * error, mean + 1.96 * error), abs=0.1 * error
    )
    assert (found.level, found.rows, found.resamples) == (0.95, 400, 2000)


def test_rows_are_paired_so_that_hard_ones_cancel_out() -> None:
    hard = np.random.default_rng(7).normal(100, 50, 60)
    found = compare((hard + 1).tolist(), hard.tolist())
    assert found
    assert (found.difference, found.low, found.high) == pytest.approx((1, 1, 1))


def test_the_same_models_give_the_same_interval_every_time() -> None:
    new, champion = np.random.default_rng(7).normal(size=(2, 60)).tolist()
    assert compare(new, champion) == compare(new, champion)
    same = compare(new, new)
    assert same
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_too_few_rows_give_no_interval() -> None:
    assert compare([1.0] * FEWEST_ROWS, [0.0] * FEWEST_ROWS)
    assert compare([1.0] * (FEWEST_ROWS - 1), [0.0] * (FEWEST_ROWS - 1)) is None


def test_many_rows_are_resampled_in_groups_with_the_interval_of_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(7)
    champion = random.normal(10, 3, 5 * GROUPS).astype(np.float32)
    # In an order, as a sorted upload has them.
    differences = np.sort(random.normal(-0.5, 1, 5 * GROUPS)).astype(np.float32)
    monkeypatch.setattr(bootstrap, "_ROWS_AT_A_TIME", GROUPS)
    found = compare(champion + differences, champion)
    assert found
    mean, error = differences.mean(), differences.std() / np.sqrt(len(differences))
    assert found.difference == pytest.approx(mean, rel=1e-5)
    assert (found.low, found.high) == pytest.approx(
        (mean - 1.96 * error, mean + 1.96 * error), abs=0.15 * error
    )
    assert (found.rows, found.resamples) == (5 * GROUPS, 2000)


def test_values_of_other_rows_are_not_paired() -> None:
    with pytest.raises(ValueError, match="20 values cannot be paired with 19"):
        compare([1.0] * 20, [1.0] * 19)
