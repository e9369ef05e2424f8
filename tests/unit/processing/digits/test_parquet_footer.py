"""The footer of a Parquet file says how many rows and which columns it has."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digits.parquet_footer import BadFooter, Footer, parse

from .footers import Tree, footer, leaves

SAMPLE = (Path(__file__).parents[4] / "data" / "digits.parquet").read_bytes()
NAMES = st.text(max_size=20)
TREES = st.dictionaries(
    NAMES,
    st.none() | st.dictionaries(NAMES, st.none() | st.dictionaries(NAMES, st.none(), min_size=1), min_size=1),
    max_size=20,
)


def sample_footer() -> bytes:
    return SAMPLE[-8 - int.from_bytes(SAMPLE[-8:-4], "little") : -8]


def test_that_of_the_sample_is_read() -> None:
    assert parse(sample_footer()) == Footer(10_000, ("image.bytes", "image.path", "label"))


@given(TREES, st.integers(0, 2**62))
def test_rows_and_columns_are_read_as_they_were_written(tree: Tree, rows: int) -> None:
    assert parse(footer(tree, rows)) == Footer(rows, tuple(leaves(tree)))


@given(st.binary(max_size=200))
@example(b"\x19\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x7f")  # a list of 2 ** 63 structs
@example(b"\x1c" * 10_000)  # structs in structs
@example(b"\x19" * 10_000)  # lists in lists
@example(b"\x29\x0c")  # no schema at all
@example(footer({"label": None}, -1))
def test_anything_else_is_refused(content: bytes) -> None:
    with suppress(BadFooter):
        assert parse(content).rows >= 0


@given(st.integers(0, 2_000), st.integers(0, 255))
def test_a_damaged_one_is_read_or_refused(position: int, byte: int) -> None:
    content = bytearray(sample_footer())
    content[position] = byte
    with suppress(BadFooter):
        assert parse(bytes(content)).rows >= 0


@pytest.mark.parametrize("length", [0, 1, 10, 30])
def test_one_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(BadFooter):
        parse(sample_footer()[:length])
