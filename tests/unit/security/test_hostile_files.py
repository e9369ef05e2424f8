"""Any upload is read as cars or refused in words; it uses no excessive memory or time, and runs nothing."""

import bz2
import io
import lzma
import pickle
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_mpg.car import COLUMNS
from auto_mpg.cars import check_cars
from common.uploads import BadUpload
from tests.unit.security.conftest import ROOT
from tests.unit.security.uploads import judge

HEADER = ",".join(COLUMNS).encode() + b"\n"
SAMPLE = (ROOT / "data/auto-mpg.csv").read_bytes()
# The rows that may be damaged, and as many again.
DAMAGEABLE = b"".join(SAMPLE.splitlines(keepends=True)[:130])
ENOUGH = HEADER + b"".join(b"18,8,%d,130,3504,12,70,1,chevelle\n" % (300 + n) for n in range(20))


def explode() -> None:
    raise AssertionError("unpickled")


class Bomb:
    """Unpickling it calls `explode`."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return explode, ()


@pytest.mark.parametrize(
    "upload",
    [
        pickle.dumps(Bomb()),
        pickle.dumps(Bomb(), protocol=0),
        bz2.compress(SAMPLE),
        lzma.compress(SAMPLE),
        SAMPLE.decode().encode("utf-16-le"),
        SAMPLE.decode().encode("utf-16-be"),
        SAMPLE.decode().encode("utf-32"),
        SAMPLE.decode().encode("utf-32-be"),
        b"\x7fELF" + bytes(99),
        b"#!/bin/sh\nid\n",
        b"<html><script>alert(1)</script></html>",
        b'{"__reduce__": "os.system"}',
        b"\x93NUMPY\x01\x00",
        b"%PDF-1.7\n",
    ],
)
def test_a_file_that_is_not_a_table_is_refused_and_nothing_in_it_runs(upload: bytes) -> None:
    assert judge(upload).startswith("incoming/cars.csv")


@pytest.mark.parametrize(
    "number",
    [
        *(
            "1e400",
            "-1e400",
            "1e-400",
            "1" * 5000,
            "1_000",
            "0x10",
            "nan",
            "inf",
            "infinity",
            "1e",
            "1e1e1",
            "++1",
        ),
        *(
            "１８",
            "١٨",
            "−1",
            "1٫5",
            "Ⅷ",
            "²",
            "1,5",
            "1 000",
            "1e999999999",
            "0" * 4000 + "x",
            "True",
            "1j",
            "8L",
        ),
    ],
)
def test_a_number_in_another_notation_is_refused_and_never_guessed(number: str) -> None:
    row = f'18,8,307,130,"{number}",12,70,1,x\n'.encode()
    assert judge(ENOUGH + row).startswith("incoming/cars.csv, line 22: weight is")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(line_end: bytes, mark: bytes) -> None:
    assert judge(mark + ENOUGH.replace(b"\n", line_end)) == ""


def test_line_ends_may_be_mixed() -> None:
    assert judge(ENOUGH.replace(b"\n", b"\r\n", 9).replace(b"\r\n", b"\r", 4)) == ""


class Endless(io.RawIOBase):
    """A file of a given size that repeats the same bytes after a beginning."""

    def __init__(self, beginning: bytes, repeated: bytes, size: int) -> None:
        self._parts: Iterator[bytes] = iter([beginning, *[repeated] * (size // len(repeated))])

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


BLOCK = 1 << 13
BOMBS = {
    "one line without end": (b"", b"x" * BLOCK),
    "a million columns": (b"", b"a," * (BLOCK // 2)),
    "a quote that never closes": (HEADER + b'"', b"x\n" * (BLOCK // 2)),
    "a field without end": (HEADER + b'1,"', b"x" * BLOCK),
    "empty lines before anything": (b"", b"\r\n" * (BLOCK // 2)),
    "empty lines after the header": (HEADER, b"\r\n" * (BLOCK // 2)),
    "lines of commas": (HEADER, b"," * (BLOCK - 1) + b"\n"),
    "wrong lines": (HEADER, b"a,b,c\n" * (BLOCK // 6)),
    "control characters": (HEADER, b"\x1b[2J\n" * (BLOCK // 5)),
    "zeros": (b"", bytes(BLOCK)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_file_takes_more_memory_than_a_line_however_large_it_is(name: str) -> None:
    beginning, repeated = BOMBS[name]
    size, most = (1 << 17, 1 << 20) if b"\n" in repeated else (2 << 20, 10 << 20)
    stream = Endless(beginning, repeated, size)
    tracemalloc.start()
    try:
        with pytest.raises(BadUpload):
            check_cars(stream, "cars.csv")  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


@pytest.mark.parametrize(
    "almost", ["1" * 131_000 + "x", "1." * 65_000, "." * 131_000, "1e" * 65_000, " " * 131_000]
)
def test_an_almost_number_is_checked_quickly(almost: str) -> None:
    began = time.process_time()
    assert judge(ENOUGH + f"{almost},8,307,130,{almost},12,{almost},{almost},x\n".encode())
    assert time.process_time() - began < 5


@given(st.binary(), st.text())
@example(b"", "\x1b]0;title\x07\u202e\r\n" * 60)
def test_any_bytes_under_any_name_are_refused_in_words(upload: bytes, name: str) -> None:
    assert judge(upload, name)


CELLS = st.one_of(
    st.sampled_from(["", "?", "NA", "1", "8.", "-1", "1e999", "usa", '"', '"a', '""', "a,b", "\n", "\r", "\0", "70", "=1"]),
    st.text(max_size=50),
)  # fmt: skip
ROWS = st.lists(CELLS, min_size=8, max_size=10).map(",".join)


@given(st.lists(ROWS, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.binary(max_size=3))
@example(
    ["18,8,307,130,3504,12,70,1," + "\U000e0001" * 40] + [",".join(["\U000e0001" * 40] * 9)] * 4, "\n", b""
)
def test_all_readers_agree_on_a_table(rows: list[str], line_end: str, rubbish: bytes) -> None:
    judge(ENOUGH + line_end.join(rows).encode(errors="surrogatepass") + rubbish)


@given(st.data())
def test_all_readers_agree_on_a_damaged_file(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 3000))
    removed = data.draw(st.integers(0, 40))
    inserted = data.draw(
        st.binary(max_size=20) | st.sampled_from([b'"', b"\r", b"\0", b"\xff", b",", b'"\n', b"\n\n"])
    )
    judge(DAMAGEABLE[:start] + inserted + DAMAGEABLE[start + removed :])
