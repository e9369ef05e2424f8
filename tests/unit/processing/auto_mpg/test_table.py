"""Reading by columns finds the same cars as reading by rows, or leaves the file to it."""

import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_mpg import table
from auto_mpg.car import COLUMNS
from auto_mpg.cars import read_cars
from auto_mpg.table import read_columns, read_table, to_table
from common.uploads import BadUpload
from tests.unit.processing.auto_mpg.test_accepted_uploads import FORMS, Rows

HEADER = ",".join(COLUMNS)
ENOUGH = "".join(f"18,8,{300 + number},130,3504,12,70,1,chevelle\n" for number in range(20))
GOOD = ("18", "8", "307", "130", "3504", "12", "70", "1", "chevelle")

BY_COLUMNS = [
    *("seaborn", "ISLR", "modelyear, carname", "model_year, car_name", "byte order mark", "CRLF"),
    *("capital letters and blanks in the header", "unnamed index", "pandas' unnamed index", "extra columns"),
    *("columns in another order", "everything quoted", "blanks after commas", "no last newline"),
    *("years in full", "origin as float", "origin lower case", "origin upper case", "origin title case"),
]


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    return tmp_path / "upload.csv"


def by_rows(content: bytes) -> pd.DataFrame | str:
    try:
        return to_table(read_cars(io.BytesIO(content), "cars.csv"))
    except BadUpload as refused:
        return str(refused)


def judge(path: Path, content: bytes) -> pd.DataFrame | None:
    """The result of reading by columns, after a comparison with reading by rows."""
    path.write_bytes(content)
    found, expected = read_columns(path), by_rows(content)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(read_table(path, "cars.csv"), expected, check_exact=True)
    else:
        with pytest.raises(BadUpload) as refused:
            read_table(path, "cars.csv")
        assert str(refused.value) == expected
    if isinstance(expected, str):
        # Whether there are enough cars is judged later.
        assert found is None or expected.startswith("cars.csv has ")
    elif found is not None:
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_gives_the_same_table(form: str, sample_rows: Rows, upload: Path) -> None:
    found = judge(upload, FORMS[form](sample_rows).encode())
    assert (found is not None) == (form in BY_COLUMNS)


@pytest.mark.parametrize(
    ("rows", "by_columns"),
    [
        ('18,8,307,130,3504,12,70,1,"ford, gran ""torino"""\n', True),
        ("18,8,307,130,3504,12,70,1,citro\u00ebn\u2028ds\x0b\x85\n", True),
        (",8,307,?,3504,12,70,1,\n18,8,307,NA,3504,12,1970,europe,NA\n", True),
        ("  18\t, 8. ,+3.07e2,\u00a0130,3504,12,70,1, a  b \r\n\n\r\n", True),
        ("18,8,307,130,3504,12,70,1,#1\n#18,8,307,130,3504,12,70,1,x\n", False),
        ("18,8,307,130,3504,12,70,1,x\r18,8,307,130,3504,12,70,1,y\n", False),
        ('18,8,307,130,3504,12,70,1, "x"\n', False),
        ('18,8,307,130,3504,12,70,1,5" wheels\n', False),
        ('18,8,307,130,3504,12,70,1,"a\nb"\n', False),
        (",,,,,,,,\n", False),
        ("  \n", False),
        (f"18,8,307,130,3504,12,70,1,{'x' * 131_072}\n", False),
    ],
)
def test_only_an_unambiguous_file_is_read_by_columns(rows: str, by_columns: bool, upload: Path) -> None:
    found = judge(upload, f"{HEADER}\n{ENOUGH}{rows}".encode())
    assert (found is not None) == by_columns


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n" + f"{HEADER}\n{ENOUGH}".encode(),
        f"{HEADER}\n".encode(),
        f"{HEADER}\n{ENOUGH[:200]}".encode(),
        f"{HEADER}\n\ufeff{ENOUGH}".encode(),
        f"\ufeff\ufeff{HEADER}\n{ENOUGH}".encode(),
        f"{HEADER},other\n".encode() + ENOUGH.encode().replace(b"\n", b",\xff\n"),
        f"{HEADER},other\n".encode() + ENOUGH.encode().replace(b"\n", b",\0\n"),
        f"{HEADER}\n{ENOUGH}".encode().replace(b",", b";"),
        f"{HEADER}\n{ENOUGH}".encode("utf-16"),
        f"{HEADER}\n{ENOUGH}18,8,307\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n".encode(),
        f"{HEADER}\n{ENOUGH}18,8,307,130,heavy,12,70,1,x\n".encode(),
        f"{HEADER}\n{ENOUGH}18,8,307,130,3504,12,70,1,\ud800\n".encode(errors="surrogatepass"),
    ],
)
def test_a_file_with_a_problem_is_read_by_rows(content: bytes, upload: Path) -> None:
    judge(upload, content)


CELLS = st.sampled_from(
    [
        *(
            "",
            "?",
            "NA",
            "None",
            "<NA>",
            "1_0",
            "inf",
            "nan",
            "0x1p3",
            "0x10",
            "1e400",
            "1e3",
            "1e-400",
            "8.",
            "+8",
        ),
        *(
            " 8",
            "8 ",
            "\t8",
            "\xa08",
            "\x1c8",
            "\u20288",
            "\ufeff8",
            "８",
            "٣",
            "#8",
            "'8'",
            "1,000",
            "8 0",
            "70.0",
        ),
        *(
            '"8"',
            '""',
            '"8',
            '8"',
            '"8" ',
            ' "8"',
            '"a""b"',
            '"a"b',
            '"1,000"',
            '"a\nb"',
            '"\n',
            "\n",
            "\r",
            "\r\n",
        ),
        *(
            "\0",
            "\x1a",
            "\x85",
            "\\",
            "\\,",
            "usa",
            "Europe",
            "é",
            "\ud800",
            "-1",
            "0",
            "199",
            "1970",
            "2100",
            "1" * 400,
        ),
    ]
) | st.text(max_size=5)


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


@given(tables())
def test_columns_and_rows_find_the_same_cars(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    judge(tmp_path_factory.getbasetemp() / "table.csv", content)


@given(st.data())
def test_columns_and_rows_find_the_same_cars_in_a_damaged_file(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, 3000))
    removed = data.draw(st.integers(0, 40))
    inserted = data.draw(
        st.binary(max_size=9) | st.sampled_from([b'"', b"\r", b"\0", b"\xff", b",", b'"\n', b"\n\n"])
    )
    judge(
        tmp_path_factory.getbasetemp() / "damaged.csv", sample[:start] + inserted + sample[start + removed :]
    )


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
def test_any_other_bytes_are_read_by_rows(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert judge(tmp_path_factory.getbasetemp() / "any.csv", content) is None


def test_a_clean_file_is_read_without_an_object_for_each_row(
    upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This makes reading a million rows fast."""
    monkeypatch.setattr(table, "read_cars", None)
    upload.write_text(f"{HEADER}\n{ENOUGH * 100}")
    assert len(read_table(upload, "cars.csv")) == 2000
