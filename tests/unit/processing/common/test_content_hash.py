import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.content_hash import content_hashes, different

NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, float("nan"), 1.0])
ROWS = st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=8)
MASK = 2**64 - 1


def one_by_one(row: list[float]) -> int:
    """The documented formula."""
    state = 0
    for value in row:
        [bits] = np.array([np.nan if value != value else value + 0.0]).view(np.uint64).tolist()
        state = ((state ^ bits) + 0x9E3779B97F4A7C15) & MASK
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
        state ^= state >> 31
    return state


@given(ROWS)
def test_the_hash_is_the_documented_one(rows: list[list[float]]) -> None:
    assert content_hashes(np.array(rows).T).tolist() == list(map(one_by_one, rows))


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=40))
def test_the_different_hashes_are_sorted(hashes: list[int]) -> None:
    assert different(np.array(hashes, np.uint64)).tolist() == sorted(set(hashes))


def test_the_hashes_stay_the_same_for_good() -> None:
    rows = np.array([[8.0, 307.0, np.nan], [0.0, 0.0, 0.0]])
    assert content_hashes(rows.T).tolist() == [2748093728460808283, 2558736989570252433]


def test_any_nan_and_any_zero_are_the_same() -> None:
    others = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert len(set(content_hashes([np.array([np.nan, *others])]).tolist())) == 1
    assert len(set(content_hashes([np.array([0.0, -0.0])]).tolist())) == 1


def test_columns_are_not_interchangeable() -> None:
    assert len(set(content_hashes(np.array([[1.0, 2.0], [2.0, 1.0]])).tolist())) == 2


def test_hashes_of_similar_rows_spread_evenly() -> None:
    weights, years = np.meshgrid(np.arange(1000.0), np.arange(70.0, 83.0))
    hashes = content_hashes([weights.ravel(), years.ravel()])
    assert len(np.unique(hashes)) == len(hashes)
    counts = np.bincount((hashes >> np.uint64(60)).astype(int), minlength=16)
    assert np.allclose(counts, len(hashes) / 16, rtol=0.15)
