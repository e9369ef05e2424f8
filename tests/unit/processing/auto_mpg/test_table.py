"""Reading a block by columns finds the same cars as reading it by rows, or leaves the block to them."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_mpg import table
from auto_mpg.car import COLUMNS, Car
from auto_mpg.cars import Form, cars_of_part, check_cars
from auto_mpg.columns import Cars, concatenate, to_cars
from auto_mpg.names import clean
from auto_mpg.table import open_upload, read_columns
from common.uploads import BadUpload, Problems
from tests.unit.processing.auto_mpg.by_rows import read_cars
from tests.unit.processing.auto_mpg.test_accepted_uploads import FORMS, Rows

HEADER = ",".join(COLUMNS)
FORM = Form(COLUMNS, None)
ENOUGH = "".join(f"18,8,{300 + number},130,3504,12,70,1,chevelle\n" for number in range(20))
GOOD = ("18", "8", "307", "130", "3504", "12", "70", "1", "chevelle")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    return tmp_path / "upload.csv"


def as_lists(cars: Cars) -> list[list[object]]:
    numbers = np.column_stack([cars.mpg, *cars.content]).tolist()
    return [
        [None if number != number else number for number in row] + [name]
        for row, name in zip(numbers, clean(cars.names).to_pylist(), strict=True)
    ]


def by_rows(content: bytes) -> list[list[object]] | str:
    """The cars, or the first problems, by the rules for rows."""
    try:
        return as_lists(to_cars(read_cars(io.BytesIO(content), "cars.csv")))
    except BadUpload as refused:
        return str(refused)


def read(path: Path, size: int) -> Cars:
    opened = open_upload(path, "cars.csv")
    problems = Problems("cars.csv")
    parts = []
    for block in opened.blocks(size):
        parts.append(opened.read(block, problems, named=True))
        if problems.stopped:
            break
    problems.refuse_any()
    return concatenate(parts)


def by_blocks(path: Path, size: int) -> list[list[object]] | str:
    """The cars, or the first problems, by blocks of about this many bytes."""
    try:
        return as_lists(read(path, size))
    except BadUpload as refused:
        return str(refused)


def judge(path: Path, content: bytes, size: int = 1 << 20) -> None:
    """Compare both ways to read a file."""
    path.write_bytes(content)
    expected, found = by_rows(content), by_blocks(path, size)
    if isinstance(expected, str) and expected.startswith("cars.csv has "):
        # Whether there are enough cars is judged later.
        assert isinstance(found, list)
    else:
        assert found == expected


def by_columns(content: str) -> list[list[object]] | None:
    cars = read_columns(content.encode(errors="surrogatepass"), FORM, named=True)
    return None if cars is None else as_lists(cars)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1 << 20, 500])
def test_every_published_form_gives_the_same_cars(
    form: str, size: int, sample_rows: Rows, upload: Path
) -> None:
    judge(upload, FORMS[form](sample_rows).encode(), size)


@pytest.mark.parametrize(
    ("rows", "is_plain"),
    [
        ('18,8,307,130,3504,12,70,1,"ford, gran ""torino"""\n', True),
        ("18,8,307,130,3504,12,70,1,citro\u00ebn\u2028ds\x0b\x85\n", True),
        (",8,307,?,3504,12,70,1,\n18,8,307,NA,3504,12,1970,europe,NA\n", True),
        ('18,8,307,130,3504,12,70,1,"a\nb"\n', True),
        ("18,8,307,130,3504,12,70,1,x\r18,8,307,130,3504,12,70,1,y\n", True),
        ("18,8,3.07e2,130,3504,12.,70.0,1.0,#1\n\n\r\n", True),
        ("18,8,307,130,3504,12,70,Europe,x\n18,8,307,130,3504,12,70, JAPAN ,y\n", True),
        ("18\t, 8,307,130 ,3504,12,70,1,  a  b \n", True),
        ("18,8,307,\u00a0130,3504,12,70,1,x\n", False),
        ("18,8,+307,130,3504,12,70,1,x\n", True),
        ('18,8,307,130,3504,12,70,1, "x"\n', False),
        ('18,8,307,130,3504,12,70,1,5" wheels\n', False),
        (",,,,,,,,\n", False),
        ("  \n", False),
        (f"18,8,307,130,3504,12,70,1,{'x' * 131_073}\n", False),
        ("18,8,nan,130,3504,12,70,1,x\n", False),
        ("18,8,307,inf,3504,12,70,1,x\n", False),
        ("18,8,307,-nan,3504,12,70,1,x\n", False),
        ("18,8,307,130,1e400,12,70,1,x\n", False),
        ("18,8,307,130,1e-400,12,70,1,x\n", False),
        ("18,8.5,307,130,3504,12,70,1,x\n", False),
        ("18,8,307,130,3504,12,70.5,1,x\n", False),
        ("18,8,307,130,3504,12,70,4,x\n", False),
        ("\ufeff18,8,307,130,3504,12,70,1,x\n", False),
        ("18,8,307,130,3504,12,70,1,x\0\n", False),
        ("18,8,307,130,3504,12,70,1,\ud800\n", False),
        ("18,8,307\n", False),
    ],
)
def test_only_a_block_that_has_one_meaning_is_read_by_columns(
    rows: str, is_plain: bool, upload: Path
) -> None:
    assert (by_columns(rows) is not None) == is_plain
    judge(upload, f"{HEADER}\n{ENOUGH}{rows}".encode(errors="surrogatepass"))


