"""Splits an upload of cars and writes the files for training, evaluation and batch prediction."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from auto_mpg.car import COLUMNS, CONTENT, RAW_COLUMNS
from auto_mpg.features import to_json
from auto_mpg.fitting import fit, learned
from auto_mpg.table import map_different, read_table
from common.preprocessing import Prepared
from common.splitting import split
from common.text import shown_name
from common.uploads import BadUpload

# The start of a formula at the start of a cell, whichever separator the spreadsheet assumes.
_FORMULA = re.compile(r'(?:^|[;,|])[ "]*(?=[=+@\-＝＋＠－])')


def prepare(upload: Path, name: str, output: Path) -> Prepared:
    """Write the tables for an upload. Raises BadUpload, whose message calls it `name`."""
    cars = read_table(upload, name)
    is_labelled = cars["mpg"].notna()
    # The result is independent of the order in the file, even among duplicates.
    labelled = cars[is_labelled].sort_values(["mpg", "car_name"], ignore_index=True)
    rows = split(content_hashes(labelled))
    train, validation, test = (labelled.iloc[part] for part in (rows.train, rows.validation, rows.test))
    if train["horsepower"].isna().all():
        raise BadUpload(
            f"{shown_name(name)} has too few rows with horsepower; "
            "none of them is in the part that trains the model"
        )
    batch = pd.concat([cars[~is_labelled], test])
    _write_channels(output, {"train": train, "validation": validation})
    _write_csv(output / "test" / "test.csv", as_texts(test, COLUMNS), header=True)
    _write_csv(output / "batch" / "batch.csv", as_texts(batch, RAW_COLUMNS))
    parts = {"train": train, "validation": validation, "test": test, "batch": batch}
    counts = {"uploaded": len(cars), "labelled": len(labelled), "unlabelled": len(cars) - len(labelled)}
    return Prepared(counts | {part: len(table) for part, table in parts.items()})


def content_hashes(cars: pd.DataFrame) -> list[str]:
    """`car.content_hash` of each row."""
    columns = [map_different(cars[column], _as_json) for column in CONTENT]
    rows = map(", ".join, zip(*columns, strict=True))
    return [hashlib.sha256(f"[{row}]".encode()).hexdigest() for row in rows]


def as_texts(cars: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The cars as texts that `car.read_car` reads."""
    return pd.DataFrame(
        {column: map_different(cars[column], _TEXTS.get(column, _number)) for column in columns}
    )


def _as_json(value: Any) -> str:
    return "null" if pd.isna(value) else json.dumps(value)


def _number(value: Any) -> str:
    return "" if pd.isna(value) else repr(value).removesuffix(".0")


def _no_formula(name: str) -> str:
    """A name that a spreadsheet shows as text. The predictions repeat names, and people open them there.

    No model reads names, so this changes neither training nor serving.
    """
    return _FORMULA.sub(r"\g<0>'", name)


_TEXTS: Mapping[str, Callable[[Any], str]] = {"car_name": _no_formula}


def _write_channels(output: Path, parts: Mapping[str, pd.DataFrame]) -> None:
    """Write the channels of the built-in algorithm, label and features, and their preprocessor."""
    transformer = fit(parts["train"])
    output.mkdir(parents=True, exist_ok=True)
    (output / "preprocessor.json").write_text(to_json(learned(transformer)), encoding="utf-8")
    for name, cars in parts.items():
        table = pd.DataFrame(transformer.transform(cars))
        table.insert(0, "mpg", cars["mpg"].to_numpy())
        _write_csv(output / name / f"{name}.csv", table.apply(map_different, change=repr))


def _write_csv(path: Path, table: pd.DataFrame, *, header: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, header=header, index=False, lineterminator="\n")
