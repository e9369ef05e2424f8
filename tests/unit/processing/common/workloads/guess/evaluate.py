"""How far the test numbers are from the mean."""

from pathlib import Path

from common.bundle import read_files
from common.cluster import Cluster
from common.evaluation import Bars, Baseline, Measurement, Metric
from common.smoke_test import smoke_test

from . import inference
from .inference import MODEL_FILES

__all__ = ["MODEL_FILES", "assemble", "measure"]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    (folder / "mean.txt").write_bytes(read_files(trained, {"mean.txt"})["mean.txt"])


def measure(folder: Path, prepared: Path, cluster: Cluster) -> Measurement:
    mean = inference.model_fn(str(folder))
    [number] = (prepared / "test" / "test.csv").read_text().split()
    miss = abs(mean - float(number))
    return Measurement(
        metrics=[Metric("miss", "Distance to the test number", miss), Metric("mean", "Mean", mean)],
        baseline=Baseline("guessing nothing", float(number)),
        model_quality={"regression_metrics": {"mae": {"value": miss}}},
        figures=[Bars("Numbers", "", [("test", float(number))])],
        batch_columns=["number", "guess"],
        warnings=["a guess"],
        smoke_test=smoke_test(inference, mean, [number], "text/csv", "text/csv"),
        gate_values=[miss],
    )
