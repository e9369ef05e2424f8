"""Properties of every file: it is read correctly, or refused with a sentence."""

import csv
import io
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from auto_mpg.car import COLUMNS, Car
from auto_mpg.cars import check_cars
from common.uploads import BadUpload
from tests.unit.processing.auto_mpg.by_rows import read_cars

HEADER = ",".join(COLUMNS)
NUMBERS = st.floats(min_value=1e-5, max_value=999_999)
CARS = st.builds(
    Car,
    mpg=NUMBERS | st.none(),
    cylinders=st.integers(1, 999_999),
    displacement=NUMBERS,
    horsepower=NUMBERS | st.none(),
    weight=NUMBERS,
    acceleration=NUMBERS,
    model_year=st.integers(0, 199),
    origin=st.integers(1, 3),
    # Unprintable characters become spaces; see test_hostile_names.py.
    car_name=st.text(st.characters().filter(str.isprintable)).map(lambda text: " ".join(text.split())),
)
ENOUGH = [
    Car(18.0, 8, 300.0 + number, 130.0, 3504.0, 12.0, 70, 1, "chevrolet chevelle") for number in range(20)
]
CELLS = st.sampled_from(
    ["", "?", "NA", "1", "8.", "-1", "1e999", "usa", '"', '"a', "a,b", "\n", "\0", "é", "70"]
)


def to_csv(cars: Sequence[Car], line_end: str) -> bytes:
    stream = io.StringIO()
    rows = ([getattr(car, column) for column in COLUMNS] for car in cars)
    csv.writer(stream, lineterminator=line_end).writerows([COLUMNS, *rows])
    return stream.getvalue().encode()


def read_or_refusal(upload: bytes) -> list[Car] | str:
    try:
        return read_cars(io.BytesIO(upload), "cars.csv")
    except BadUpload as error:
        return str(error)


@given(st.lists(CARS), st.sampled_from(["\n", "\r\n", "\r"]))
def test_cars_that_are_written_are_read_again(cars: list[Car], line_end: str) -> None:
    assert read_or_refusal(to_csv(ENOUGH + cars, line_end)) == ENOUGH + cars


@given(st.binary())
@example(b"\x1f\x8b")
@example(b"PK\x03\x04")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_any_bytes_are_read_or_refused_in_a_sentence(upload: bytes) -> None:
    answer = read_or_refusal(upload)
    assert isinstance(answer, str)
    assert answer.startswith("cars.csv")
    assert len(answer) <= 1000


@given(st.lists(st.lists(CELLS, max_size=11).map(",".join)).map("\n".join), st.binary(max_size=3))
def test_any_table_is_read_or_refused_in_a_sentence(table: str, rubbish: bytes) -> None:
    answer = read_or_refusal(to_csv(ENOUGH, "\n") + table.encode() + rubbish)
    assert isinstance(answer, list) or (answer.startswith("cars.csv, line ") and len(answer) <= 1000)


@given(st.lists(CARS, min_size=1), st.data())
def test_the_head_of_a_good_file_is_never_refused(cars: list[Car], data: st.DataObject) -> None:
    upload = to_csv(ENOUGH + cars, "\n")
    head = upload[: data.draw(st.integers(0, len(upload)))]
    counts = check_cars(io.BytesIO(head), "cars.csv", whole=False)
    assert 0 <= (counts.labelled or 0) <= (counts.rows or 0) <= 20 + len(cars)
