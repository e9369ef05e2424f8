import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.splitting import FIXED, Borders, exact_borders

Hashes = NDArray[np.uint64]
NUMBERS = st.lists(st.integers(0, 40).map(lambda number: number * 0x9E3779B97F4A7C15 % 2**64), max_size=80)
HASHES = NUMBERS.map(lambda numbers: np.array(numbers, np.uint64))


def parts_of(hashes: Hashes, borders: Borders | None = None) -> list[list[int]]:
    of = (borders or exact_borders(hashes)).of(hashes)
    return [hashes[of == part].tolist() for part in range(3)]


@given(HASHES)
def test_rows_of_the_same_content_are_in_the_same_part(hashes: Hashes) -> None:
    train, validation, test = (set(part) for part in parts_of(hashes))
    assert len(train) + len(validation) + len(test) == len(set(hashes.tolist()))


@given(HASHES)
def test_the_shares_of_different_contents_are_exact(hashes: Hashes) -> None:
    train, validation, test = (len(set(part)) for part in parts_of(hashes))
    total = train + validation + test
    assert (train, train + validation) == (total * 70 // 100, total * 85 // 100)


@given(NUMBERS.flatmap(lambda numbers: st.tuples(st.just(numbers), st.permutations(numbers))))
def test_the_order_of_the_rows_does_not_matter(two_orders: tuple[list[int], list[int]]) -> None:
    first, second = (exact_borders(np.array(numbers, np.uint64)) for numbers in two_orders)
    assert first == second


@given(st.sets(st.integers(0, 10_000), min_size=40, max_size=200), st.data())
def test_after_a_tenth_of_new_rows_no_training_row_tests_the_next_model(
    numbers: set[int], data: st.DataObject
) -> None:
    hashes = sorted(numbers)
    new = data.draw(st.sets(st.sampled_from(hashes), max_size=len(hashes) // 10))
    earlier = np.array([key for key in hashes if key not in new], np.uint64)
    assert not set(parts_of(earlier)[0]) & set(parts_of(np.array(hashes, np.uint64))[2])


def test_the_lowest_hashes_train_and_the_highest_test() -> None:
    hashes = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9], np.uint64)
    assert parts_of(hashes) == [[6, 5, 4, 3, 2, 1, 0], [7], [9, 8, 9]]


def test_fixed_borders_give_about_the_same_shares() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64 - 1, 100_000, np.uint64, endpoint=True)
    shares = [len(part) / len(hashes) for part in parts_of(hashes, FIXED)]
    assert np.allclose(shares, [0.7, 0.15, 0.15], atol=0.005)
