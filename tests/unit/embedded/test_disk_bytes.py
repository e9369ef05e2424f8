"""Values on disk behave like bytes, and their files go when nothing refers to them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.embedded.disk_bytes import DiskBytes


@given(pieces=st.lists(st.binary(max_size=9), max_size=5), start=st.integers(0, 50), stop=st.integers(0, 50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_joined_and_sliced_values_are_those_of_bytes(
    tmp_path: Path, pieces: list[bytes], start: int, stop: int
) -> None:
    joined = DiskBytes.join(DiskBytes.write(piece, tmp_path) for piece in pieces)
    expected = b"".join(pieces)
    assert (len(joined), bytes(joined)) == (len(expected), expected)
    assert bytes(joined[start:stop]) == expected[start:stop]
    assert bytes(joined[start:][:stop]) == expected[start:][:stop]


def test_a_file_is_deleted_with_the_last_value_that_refers_to_it(tmp_path: Path) -> None:
    whole = DiskBytes.write(b"abcdef", tmp_path)
    part = whole[2:4]
    del whole
    assert bytes(part) == b"cd"
    del part
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_short_is_an_error_and_not_a_shorter_value(tmp_path: Path) -> None:
    value = DiskBytes.write(b"abcdef", tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"abc")
    with pytest.raises(OSError, match="ends before its time"):
        bytes(value)
