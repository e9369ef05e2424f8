"""How often the drift tests raise a false alarm, and what they find in data that really differs.

`python benchmarks/false_alarms.py` draws resamples of the sample files and of distributions that are hard to
test: bootstraps, random halves, and small random parts beside the rest. None of them differs, so each drift
and each degradation is a false alarm. `--json` prints JSON.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "processing"), str(ROOT)]

from auto_mpg import monitoring as watched_cars  # noqa: E402 - after the path
from common.baseline import Baseline  # noqa: E402
from common.columns import Columns, row_count  # noqa: E402
from common.drift_tests import compare  # noqa: E402
from common.evaluation import Metric  # noqa: E402
from common.quality import Quality, quality_change  # noqa: E402

Random = np.random.Generator
Places = NDArray[np.intp]
CARS = ROOT / "data" / "auto-mpg.csv"
DIGITS = ROOT / "data" / "digits.parquet"
_POUND = 0.45359237


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the false alarms of the drift tests.")
    parser.add_argument("--resamples", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = {
        "resamples": arguments.resamples,
        "false_alarms": count_all(arguments.resamples),
        "degradations": count_degradations(arguments.resamples),
        "found": {name: drifted(*make()) for name, make in DIFFERENCES.items()},
    }
    print(json.dumps(found, indent=2) if arguments.json else _table(found))


def cars() -> Columns:
    """The features of the sample, and the label in the place of the prediction."""
    lines = [line.partition(",") for line in CARS.read_text(encoding="utf-8").splitlines()[1:]]
    request = "".join(f"{row}\n" for _, _, row in lines)
    return {
        **watched_cars.features(request, None),
        "prediction": np.array([float(label) for label, _, _ in lines]),
    }


def digits(count: int = 2000, *, is_inverted: bool = False) -> Columns:
    """The features of pictures but for those of the network, and the label in the place of the prediction."""
    import pyarrow.parquet as pq

    from digits import monitoring
    from digits.pictures import decode, request_line

    table = pq.read_table(DIGITS).slice(0, count)
    pixels = [decode(image["bytes"]) for image in table.column("image").to_pylist()]
    request = "".join(request_line(255 - one if is_inverted else one) for one in pixels)
    features = monitoring.features(request, None)
    own = {name: column for name, column in features.items() if not name.startswith("network_")}
    return {**own, "prediction": [str(label) for label in table.column("label").to_pylist()]}


def hard(random: Random, rows: int) -> Columns:
    """Heavy tails, rare outliers and categories, few values, and values that are often missing."""
    outliers = random.normal(size=rows)
    outliers[random.random(rows) < 0.005] = 1e6
    return {
        "heavy": np.exp(random.normal(0, 3, rows)),
        "cauchy": random.standard_cauchy(rows),
        "outliers": outliers,
        "rarely 1": (random.random(rows) < 0.01).astype(np.float64),
        "few": random.integers(0, 3, rows).astype(np.float64),
        "constant": np.ones(rows),
        "often missing": np.where(random.random(rows) < 0.5, np.nan, random.normal(size=rows)),
        "rare categories": [f"{value}" for value in random.zipf(1.5, rows)],
        "all different": [f"{value}" for value in random.integers(0, 1 << 40, rows)],
    }


def chosen(columns: Columns, places: Places) -> Columns:
    """These rows."""
    return {
        name: column[places] if isinstance(column, np.ndarray) else [column[place] for place in places]
        for name, column in columns.items()
    }


def resamples(columns: Columns, random: Random) -> Iterator[tuple[str, Columns, Columns]]:
    """Pairs of rows that do not differ: kind, baseline, and rows of now."""
    rows = row_count(columns)
    yield "bootstrap", columns, chosen(columns, random.integers(rows, size=rows))
    order = random.permutation(rows)
    for kind, size in {"halves": rows // 2, "100 rows": 100, "30 rows": 30}.items():
        yield kind, chosen(columns, order[size:]), chosen(columns, order[:size])


def count_all(times: int) -> dict[str, int]:
    """Comparisons with any false alarm, by data and kind."""
    random = np.random.default_rng(0)
    samples = {"cars": cars(), "digits": digits()}
    data: dict[str, Callable[[], Columns]] = {
        **{name: partial(dict, columns) for name, columns in samples.items()},
        **{f"hard, {rows:,} rows": partial(hard, random, rows) for rows in (400, 4000)},
    }
    counts: dict[str, int] = {}
    for name, make in data.items():
        for _ in range(times):
            for kind, before, now in resamples(make(), random):
                alarms = bool(drifted(before, now))
                counts[f"{name}: {kind}"] = counts.get(f"{name}: {kind}", 0) + alarms
    return counts


def count_degradations(times: int) -> dict[str, int]:
    """False degradations of a model whose errors are as skewed as squared ones."""
    random = np.random.default_rng(1)
    metric = Metric("mse", "Mean squared error", 0.0)
    counts = {}
    for rows in (20, 60, 400):
        counts[f"{rows} squared errors"] = sum(
            _degraded(metric, random.standard_t(5, (2, rows)) ** 2) for _ in range(times)
        )
    return counts


def _degraded(metric: Metric, values: NDArray[np.float64]) -> bool:
    then = Quality.of(metric, values[0].tolist())
    change = then and quality_change(then, values[1].tolist())
    return bool(change and change.degraded)


def years_apart() -> tuple[Columns, Columns]:
    """The cars until 1976, and those since."""
    columns = cars()
    years = np.asarray(columns["model_year"])
    return chosen(columns, np.flatnonzero(years <= 76)), chosen(columns, np.flatnonzero(years > 76))


def kilograms() -> tuple[Columns, Columns]:
    """All cars, and the same with their weight in kilograms instead of pounds."""
    columns = cars()
    return columns, {**columns, "weight": np.asarray(columns["weight"]) * _POUND}


def inverted() -> tuple[Columns, Columns]:
    """Pictures, and the same with black for white."""
    return digits(), digits(is_inverted=True)


DIFFERENCES = {
    "cars of 1970-1976, then of 1977-1982": years_apart,
    "kilograms for pounds": kilograms,
    "digits, then inverted": inverted,
}


def drifted(before: Columns, now: Columns) -> list[str]:
    """The features that drifted."""
    return compare(Baseline.of(before), now, "").drifted_features


def _table(found: dict[str, Any]) -> str:
    lines = [f"of {found['resamples']} resamples each"]
    for part in ("false_alarms", "degradations", "found"):
        lines += ["", part.replace("_", " ")]
        lines += [f"  {name:40} {value}" for name, value in found[part].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
