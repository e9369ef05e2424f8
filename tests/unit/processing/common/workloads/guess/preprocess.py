"""The first half of the numbers trains, the last two validate and test."""

from pathlib import Path

from common.cluster import Cluster
from common.preprocessing import Prepared

from . import upload as rules


def prepare(upload: Path, name: str, output: Path, cluster: Cluster) -> Prepared:
    with upload.open("rb") as stream:
        count = rules.check(stream, name).rows or 0
    numbers = upload.read_text().split()
    parts = {"train": numbers[:-2], "validation": numbers[-2:-1], "test": numbers[-1:], "batch": numbers[-1:]}
    for part, lines in parts.items():
        (output / part).mkdir(parents=True, exist_ok=True)
        (output / part / f"{part}.csv").write_text("".join(f"{line}\n" for line in lines))
    rows = {"uploaded": count, "labelled": count, "unlabelled": 0}
    shares = {part: len(lines) for part, lines in parts.items()}
    return Prepared(rows | shares, warnings=["these are few numbers"], report={"largest": max(numbers)})
