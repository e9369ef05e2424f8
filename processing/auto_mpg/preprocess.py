"""Splits an upload of cars and turns it into what training, evaluation and batch prediction read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from auto_mpg import features
from auto_mpg.car import COLUMNS, RAW_COLUMNS, Car, content_hash
from auto_mpg.cars import read_cars
from common.preprocessing import Prepared
from common.splitting import split
from common.text import shown_name
from common.uploads import BadUpload

# What a spreadsheet computes, where a cell begins, whatever it takes for the separator of cells.
_FORMULA = re.compile(r'(?:^|[;,|])[ "]*(?=[=+@\-＝＋＠－])')


def prepare(upload: Path, name: str, output: Path) -> Prepared:
    """Write the tables for an upload; `name` is what the message of BadUpload calls it."""
    with upload.open("rb") as stream:
        cars = read_cars(stream, name)
    unlabelled = [car for car in cars if car.mpg is None]
    # The order of the file does not matter, not even among duplicates.
    labelled = sorted((car for car in cars if car.mpg is not None), key=repr)
    parts = split([content_hash(car) for car in labelled])
    train, validation, test = (
        [labelled[row] for row in part] for part in (parts.train, parts.validation, parts.test)
    )
    if all(car.horsepower is None for car in train):
        raise BadUpload(
            f"{shown_name(name)} has too few rows with horsepower; "
            "none of them is in the part that trains the model"
        )
    batch = unlabelled + test
    _write_tables(output, train, validation, test, batch)
    return Prepared(
        {
            "uploaded": len(cars),
            "labelled": len(labelled),
            "unlabelled": len(unlabelled),
            "train": len(train),
            "validation": len(validation),
            "test": len(test),
            "batch": len(batch),
        }
    )


def _write_tables(
    output: Path, train: list[Car], validation: list[Car], test: list[Car], batch: list[Car]
) -> None:
    preprocessor = features.fit(train)
    _write(output / "preprocessor.json", features.to_json(preprocessor))
    for name, cars in {"train": train, "validation": validation}.items():
        _write_csv(output / name / f"{name}.csv", ([car.mpg, *preprocessor.features(car)] for car in cars))
    _write_csv(output / "test" / "test.csv", chain([COLUMNS], (_texts(car, COLUMNS) for car in test)))
    _write_csv(output / "batch" / "batch.csv", (_texts(car, RAW_COLUMNS) for car in batch))


def _texts(car: Car, columns: Sequence[str]) -> list[str]:
    return [_text(getattr(car, column)) for column in columns]


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _no_formula(value)
    return repr(value).removesuffix(".0")


def _no_formula(name: str) -> str:
    """The name so that a spreadsheet shows it as text: predictions repeat it, and people open them there.

    Models do not look at names, so training and serving stay the same.
    """
    return _FORMULA.sub(r"\g<0>'", name)


def _write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