@pytest.mark.parametrize(
    "content",
    [
        b"\n" + f"{HEADER}\n{ENOUGH}".encode(),
        b"\n" * 3000 + f"{HEADER}\n{ENOUGH}".encode(),
        f"\ufeff{HEADER}\r\n{ENOUGH}".replace("\n", "\r\n").encode(),
        f'{HEADER},"two\nlines"\n'.encode() + ENOUGH.encode().replace(b"\n", b",1\n"),
        f"{HEADER}\n{ENOUGH[:-1]}".encode(),
        f"{HEADER}\n\ufeff{ENOUGH}".encode(),
        f"\ufeff\ufeff{HEADER}\n{ENOUGH}".encode(),
        f"{HEADER},other\n".encode() + ENOUGH.encode().replace(b"\n", b",\xff\n"),
        f"{HEADER}\n{ENOUGH}".encode("utf-16"),
        f"{HEADER}\n{ENOUGH}18,8,307\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n".encode(),
        f"{HEADER}\n{ENOUGH}18,8,307,130,heavy,12,70,1,x\n".encode(),
        f"{HEADER}\n{ENOUGH}{'18,8,307,130,heavy,12,70,mars,x' * 9}\n{ENOUGH * 9}18,8\n".encode(),
    ],
)
@pytest.mark.parametrize("size", [1 << 20, 200])
def test_any_file_has_the_same_cars_and_problems_in_blocks(content: bytes, size: int, upload: Path) -> None:
    judge(upload, content, size)


CELLS = st.sampled_from(
    [
        *("", "?", "NA", "None", "<NA>", "1_0", "inf", "nan", "-nan", "Infinity", "0x1p3", "0x10", "1e400", "1e3"),
        *("1e-400", "8.", "+8", " 8", "8 ", "\t8", "\xa08", "\x1c8", "\u20288", "\ufeff8", "８", "٣", "#8", "'8'"),
        *("1,000", "8 0", "70.0", '"8"', '""', '"8', '8"', '"8" ', ' "8"', '"a""b"', '"a"b', '"1,000"', '"a\nb"'),
        *('"\n', "\n", "\r", "\r\n", "\0", "\x1a", "\x85", "\\", "\\,", "usa", "Europe", "é", "\ud800", "-1", "0"),
        *("-0", "199", "1970", "2100", "1" * 400, "0.1", "1e-5", "999999.9999999999", "1000000", '"?"', " ?", "nA"),
    ]
) | st.text(max_size=5)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Good rows in which some cells were replaced, with line ends of any kind, and perhaps a field more or less."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        row = list(GOOD)
        for place in draw(st.sets(st.integers(0, 8), max_size=2)):
            row[place] = draw(CELLS)
        more = draw(st.sampled_from(["", "", "", "", ",", ",x", "\n", "\n\n"]))
        rows.append(",".join(row) + more + draw(st.sampled_from(["\n", "\n", "\r\n", "\r", ""])))
    beginning = draw(st.sampled_from(["", "", "\ufeff", "\ufeff\ufeff", " ", "\n"]))
    return f"{beginning}{HEADER}\n{ENOUGH}{''.join(rows)}".encode(errors="surrogatepass")


SIZES = st.sampled_from([1 << 20, 200, 50])


@given(tables(), SIZES)
def test_columns_and_rows_find_the_same_cars(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    judge(tmp_path_factory.getbasetemp() / "table.csv", content, size)


@given(st.data(), SIZES)
def test_columns_and_rows_find_the_same_cars_in_a_damaged_file(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, data: st.DataObject, size: int
) -> None:
    # The rows that may be damaged, and as many again.
    sample = b"".join(sample.splitlines(keepends=True)[:130])
    start = data.draw(st.integers(0, 3000))
    removed = data.draw(st.integers(0, 40))
    inserted = data.draw(
        st.binary(max_size=9) | st.sampled_from([b'"', b"\r", b"\0", b"\xff", b",", b'"\n', b"\n\n"])
    )
    judge(
        tmp_path_factory.getbasetemp() / "damaged.csv",
        sample[:start] + inserted + sample[start + removed :],
        size,
    )


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
def test_any_other_bytes_are_refused_in_the_same_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    judge(tmp_path_factory.getbasetemp() / "any.csv", content)


@pytest.mark.parametrize("odd", ["18,8,\u00a0307,130,3504,12,70,1,x\n", "18,8,307,130,3504,12,70,mars,x\n"])
def test_a_row_that_columns_do_not_understand_costs_little(
    odd: str, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_row = 0

    def counted(content: bytes, line: int, form: Form, problems: Problems) -> list[Car]:
        nonlocal by_row
        by_row += content.count(b"\n")
        return cars_of_part(content, line, form, problems)

    monkeypatch.setattr(table, "cars_of_part", counted)
    content = f"{HEADER}\n{ENOUGH * 400}{odd}{ENOUGH * 400}"
    upload.write_text(content)
    found = by_blocks(upload, 1 << 22)
    assert found == by_rows(content.encode())
    assert by_row < 1000


def test_a_plain_file_is_read_without_an_object_for_each_row(
    upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This makes reading a million rows fast."""
    monkeypatch.setattr(table, "cars_of_part", None)
    upload.write_text(f"{HEADER}\n{ENOUGH * 100}")
    assert len(read(upload, 1 << 14)) == 2000


def test_a_hopeless_file_is_not_read_to_its_end(upload: Path) -> None:
    upload.write_text(f"{HEADER}\n" + "18,8,307,130,3504,12,70,mars,x\n" * 15_000)
    message = by_blocks(upload, 1 << 22)
    assert isinstance(message, str)
    first, *others, more = message.split("\n")
    assert first.startswith('cars.csv, line 2: origin is "mars"')
    assert [line.partition(":")[0] for line in others] == ["line 3", "line 4", "line 5", "line 6"]
    assert more.startswith("and at least 1")
    with pytest.raises(BadUpload, match="and 14,995 more"), upload.open("rb") as stream:
        check_cars(stream, "cars.csv")
