from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from common.splitting import Split, split

HASHES = st.lists(st.integers(0, 40).map(lambda number: f"{number * 7919 % 1009:04}"), max_size=80)


def contents(hashes: list[str], rows: list[int]) -> set[str]:
    return {hashes[row] for row in rows}


def parts_of(found: Split) -> list[list[int]]:
    return [found.train, found.validation, found.test]


@given(HASHES)
def test_each_row_is_in_one_part_and_duplicates_are_in_the_same_one(hashes: list[str]) -> None:
    parts = parts_of(split(hashes))
    assert Counter(row for part in parts for row in part) == Counter(range(len(hashes)))
    different = [contents(hashes, part) for part in parts]
    assert sum(map(len, different)) == len(set(hashes))


@given(HASHES)
def test_the_shares_of_distinct_contents_are_exact(hashes: list[str]) -> None:
    train, validation, test = (len(contents(hashes, part)) for part in parts_of(split(hashes)))
    total = train + validation + test
    assert (train, train + validation) == (total * 70 // 100, total * 85 // 100)


@given(HASHES.flatmap(lambda hashes: st.tuples(st.just(hashes), st.permutations(hashes))))
def test_the_order_of_the_rows_does_not_matter(two_orders: tuple[list[str], list[str]]) -> None:
    first, second = (
        [[hashes[row] for row in part] for part in parts_of(split(hashes))] for hashes in two_orders
    )
    assert first == second


@given(st.sets(st.integers(0, 10_000), min_size=40, max_size=200), st.data())
def test_after_a_tenth_of_new_rows_no_training_row_tests_the_next_model(
    numbers: set[int], data: st.DataObject
) -> None:
    hashes = [f"{number:05}" for number in sorted(numbers)]
    new = data.draw(st.sets(st.sampled_from(hashes), max_size=len(hashes) // 10))
    earlier = [key for key in hashes if key not in new]
    assert not contents(earlier, split(earlier).train) & contents(hashes, split(hashes).test)


def test_the_first_hashes_train_and_rows_of_one_content_keep_their_order() -> None:
    assert split([*"jihgfedcba", "a"]) == Split([9, 10, 8, 7, 6, 5, 4, 3], [2], [1, 0])
