"""The refusal of an unusable file says what is wrong, where, and what to do."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from auto_mpg.cars import check_cars
from auto_mpg.preprocess import prepare
from common.cluster import Local
from common.uploads import BadUpload

HEADER = b"mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name\n"
GOOD = b"18,8,307,130,3504,12,70,1,chevelle\n"


def refusal(upload: bytes, name: str = "incoming/cars.csv") -> str:
    with pytest.raises(BadUpload) as checked:
        check_cars(io.BytesIO(upload), name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.csv"
        path.write_bytes(upload)
        with pytest.raises(BadUpload) as refused:
            prepare(path, name, Path(folder) / "prepared", Local(workers=1))
    assert str(checked.value) == str(refused.value)
    return str(refused.value)


def different(count: int, row: str = "{0},8,{0},130,3504,12,70,1,car") -> bytes:
    return "".join(row.format(number + 1) + "\n" for number in range(count)).encode()


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cars.csv", content)
    return stream.getvalue()


EMPTY = "is empty; upload a CSV file with the columns of Auto MPG"


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (b"", EMPTY),
        (b"\n\r\n  \n", EMPTY),
        (b"\xef\xbb\xbf", EMPTY),
        (HEADER, "has column names but no rows; add the cars"),
        (gzip.compress(HEADER, mtime=0), "is a gzip archive; upload the CSV inside it"),
        (
            zipped(HEADER),
            "is a zip archive or an Excel workbook; upload the CSV inside it or save it as CSV UTF-8",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an Excel workbook; save it as CSV UTF-8"),
        (b"PAR1" + bytes(99), "is a Parquet file; save it as CSV UTF-8"),
        ((HEADER + GOOD).decode().encode("utf-16"), "is encoded in UTF-16; save it as CSV UTF-8"),
        (b"\xfe\xff" + HEADER.decode().encode("utf-16-be"), "is encoded in UTF-16; save it as CSV UTF-8"),
        (
            HEADER + different(30, ",8,{0},130,3504,12,70,1,car"),
            "has no row with mpg; a model can only learn from cars whose mpg is known",
        ),
        (
            HEADER + different(30, "18,8,{0},?,3504,12,70,1,car") + b",8,307,130,3504,12,70,1,car",
            "has no row with mpg and horsepower; what is missing is filled in from the rows that have it",
        ),
        (
            HEADER + different(19) + GOOD.replace(b"18", b"", 1),
            "has too few different rows with mpg (19); at least 20 are needed to train, validate and test a model",
        ),
        (
            HEADER + b"".join(b"%d" % number + GOOD.replace(b"chev", b"%d" % number) for number in range(99)),
            "has too few different rows with mpg (1); at least 20 are needed to train, validate and test a model",
        ),
    ],
)
def test_an_unusable_file_is_refused_as_a_whole(upload: bytes, message: str) -> None:
    assert refusal(upload) == f"incoming/cars.csv {message}"


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (HEADER.replace(b",weight", b""), "line 1: the column weight is missing; add it"),
        (
            b"a,b,c\n1,2,3\n",
            "line 1: the columns mpg, cylinders, displacement, horsepower, weight, acceleration, model_year, "
            "origin, car_name are missing; add them",
        ),
        (
            HEADER.replace(b"car_name", b"Model Year, name"),
            'line 1: the columns "model_year" and "Model Year" mean the same, model_year; keep one of them',
        ),
        (b"\n\n" + HEADER.replace(b"mpg,", b""), "line 3: the column mpg is missing; add it"),
        (
            GOOD * 30,
            "line 1: the column names are missing; begin the file with the line mpg,cylinders,displacement,"
            "horsepower,weight,acceleration,model_year,origin,car_name",
        ),
        (
            (HEADER + GOOD).replace(b",", b";"),
            "line 1: the columns are separated by semicolons; save the file with commas",
        ),
        (
            (HEADER + GOOD).replace(b",", b"\t"),
            "line 1: the columns are separated by tabs; save the file with commas",
        ),
        (
            (HEADER + GOOD).replace(b",", b"|"),
            "line 1: the columns are separated by bars; save the file with commas",
        ),
        (HEADER + GOOD + b"18,8,307\n", "line 3: has 3 fields; expected 9"),
        (HEADER + GOOD + GOOD.replace(b"\n", b",x\n"), "line 3: has 10 fields; expected 9"),
        (b"18 8 307 130 3504 12 70 1 a\n\n18 8 307\n", "line 3: has 3 fields; expected 9"),
        (
            HEADER + GOOD + "18,8,307,130,3504,12,70,1,citroën\n".encode("latin-1"),
            "line 3: byte 0xeb is not UTF-8; save the file as CSV UTF-8",
        ),
        (HEADER + GOOD.replace(b"che", b"\0"), "line 2: contains a NUL byte; save the file as CSV UTF-8"),
        (
            HEADER + GOOD.replace(b"che", b'"che') + GOOD * 9,
            "line 2: a quoted field begins here and never ends; close or remove the quote",
        ),
        (
            HEADER + GOOD + GOOD.replace(b"che", b'"che') + GOOD * 9999,
            "line 3: a field is longer than 131,072 characters; is a quote left open?",
        ),
        (
            HEADER + GOOD.replace(b"chevelle", b'"che"velle'),
            "line 2: the quotes are broken (',' expected after '\"'); "
            "a quoted field must end before a comma or the end of the line",
        ),
        (HEADER + b"x" * 1_100_000, "line 2: longer than 1,048,576 characters; is this a CSV file?"),
    ],
)
def test_a_file_that_cannot_be_split_into_cars_is_refused(upload: bytes, message: str) -> None:
    assert refusal(upload) == f"incoming/cars.csv, {message}"


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("horsepower", "abc", 'horsepower is "abc"; expected a number or "?"'),
        (
            "horsepower",
            "-1",
            'horsepower is "-1"; expected a number above 0 and below 1,000,000 or "?"',
        ),
        ("mpg", "fast", 'mpg is "fast"; expected a number or "?"'),
        ("mpg", "0", 'mpg is "0"; expected a number above 0 and below 1,000,000 or "?"'),
        ("mpg", '"18,5"', 'mpg is "18,5"; expected a number or "?"'),
        ("mpg", "inf", 'mpg is "inf"; expected a number or "?"'),
        ("weight", "", "weight is missing; expected a number"),
        ("weight", "?", 'weight is "?"; expected a number'),
        ("weight", "nan", 'weight is "nan"; expected a number'),
        ("weight", "-Infinity", 'weight is "-Infinity"; expected a number'),
        ("weight", "1e999", 'weight is "1e999"; expected a number above 0 and below 1,000,000'),
        ("weight", "-3504", 'weight is "-3504"; expected a number above 0 and below 1,000,000'),
        ("weight", "3_504", 'weight is "3_504"; expected a number'),
        ("weight", "\u0663", 'weight is "\u0663"; expected a number'),
        ("displacement", "0x10", 'displacement is "0x10"; expected a number'),
        ("acceleration", "12s", 'acceleration is "12s"; expected a number'),
        ("cylinders", "7.5", 'cylinders is "7.5"; expected a whole number'),
        ("model_year", "1870", 'model_year is "1870"; expected a year such as 70 or 1970'),
        ("model_year", "1970-01-01", 'model_year is "1970-01-01"; expected a year such as 70 or 1970'),
        ("model_year", "", "model_year is missing; expected a year such as 70 or 1970"),
        ("origin", "mars", 'origin is "mars"; expected 1, 2, 3, usa, europe or japan'),
        ("origin", "4", 'origin is "4"; expected 1, 2, 3, usa, europe or japan'),
        ("origin", "", "origin is missing; expected 1, 2, 3, usa, europe or japan"),
        ("weight", "x" * 99, f'weight is "{"x" * 39}…"; expected a number'),
        ("model_year", "200", 'model_year is "200"; expected a year such as 70 or 1970'),
        ("model_year", "2100", 'model_year is "2100"; expected a year such as 70 or 1970'),
        ("weight", "\u202e1", 'weight is "\\u202e1"; expected a number'),
        ("weight", "\x1b[31m", 'weight is "\\u001b[31m"; expected a number'),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(column: str, text: str, message: str) -> None:
    columns = HEADER.decode().strip().split(",")
    bad = dict(zip(columns, GOOD.decode().strip().split(","), strict=True)) | {column: text}
    upload = HEADER + GOOD + ",".join(bad.values()).encode()
    assert refusal(upload) == f"incoming/cars.csv, line 3: {message}"


def test_lines_are_counted_as_a_text_editor_counts_them() -> None:
    name = b'"a\r\nb\r\n\r\nc"'  # line 2 to 5
    upload = HEADER + GOOD.replace(b"chevelle", name) + b"\r\n\n" + GOOD.replace(b"3504", b"heavy")
    assert refusal(upload) == 'incoming/cars.csv, line 8: weight is "heavy"; expected a number'


def test_all_problems_are_reported_at_once() -> None:
    upload = HEADER + b"a,8,307,b,3504,12,70,1,x\n" + GOOD + b"18,8\n"
    assert refusal(upload).splitlines() == [
        'incoming/cars.csv, line 2: mpg is "a"; expected a number or "?"',
        'line 2: horsepower is "b"; expected a number or "?"',
        "line 4: has 2 fields; expected 9",
    ]


def test_the_first_five_of_many_problems_are_shown_and_the_others_counted() -> None:
    told = refusal(HEADER + GOOD.replace(b"3504", b"heavy") * 17).splitlines()
    assert told[4] == 'line 6: weight is "heavy"; expected a number'
    assert told[5:] == ["and 12 more"]


def test_a_message_fits_into_a_jobs_exit_message_however_long_the_names_are() -> None:
    row = ",".join(["\N{SNOWMAN}" * 500] * 8) + ",x\n"
    assert len(refusal(HEADER + row.encode() * 3, "incoming/" + "n" * 1000 + ".csv")) <= 1000


HEAD = HEADER + GOOD * 3


@pytest.mark.parametrize("size", range(len(HEAD) + 1))
def test_the_head_of_a_good_file_is_good_wherever_it_is_cut(size: int) -> None:
    counts = check_cars(io.BytesIO(HEAD[:size]), "cars.csv", whole=False)
    assert counts.rows == max(0, len(HEAD[:size].splitlines()) - 2)


def test_the_head_may_end_within_quotes_or_within_a_character() -> None:
    for head in (HEAD + b'18,8,307,130,3504,12,70,1,"che\nvelle\n', HEAD + "ë".encode()[:1]):
        assert (check_cars(io.BytesIO(head), "cars.csv", whole=False).rows or 0) >= 3


def test_a_problem_in_the_head_is_refused() -> None:
    with pytest.raises(BadUpload, match=r'line 2: weight is "heavy"'):
        check_cars(io.BytesIO(HEADER + GOOD.replace(b"3504", b"heavy") + GOOD), "cars.csv", whole=False)


def test_a_huge_file_is_not_read_further_than_its_first_fatal_problem() -> None:
    stream = io.BytesIO(b"a;b\n" + b"1;2\n" * 1_000_000)
    with pytest.raises(BadUpload):
        check_cars(stream, "cars.csv")
    assert stream.tell() < 100_000
