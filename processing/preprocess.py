"""Processing job: split an upload and turn it into what training, evaluation and batch prediction read.

Nothing but the standard library: importing pandas and scikit-learn would take longer than the whole job.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import features
import job
from car import COLUMNS, RAW_COLUMNS, Car, content_hash
from cars import BadUpload, read_cars, shown_name
from digests import ChangedFile, check, file_digest

# What is prepared, relative to the output folder.
TABLES = ("train/train.csv", "validation/validation.csv", "test/test.csv", "batch/batch.csv")
# The channels of training and the batch name their file instead of taking whatever lies beside it.
MANIFESTS = {f"{name}/{name}.manifest": f"{name}.csv" for name in ("train", "validation", "batch")}
# What a spreadsheet computes, where a cell begins, whatever it takes for the separator of cells.
_FORMULA = re.compile(r'(?:^|[;,|])[ "]*(?=[=+@\-＝＋＠－])')
# What an exit message begins with when the file is to blame and not the job: the error of `check_upload`.
REFUSED = "UploadRefused: "


@dataclass(frozen=True)
class Split:
    train: list[Car]
    validation: list[Car]
    test: list[Car]


def split(cars: Iterable[Car]) -> Split:
    """Rank the different contents by hash: the first 70 % are train, the next 15 % validation, the rest test.

    Cars with the same content share a rank, so doubles never part; the shares are exact in different
    contents. There is no seed, and the order of the file does not matter. New cars shift the borders only a
    little, and validation lies between: a car that trained a model practically never tests a later one.
    """
    ranks = _ranks(cars)
    train_end, validation_end = len(ranks) * 70 // 100, len(ranks) * 85 // 100
    parts = ranks[:train_end], ranks[train_end:validation_end], ranks[validation_end:]
    return Split(*(list(chain.from_iterable(part)) for part in parts))


def _ranks(cars: Iterable[Car]) -> list[list[Car]]:
    doubles = defaultdict(list)
    for car in cars:
        doubles[content_hash(car)].append(car)
    return [sorted(doubles[key], key=repr) for key in sorted(doubles)]


def preprocess(upload: Path, digest: str, output: Path, output_uri: str, file_name: str) -> str:
    """Write `prepared/` for an upload with this digest, and return the digest of its `summary.json`.

    Raises BadUpload and ChangedFile; `file_name` is what their messages call the upload. `output_uri` is
    where in S3 the output folder will be.
    """
    check(upload, digest, shown_name(file_name))
    with upload.open("rb") as stream:
        cars = read_cars(stream, file_name)
    unlabelled = [car for car in cars if car.mpg is None]
    parts = split(car for car in cars if car.mpg is not None)
    if all(car.horsepower is None for car in parts.train):
        raise BadUpload(
            f"{shown_name(file_name)} has too few rows with horsepower; "
            "none of them is in the part that trains the model"
        )
    _write_prepared(output, parts, batch=unlabelled + parts.test)
    _write_manifests(output, output_uri)
    rows = {
        "uploaded": len(cars),
        "labelled": len(cars) - len(unlabelled),
        "unlabelled": len(unlabelled),
        "train": len(parts.train),
        "validation": len(parts.validation),
        "test": len(parts.test),
        "batch": len(unlabelled) + len(parts.test),
    }
    digests = {name: file_digest(output / name) for name in ("preprocessor.json", *TABLES, *MANIFESTS)}
    summary = {"rows": rows, "upload_digest": digest, "digests": digests}
    _write(output / "summary.json", json.dumps(summary, indent=2) + "\n")
    print("rows:", ", ".join(f"{count} {name}" for name, count in rows.items()))
    return file_digest(output / "summary.json")


def _write_prepared(output: Path, parts: Split, batch: Sequence[Car]) -> None:
    preprocessor = features.fit(parts.train)
    _write(output / "preprocessor.json", features.to_json(preprocessor))
    for name, cars in {"train": parts.train, "validation": parts.validation}.items():
        _write_csv(output / name / f"{name}.csv", ([car.mpg, *preprocessor.features(car)] for car in cars))
    _write_csv(output / "test" / "test.csv", chain([COLUMNS], (_texts(car, COLUMNS) for car in parts.test)))
    _write_csv(output / "batch" / "batch.csv", (_texts(car, RAW_COLUMNS) for car in batch))


def _write_manifests(output: Path, output_uri: str) -> None:
    """In the form of API_S3DataSource: a prefix, and the keys that follow it."""
    for name, table in MANIFESTS.items():
        prefix = f"{output_uri.rstrip('/')}/{Path(name).parent}/"
        _write(output / name, json.dumps([{"prefix": prefix}, table]) + "\n")


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upload", type=Path, required=True, help="the CSV file that was uploaded")
    parser.add_argument("--upload-digest", required=True, help="its SHA-256, as sha256:<hex>")
    parser.add_argument("--output", type=Path, required=True, help="folder for what is prepared")
    parser.add_argument("--output-uri", required=True, help="where in S3 that folder will be")
    parser.add_argument("--exit-message", type=Path, required=True, help="file for a digest or a failure")
    parser.add_argument("--file-name", default="upload.csv", help="what messages call the upload")
    args = parser.parse_args(arguments)
    work = partial(
        _preprocess_or_refuse, args.upload, args.upload_digest, args.output, args.output_uri, args.file_name
    )
    return job.run(work, args.exit_message, known=(BadUpload, ChangedFile))


def _preprocess_or_refuse(upload: Path, digest: str, output: Path, output_uri: str, file_name: str) -> str:
    try:
        return preprocess(upload, digest, output, output_uri, file_name)
    except BadUpload as problem:
        raise BadUpload(f"{REFUSED}{problem}") from None


if __name__ == "__main__":
    sys.exit(main())
