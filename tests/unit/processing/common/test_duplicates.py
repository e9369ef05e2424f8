"""Of each content, the rows of the latest upload that says something of it count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.duplicates import Spill, latest, read_kept


def kept(*rows: tuple[int, bool, int]) -> list[bool]:
    hashes, labelled, uploads = zip(*rows, strict=True)
    found = latest(np.array(hashes, np.uint64), np.array(labelled, bool), np.array(uploads, int))
    return [bool(row) for row in found]


def test_a_content_of_two_uploads_is_taken_from_the_later_one() -> None:
    assert kept((1, True, 0), (2, True, 0), (1, True, 1)) == [False, True, True]


def test_the_rows_of_one_upload_do_not_replace_each_other() -> None:
    assert kept((1, True, 0), (1, True, 1), (1, True, 1)) == [False, True, True]


def test_a_row_without_a_label_does_not_replace_one_with_a_label() -> None:
    assert kept((1, True, 0), (1, False, 1)) == [True, False]


def test_a_label_that_came_late_replaces_the_row_without_it() -> None:
    assert kept((1, False, 0), (1, True, 1)) == [False, True]


def test_no_rows_are_no_problem() -> None:
    assert latest(np.empty(0, np.uint64), np.empty(0, bool), np.empty(0, int)).tolist() == []


ROWS = st.lists(
    st.tuples(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63]), st.booleans()), max_size=30
)


@settings(max_examples=30)
@given(parts=st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=6))
def test_what_lies_in_files_counts_as_what_is_in_memory(
    parts: list[tuple[list[tuple[int, bool]], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    spill = Spill(tmp_path_factory.mktemp("spill"))
    upload = 0
    rows: list[tuple[int, bool, int]] = []
    for content, is_new in parts:
        upload += is_new
        spill.add(
            np.array([hash_ for hash_, _ in content], np.uint64),
            np.array([labelled for _, labelled in content], bool),
            upload,
        )
        rows += [(*row, upload) for row in content]
    found = [
        bit
        for (content, _), packed in zip(parts, spill.kept(), strict=True)
        for bit in read_kept(packed, 0, len(content)).tolist()
    ]
    assert found == (kept(*rows) if rows else [])


def test_the_bits_of_a_part_are_read_a_block_at_a_time() -> None:
    mask = np.arange(37) % 3 == 0
    packed = np.packbits(mask)
    blocks = [read_kept(packed, start, 11) for start in range(0, 33, 11)]
    assert np.concatenate([*blocks, read_kept(packed, 33, 4)]).tolist() == mask.tolist()
