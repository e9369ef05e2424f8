"""Writes footers of Parquet files (Thrift's compact protocol), so that the reader has something to read."""

from collections.abc import Mapping, Sequence
from typing import Any

INTEGER, BINARY, LIST, STRUCT = 6, 8, 9, 12
Tree = Mapping[str, Any]
"""A column's name, and None or the tree of its children."""


def varint(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + varint(value >> 7)


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def struct(fields: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Number, type and encoded value of each field."""
    content, before = b"", 0
    for number, kind, value in fields:
        content += bytes([(number - before) << 4 | kind]) + value
        before = number
    return content + b"\0"


def element(name: str, children: int | None) -> bytes:
    text = name.encode()
    fields = [(3, INTEGER, zigzag(1)), (4, BINARY, varint(len(text)) + text)]
    return struct([*fields, *([] if children is None else [(5, INTEGER, zigzag(children))])])


def elements(tree: Tree) -> list[bytes]:
    found = []
    for name, children in tree.items():
        found += [element(name, None if children is None else len(children)), *elements(children or {})]
    return found


def footer(tree: Tree, rows: int) -> bytes:
    schema = [element("schema", len(tree)), *elements(tree)]
    size = bytes([len(schema) << 4 | STRUCT]) if len(schema) < 15 else b"\xfc" + varint(len(schema))
    fields = [(1, INTEGER, zigzag(2)), (2, LIST, size + b"".join(schema)), (3, INTEGER, zigzag(rows))]
    return struct([*fields, (4, LIST, b"\x0c")])


def parquet(footer: bytes) -> bytes:
    """A file with this footer and no data."""
    return b"PAR1" + bytes(8) + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def leaves(tree: Tree, parent: str = "") -> list[str]:
    found = []
    for name, children in tree.items():
        found += leaves(children, f"{parent}{name}.") if children else [parent + name]
    return found
