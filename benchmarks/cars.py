"""Writes files of cars of any size, the same ones each time, at some 100 MB a second."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

SAMPLE = Path(__file__).parents[1] / "data" / "auto-mpg.csv"
HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name\n"
_ROWS = 1 << 18
_SEED = 7


def write_cars(path: Path, size: int) -> int:
    """Write cars until the file has about this many bytes; returns the number of rows.

    They are like those of the sample, whose names they have. 1.5 % lack a horsepower, and 2 % a label.
    """
    names = csv.read_csv(SAMPLE).column("car name").combine_chunks()
    random = np.random.default_rng(_SEED)
    rows = 0
    with path.open("wb") as stream:
        stream.write(HEADER.encode())
        while stream.tell() < size:
            cars = pa.BufferOutputStream()
            csv.write_csv(_cars(random, names), cars, csv.WriteOptions(include_header=False))
            lines = cars.getvalue().to_pybytes()
            left = size - stream.tell()
            if left < len(lines):
                lines = lines[: lines.find(b"\n", left) + 1 or None]
            rows += lines.count(b"\n")
            stream.write(lines)
    return rows


def _cars(random: np.random.Generator, names: pa.Array) -> pa.Table:
    power = random.integers(46, 231, _ROWS)
    weight = random.integers(1600, 5200, _ROWS)
    mpg = np.round(np.clip(60 - weight / 90 + random.normal(0, 3, _ROWS), 8, 47), 1)
    return pa.table(
        {
            "mpg": pa.array(mpg, mask=random.random(_ROWS) < 0.02),
            "cylinders": random.choice([3, 4, 4, 4, 5, 6, 6, 8, 8], _ROWS),
            "displacement": np.round(power * random.uniform(1.2, 2.0, _ROWS), 1),
            "horsepower": pa.array(power, mask=random.random(_ROWS) < 0.015),
            "weight": weight,
            "acceleration": np.round(random.uniform(8, 25, _ROWS), 1),
            "model_year": random.integers(70, 83, _ROWS),
            "origin": random.integers(1, 4, _ROWS),
            "car_name": names.take(pa.array(random.integers(0, len(names), _ROWS))),
        }
    )
