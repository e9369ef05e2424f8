"""Reads the columns and the number of rows from a Parquet file's footer. Standard library only.

The footer is a FileMetaData of parquet.thrift in Thrift's compact protocol: field 2 is the schema, a tree
written depth first, and field 3 the number of rows. Later fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_DEEPEST = 16
_LONGEST_VARINT = 10  # bytes of a 64 bit integer


class BadFooter(ValueError):
    """The bytes are not the footer of a Parquet file."""


@dataclass(frozen=True)
class Footer:
    """The number of rows, and the paths of the leaf columns, such as `image.bytes`."""

    rows: int
    columns: tuple[str, ...]


def parse(content: bytes) -> Footer:
    """Read a footer, without the length and the magic bytes after it. Raises BadFooter."""
    found: dict[int, Any] = {}
    try:
        for number, value in _Compact(content).fields(depth=0):
            found[number] = value
            if {2, 3} <= found.keys():
                break
        return Footer(_natural(found[3]), tuple(_leaves(found[2])))
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise BadFooter("the footer is damaged") from error


def _leaves(schema: Sequence[dict[int, Any]]) -> Iterator[str]:
    """The paths of the columns. A SchemaElement's field 4 is its name, field 5 the number of its children."""
    open_groups: list[tuple[str, int]] = [("", _natural(schema[0][5]))]
    for element in schema[1:]:
        while not open_groups[-1][1]:
            open_groups.pop()
        parent, left = open_groups[-1]
        open_groups[-1] = parent, left - 1
        path = parent + element[4].decode("utf-8")
        if children := _natural(element.get(5, 0)):
            open_groups.append((f"{path}.", children))
        else:
            yield path


def _natural(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise BadFooter("the footer is damaged")
    return value


class _Compact:
    """Thrift's compact protocol: integers are zigzag varints, field ids are relative to the one before."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def fields(self, depth: int) -> Iterator[tuple[int, Any]]:
        """The fields of a struct, by number."""
        number = 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            number = number + step if step else self._integer()
            yield number, kind == 1 if kind in (1, 2) else self._value(kind, depth + 1)

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise BadFooter("the footer is nested too deeply")
        match kind:
            case 1 | 2 | 3:  # a boolean inside a list, or a byte
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                header = self._byte()
                size = self._varint() if header >> 4 == 15 else header >> 4
                if size > len(self._content):
                    raise BadFooter("a list is longer than the footer")
                return [self._value(header & 15, depth + 1) for _ in range(size)]
            case 12:
                return dict(self.fields(depth + 1))
        raise BadFooter(f"the footer has a field of the unexpected type {kind}")

    def _byte(self) -> int:
        self._position += 1
        return self._content[self._position - 1]

    def _bytes(self, size: int) -> bytes:
        """At most `size` bytes. If the footer ends early, reading the byte after them raises IndexError."""
        self._position += size
        return self._content[self._position - size : self._position]

    def _varint(self) -> int:
        value = 0
        for place in range(_LONGEST_VARINT):
            byte = self._byte()
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise BadFooter("the footer has an endless number")

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
