"""Prepares a file of cars as `auto_mpg.preprocess` does, by another engine: `engines.py ENGINE FILE FOLDER`.

Each reads the file twice and in parts: it refuses values out of range, splits by a hash of the content,
learns from the training rows, and writes the channels as Parquet, the rows to predict as CSV. None explains
what is wrong with a file, takes its other forms, or promises the same split for good, as `prepare` does.
"""

import sys
from collections.abc import Callable
from pathlib import Path

NUMBERS = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year"]
CONTENT = [*NUMBERS, "origin"]
ORIGINS = {"usa": 1, "europe": 2, "japan": 3}
COLUMNS = ["mpg", *CONTENT, "car_name"]
# Values below are valid; missing ones are where they may be.
LIMIT = 1_000_000
SHARES = (0.70, 0.85)


def with_pandas(source: Path, folder: Path) -> None:
    """In chunks of 100,000 rows, as its own guide for large files has it."""
    import numpy as np
    import pandas as pd

    def chunks() -> "pd.io.parsers.TextFileReader":
        return pd.read_csv(source, na_values=["?"], chunksize=100_000)

    def parts(chunk: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        hashes = pd.util.hash_pandas_object(chunk[CONTENT], index=False).to_numpy()
        borders = np.array([int(share * 2**64) for share in SHARES], np.uint64)
        return np.where(chunk["mpg"].isna(), 3, np.searchsorted(borders, hashes, side="right"))

    count, power = 0, pd.Series(dtype=np.int64)
    total, squares, present = np.zeros(6), np.zeros(6), np.zeros(6)
    for chunk in chunks():
        bounded = chunk[["mpg", *NUMBERS]]
        if not (bounded.isna() | ((bounded > 0) & (bounded < LIMIT))).to_numpy().all():
            raise ValueError("a value is out of range")
        if (
            chunk[CONTENT].drop(columns="horsepower").isna().to_numpy().any()
            or not chunk["origin"].isin([1, 2, 3]).all()
        ):
            raise ValueError("a value is missing or unknown")
        train = chunk[parts(chunk) == 0]
        count += len(train)
        power = power.add(train["horsepower"].value_counts(), fill_value=0)
        values = train[NUMBERS].to_numpy(np.float64)
        present += (~np.isnan(values)).sum(axis=0)
        total += np.nansum(values, axis=0)
        squares += np.nansum(values**2, axis=0)
    power = power.sort_index().cumsum()
    median = float(power.index[np.searchsorted(power.to_numpy(), power.iloc[-1] / 2)])
    total += (count - present) * median
    squares += (count - present) * median**2
    mean = total / count
    scale = np.sqrt(squares / count - mean**2)

    import pyarrow as pa
    from pyarrow import parquet

    writers: dict[str, parquet.ParquetWriter] = {}
    for number, chunk in enumerate(chunks()):
        of = parts(chunk)
        for part, name in enumerate(("train", "validation")):
            rows = chunk[of == part]
            values = (rows[NUMBERS].fillna({"horsepower": median}).to_numpy(np.float64) - mean) / scale
            features = np.hstack([rows[["mpg"]].to_numpy(), values, rows[["origin"]].to_numpy() == [1, 2, 3]])
            table = pa.table(dict(zip(map(str, range(10)), features.astype(np.float32).T, strict=True)))
            writer = writers.setdefault(name, parquet.ParquetWriter(folder / f"{name}.parquet", table.schema))
            writer.write_table(table)
        chunk[of == 2].to_csv(folder / "test.csv", index=False, mode="a", header=number == 0)
        chunk.loc[of >= 2, COLUMNS[1:]].to_csv(folder / "batch.csv", index=False, mode="a", header=False)
    for writer in writers.values():
        writer.close()


def with_polars(source: Path, folder: Path) -> None:
    """By its streaming engine."""
    import polars as pl

    kinds = dict.fromkeys([*COLUMNS[:-2]], pl.Float64) | {"origin": pl.Int64, "car_name": pl.String}
    rows = pl.scan_csv(source, schema_overrides=kinds, null_values=["?", ""])
    hashed = pl.struct(CONTENT).hash(seed=0)
    borders = [int(share * 2**64) for share in SHARES]
    part = pl.when(hashed < borders[0]).then(0).when(hashed < borders[1]).then(1).otherwise(2)
    rows = rows.with_columns(part=pl.when(pl.col("mpg").is_null()).then(3).otherwise(part))
    valid = pl.all_horizontal(
        *(
            (pl.col(column) > 0) & (pl.col(column) < LIMIT) | pl.col(column).is_null()
            for column in ["mpg", *NUMBERS]
        ),
        *(pl.col(column).is_not_null() for column in CONTENT if column != "horsepower"),
        pl.col("origin").is_in([1, 2, 3]),
    )
    # Counts of different values give the median and all sums of few-valued columns without sorting every row.
    train = rows.filter(pl.col("part") == 0)
    power = train.group_by("horsepower").len().sort("horsepower")
    others = [column for column in NUMBERS if column != "horsepower"]
    sums = train.select(
        *(pl.col(column).mean() for column in others),
        *(pl.col(column).std(ddof=0).name.suffix("_std") for column in others),
    )
    invalid, power, sums = pl.collect_all(
        [rows.filter(~valid).select(pl.len()), power, sums], engine="streaming"
    )
    if invalid.item():
        raise ValueError("a value is out of range")
    counts = {row["horsepower"]: row["len"] for row in power.iter_rows(named=True)}
    missing = counts.pop(None, 0)
    median, mean, deviation = _of_counts(counts, missing)
    means = {column: sums[column].item() for column in others} | {"horsepower": mean}
    scales = {column: sums[f"{column}_std"].item() for column in others} | {"horsepower": deviation}
    filled = rows.with_columns(pl.col("horsepower").fill_null(median).alias("filled"))
    features = [
        pl.col("mpg").cast(pl.Float32),
        *(
            ((pl.col("filled" if column == "horsepower" else column) - means[column]) / scales[column])
            .cast(pl.Float32)
            .alias(f"scaled_{column}")
            for column in NUMBERS
        ),
        *((pl.col("origin") == code).cast(pl.Float32).alias(name) for name, code in ORIGINS.items()),
    ]
    sinks = [
        filled.filter(pl.col("part") == number)
        .select(features)
        .sink_parquet(folder / f"{name}.parquet", lazy=True)
        for number, name in enumerate(("train", "validation"))
    ]
    sinks += [
        rows.filter(pl.col("part") == 2).select(COLUMNS).sink_csv(folder / "test.csv", lazy=True),
        rows.filter(pl.col("part") >= 2)
        .select(COLUMNS[1:])
        .sink_csv(folder / "batch.csv", include_header=False, lazy=True),
    ]
    pl.collect_all(sinks, engine="streaming")


def with_duckdb(source: Path, folder: Path) -> None:
    """With half a gigabyte for its buffers."""
    import duckdb

    database = duckdb.connect()
    database.execute(
        "SET memory_limit='512MB'; SET preserve_insertion_order=false; SET enable_progress_bar=false"
    )
    kinds = ", ".join(
        f"'{column}': '{'VARCHAR' if column == 'car_name' else 'DOUBLE'}'" for column in COLUMNS
    )
    content = ", ".join(CONTENT)
    borders = [int(share * 2**64) for share in SHARES]
    database.execute(
        "CREATE VIEW cars AS SELECT *, CASE WHEN mpg IS NULL THEN 3"
        f" WHEN hash({content}) < {borders[0]}::UBIGINT THEN 0"
        f" WHEN hash({content}) < {borders[1]}::UBIGINT THEN 1 ELSE 2 END AS part"
        f" FROM read_csv('{source}', columns={{{kinds}}}, header=true, nullstr=['?', ''])"
    )
    bounded = " OR ".join(
        f"{column} <= 0 OR {column} >= {LIMIT} OR isnan({column})" for column in ["mpg", *NUMBERS]
    )
    missing = " OR ".join(f"{column} IS NULL" for column in CONTENT if column != "horsepower")
    others = [column for column in NUMBERS if column != "horsepower"]
    learned = ", ".join(
        f"avg({column}) FILTER (part = 0), stddev_pop({column}) FILTER (part = 0)" for column in others
    )
    row = database.execute(
        f"SELECT count(*) FILTER ({bounded} OR {missing} OR origin NOT IN (1, 2, 3)), {learned},"
        " histogram(horsepower) FILTER (part = 0),"
        " count(*) FILTER (part = 0 AND horsepower IS NULL) FROM cars"
    ).fetchone()
    assert row  # noqa: S101 - an aggregate has a row
    if row[0]:
        raise ValueError("a value is out of range")
    median, mean, deviation = _of_counts(row[-2], row[-1])
    means = dict(zip(others, row[1:-2:2], strict=True)) | {"horsepower": mean}
    scales = dict(zip(others, row[2:-2:2], strict=True)) | {"horsepower": deviation}
    features = ", ".join(
        [
            "mpg::FLOAT AS mpg",
            *(
                f"((coalesce({column}, {median}) - {means[column]}) / {scales[column]})::FLOAT AS {column}"
                for column in NUMBERS
            ),
            *(f"(origin = {code})::FLOAT AS {name}" for name, code in ORIGINS.items()),
        ]
    )
    # It reads the file again for each of its outputs, so a copy of what it parsed pays.
    database.execute(f"COPY cars TO '{folder / 'parsed.parquet'}'")
    parsed = f"FROM '{folder / 'parsed.parquet'}' WHERE part"
    for number, name in enumerate(("train", "validation")):
        database.execute(f"COPY (SELECT {features} {parsed} = {number}) TO '{folder / name}.parquet'")
    database.execute(f"COPY (SELECT {', '.join(COLUMNS)} {parsed} = 2) TO '{folder / 'test.csv'}' (HEADER)")
    database.execute(
        f"COPY (SELECT {', '.join(COLUMNS[1:])} {parsed} >= 2) TO '{folder / 'batch.csv'}' (HEADER false)"
    )
    (folder / "parsed.parquet").unlink()


def _of_counts(counts: dict[float, int], missing: int) -> tuple[float, float, float]:
    """The median of counted values, and mean and deviation with it in the place of missing ones."""
    ordered = sorted(counts.items())
    half, median = sum(counts.values()) / 2, 0.0
    for value, count in ordered:
        median, half = value, half - count
        if half <= 0:
            break
    total = sum(counts.values()) + missing
    mean = (sum(value * count for value, count in ordered) + missing * median) / total
    squares = sum((value - mean) ** 2 * count for value, count in ordered) + missing * (median - mean) ** 2
    return median, mean, (squares / total) ** 0.5


ENGINES: dict[str, Callable[[Path, Path], None]] = {
    "pandas": with_pandas,
    "polars": with_polars,
    "duckdb": with_duckdb,
}

if __name__ == "__main__":
    ENGINES[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
