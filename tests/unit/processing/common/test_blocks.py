"""A file that is cut into blocks has the same rows as the whole file."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.blocks import Block, cut, group, has_plain_quotes, offset_of_line
from common.csv_rows import Row, Unreadable, read_part, read_rows

PIECES = st.sampled_from(
    [
        "a",
        "bc",
        ",",
        ",,",
        "\n",
        "\n",
        "\r\n",
        "\r",
        '"',
        '""',
        '"a"',
        ',"b\nc",',
        '"d""e"\n',
        ' "',
        "é",
        "\n\n",
        "x,y\n",
    ]
)
FILES = st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode())


def blocks_of(content: bytes, size: int, *, quoted: bool = True) -> list[Block]:
    return list(cut(io.BytesIO(content), Block(0, len(content), 1), size, quoted=quoted))


def rows(read: list[Row], problem: Unreadable | None) -> tuple[list[Row], object]:
    return read, problem and (str(problem), problem.line)


def by_blocks(content: bytes, size: int) -> tuple[list[Row], object]:
    read: list[Row] = []
    try:
        for block in blocks_of(content, size):
            read += read_part(content[block.start : block.end], block.line, None)
    except Unreadable as problem:
        return rows(read, problem)
    return rows(read, None)


def as_a_whole(content: bytes) -> tuple[list[Row], object]:
    read: list[Row] = []
    try:
        for row in read_part(content, 1, None):
            read.append(row)
    except Unreadable as problem:
        return rows(read, problem)
    return rows(read, None)


@given(FILES, st.integers(1, 40))
def test_blocks_have_the_rows_of_the_file_with_their_lines_and_the_same_problem(
    content: bytes, size: int
) -> None:
    found, problem = by_blocks(content, size)
    expected, expected_problem = as_a_whole(content)
    assert problem == expected_problem
    # The rows of a block with broken quotes are not needed.
    assert found == expected or (problem and found == expected[: len(found)])


@given(FILES, st.integers(1, 40))
def test_blocks_follow_each_other(content: bytes, size: int) -> None:
    blocks = blocks_of(content, size)
    assert [block.start for block in blocks] == [0, *(block.end for block in blocks)][: len(blocks)]
    assert all(block.start < block.end for block in blocks)
    if as_a_whole(content)[1] is None and blocks:
        assert blocks[-1].end == len(content)


@given(st.lists(st.sampled_from(['a"b', "c", '"', ""])), st.sampled_from(["\n", "\r\n"]), st.integers(1, 20))
def test_without_quotes_every_line_is_a_row(lines: list[str], end: str, size: int) -> None:
    content = "".join(line + end for line in lines).encode()
    blocks = blocks_of(content, size, quoted=False)
    assert all(content[block.start : block.end].endswith(end.encode()) for block in blocks)
    assert b"".join(content[block.start : block.end] for block in blocks) == content


def test_a_block_is_not_much_longer_than_asked_for_although_names_are_quoted() -> None:
    content = b'18,"a ""b"""\n' * 1000
    blocks = blocks_of(content, 100)
    assert max(block.end - block.start for block in blocks) <= 100 + 12
    assert len(blocks) <= 1000 * 12 / 90


def test_a_quote_inside_a_field_does_not_join_the_rest_of_the_file() -> None:
    blocks = blocks_of(b'18,5" wheels\n' + b"18,x\n" * 1000, 100)
    assert max(block.end - block.start for block in blocks) <= 100


def test_a_quote_that_is_left_open_ends_the_blocks_after_it() -> None:
    blocks = blocks_of(b'18,"open\n' + b'18,"x"\n' * 100_000, 1000)
    assert blocks == [Block(0, 1000, 1)]


def test_a_row_that_does_not_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        stream.truncate(1 << 27)
    with path.open("rb") as stream:
        [block] = cut(stream, Block(0, 1 << 27, 1), 1 << 22)
    assert block.end < 1 << 26


@given(st.lists(st.sampled_from(["a", '"b"', '"c""d"', '""', '"e\nf"', 'g"', '"h"i', ' "j"', '"'])))
def test_plain_quotes_mean_the_same_to_everyone(fields: list[str]) -> None:
    content = ",".join(fields)
    plain = all(field in ("a", '"b"', '"c""d"', '""', '"e\nf"') for field in fields)
    if plain:
        assert has_plain_quotes(content.encode())
    if has_plain_quotes(content.encode()):
        naive = [part.strip('"').replace('""', '"') for part in fields]
        assert not plain or list(csv.reader(io.StringIO(content), strict=True)) == ([naive] if fields else [])


def test_a_longer_field_than_the_csv_module_takes_is_not_plain() -> None:
    limit = csv.field_size_limit()
    assert not has_plain_quotes(b'"' + b"a" * limit + b'"')
    assert has_plain_quotes(b'"' + b"a" * 100 + b'"')


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_offset_of_a_line_counts_bytes(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf" + end + "é".encode() + end + b"row")
    assert offset_of_line(path, 0) == 0
    assert offset_of_line(path, 2) == 3 + len(end) + 2 + len(end)
    assert offset_of_line(path, 9) == path.stat().st_size


def test_blocks_are_grouped_in_order() -> None:
    blocks = [Block(number, number + 1, 1) for number in range(5)]
    assert [len(part) for part in group(blocks, 2)] == [2, 2, 1]
    assert [block for part in group(blocks, 2) for block in part] == blocks


@given(FILES)
def test_a_part_from_the_beginning_is_read_like_a_file(content: bytes) -> None:
    try:
        expected = list(read_rows(io.BytesIO(content)))
    except Unreadable:
        return
    assert list(read_part(content, 1, None)) == expected
