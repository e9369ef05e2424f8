"""Auto MPG is published in many forms. They are the same cars, so they must give the same rows."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from auto_mpg.car import Car
from auto_mpg.cars import check_cars
from tests.unit.processing.auto_mpg.by_rows import read_cars

Rows = list[dict[str, str]]

ORIGINS = {"1": "usa", "2": "europe", "3": "japan"}


def read(upload: bytes) -> list[Car]:
    return read_cars(io.BytesIO(upload), "cars.csv")


def lines(rows: Rows, header: str, value: Callable[[str, str], str] = lambda column, text: text) -> list[str]:
    return [header, *(",".join(value(column, text) for column, text in row.items()) for row in rows)]


def text(rows: Rows, header: str, value: Callable[[str, str], str] = lambda column, text: text) -> str:
    return "\n".join(lines(rows, header, value)) + "\n"


def missing_as(marker: str) -> Callable[[str, str], str]:
    return lambda column, text: marker if text == "?" else text


HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model year,origin,car name"


def seaborn(rows: Rows) -> str:
    def value(column: str, text: str) -> str:
        if column == "origin":
            return ORIGINS[text]
        if column in ("mpg", "displacement", "horsepower", "acceleration"):
            return "" if text == "?" else str(float(text))
        return text

    return text(rows, HEADER.replace("model year", "model_year").replace("car name", "name"), value)


def uci(rows: Rows) -> str:
    return "".join(f'{"   ".join(list(row.values())[:8])}\t"{row["car name"]}"\n' for row in rows)


def uci_original(rows: Rows) -> str:
    def line(row: dict[str, str]) -> str:
        numbers = [f"{float(value):.1f}" if value != "?" else "NA" for value in list(row.values())[:8]]
        return f'{"  ".join(number.removesuffix("0") for number in numbers)}\t"{row["car name"]}"\n'

    return "".join(line(row) for row in rows)


def with_index(rows: Rows, name: str) -> str:
    first, *others = lines(rows, HEADER)
    return "\n".join([f"{name},{first}", *(f"{number},{line}" for number, line in enumerate(others))])


def reversed_columns(rows: Rows) -> str:
    return text([dict(reversed(row.items())) for row in rows], ",".join(reversed(HEADER.split(","))))


def quoted(rows: Rows) -> str:
    return text(rows, ",".join(f'"{name}"' for name in HEADER.split(",")), lambda _, text: f'"{text}"')


def newline_in_names(rows: Rows) -> str:
    def value(column: str, text: str) -> str:
        return '"' + text.replace(" ", "\n") + '"' if column == "car name" else text

    return text(rows, HEADER, value)


def origin_as(spell: Callable[[str], str]) -> Callable[[Rows], str]:
    return lambda rows: text(
        rows, HEADER, lambda column, text: spell(ORIGINS[text]) if column == "origin" else text
    )


FORMS: dict[str, Callable[[Rows], str]] = {
    "seaborn": seaborn,
    "UCI auto-mpg.data": uci,
    "UCI auto-mpg.data-original": uci_original,
    "ISLR": lambda rows: text(rows, HEADER.replace("model year", "year").replace("car name", "name")),
    "modelyear, carname": lambda rows: text(rows, HEADER.replace(" ", "")),
    "model_year, car_name": lambda rows: text(rows, HEADER.replace(" ", "_")),
    "capital letters and blanks in the header": lambda rows: text(rows, HEADER.title().replace(",", " , ")),
    "unnamed index": lambda rows: with_index(rows, ""),
    "pandas' unnamed index": lambda rows: with_index(rows, "Unnamed: 0"),
    "extra columns": lambda rows: "\n".join(f"{line},x,y" for line in lines(rows, HEADER)),
    "columns in another order": reversed_columns,
    "everything quoted": quoted,
    "line breaks inside quotes": newline_in_names,
    "blanks after commas": lambda rows: text(rows, HEADER).replace(",", ", "),
    "blanks before quotes": lambda rows: quoted(rows).replace(",", ", "),
    "CRLF": lambda rows: text(rows, HEADER).replace("\n", "\r\n"),
    "CR": lambda rows: text(rows, HEADER).replace("\n", "\r"),
    "byte order mark": lambda rows: "\ufeff" + text(rows, HEADER),
    "blank lines": lambda rows: "\n\n" + text(rows, HEADER).replace("\n", "\n\n  \n"),
    "empty rows of a spreadsheet": lambda rows: text(rows, HEADER) + ",,,,,,,,\n" * 3,
    "no last newline": lambda rows: text(rows, HEADER).rstrip("\n"),
    "years in full": lambda rows: text(
        rows, HEADER, lambda column, text: f"19{text}" if column == "model year" else text
    ),
    "origin as float": lambda rows: text(
        rows, HEADER, lambda column, text: f"{text}.0" if column == "origin" else text
    ),
    "origin lower case": origin_as(str.lower),
    "origin upper case": origin_as(str.upper),
    "origin title case": origin_as(str.title),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_gives_the_same_rows(form: str, sample: bytes, sample_rows: Rows) -> None:
    assert read(FORMS[form](sample_rows).encode()) == read(sample)


@pytest.mark.parametrize("marker", ["", "?", " ? ", "NA", "na", "NaN", "nan", "N/A", "null", "None", "<NA>"])
def test_a_missing_horsepower_may_be_marked_in_any_usual_way(
    marker: str, sample: bytes, sample_rows: Rows
) -> None:
    assert read(text(sample_rows, HEADER, missing_as(marker)).encode()) == read(sample)


def test_the_sample_is_read_as_written(sample: bytes) -> None:
    cars = read(sample)
    assert len(cars) == 398
    assert sum(car.horsepower is None for car in cars) == 6
    assert cars[0] == Car(18.0, 8, 307.0, 130.0, 3504.0, 12.0, 70, 1, "chevrolet chevelle malibu")
    assert cars[-1] == Car(31.0, 4, 119.0, 82.0, 2720.0, 19.4, 82, 1, "chevy s-10")


@pytest.mark.parametrize("marker", ["", "?", "NA"])
def test_a_row_without_mpg_is_a_car_to_predict(marker: str, sample: bytes) -> None:
    upload = sample + f"{marker},4,91,68,1970,17.6,82,3,mazda glc custom".encode()
    assert read(upload)[-1].mpg is None
    assert check_cars(io.BytesIO(upload), "cars.csv").rows == 399
    assert check_cars(io.BytesIO(upload), "cars.csv").labelled == 398


@pytest.mark.parametrize(
    ("text", "year"), [("0", 0), ("70", 70), ("82.", 82), ("199", 199), ("1900", 0), ("2099", 199)]
)
def test_a_year_may_be_counted_from_1900_or_written_in_full(text: str, year: int, sample: bytes) -> None:
    assert read(sample + f"18,8,307,130,3504,12,{text},1,x".encode())[-1].model_year == year


def test_a_name_is_put_on_one_line_and_otherwise_unchanged(sample: bytes) -> None:
    upload = sample + '20,4,91,68,1970,17.6,82,3,"=cmd(""x""),\r\n é\u2028 \x0b y"'.encode()
    assert read(upload)[-1].car_name == '=cmd("x"), é y'


def test_the_stream_is_left_open_for_its_owner(sample: bytes) -> None:
    stream = io.BytesIO(sample)
    read_cars(stream, "cars.csv")
    assert not stream.closed


def test_a_stream_need_only_be_readable(sample: bytes) -> None:
    class Body:
        """Returns fewer bytes than requested, like a network."""

        def __init__(self) -> None:
            self._content = io.BytesIO(sample)

        def read(self, size: int) -> bytes:
            return self._content.read(min(size, 1000))

    body: Any = Body()
    assert check_cars(body, "cars.csv").rows == len(read(sample))
