"""The built-in XGBoost algorithm: ``("-m", "local.sagemaker.engines.xgboost_algorithm", "<root>")``.

``<root>`` takes the place of /opt/ml. Reads ``<root>/input/config/hyperparameters.json`` (an object of
strings), ``inputdataconfig.json`` (``{"train": {"ContentType": "text/csv", ...}, "validation": {...}}``) and
``resourceconfig.json`` (the hosts that train together), as SageMaker writes them, and the channels' files
under ``<root>/input/data/<channel>/``. Writes ``<root>/model/xgboost-model`` (UBJSON, as xgboost 3.2 does for
a name without a suffix). A failure ends the process with code 1 and its message in ``<root>/output/failure``.
SIGTERM ends it quietly.

xgboost reads the files with the same function as in the real container, so the traps are the same: a header
line becomes a row with label 0, an empty label becomes 0, an index column becomes the label, text becomes a
missing value. Refused as unsupported: content types other than csv and parquet, cross validation, GPUs, and
the classification metrics that only the container adds to xgboost's own.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import xgboost
from numpy.typing import NDArray

from local.sagemaker.engines.hyperparameters import MAXIMISED_METRICS, UserError, validate
from local.sagemaker.engines.xgboost_data import check_channels, has_data, load_channel, no_data
from local.sagemaker.engines.xgboost_hosts import Cluster, connected, read_cluster, those_with_data

MODEL_NAME = "xgboost-model"
METRICS_OF_THE_CONTAINER = ("mse", "r2")
UNSUPPORTED_METRICS = frozenset(MAXIMISED_METRICS) - {"auc", "aucpr", "map", "ndcg", "r2"}
NOT_PARAMETERS = frozenset(
    {
        "_tuning_objective_metric",
        "csv_weights",
        "early_stopping_rounds",
        "eval_metric",
        "num_round",
        "save_model_on_termination",
        "updater",
        "use_dask_gpu_training",
    }
)
NOISE = "(?s).*(Text file input has been deprecated|Saving model in the UBJSON format)"


def main(root: Path) -> int:
    """Train in ``root``; returns the exit code."""
    warnings.filterwarnings("ignore", message=NOISE)
    try:
        train(root)
    except (UserError, xgboost.core.XGBoostError) as error:
        message = str(error).split("\nStack trace")[0].strip()
        print(message, file=sys.stderr)
        (root / "output").mkdir(parents=True, exist_ok=True)
        (root / "output/failure").write_text(message)
        return 1
    return 0


def leave_quietly(*_: object) -> NoReturn:
    os._exit(0)


def train(root: Path) -> None:
    config = root / "input/config"
    values = validate(json.loads((config / "hyperparameters.json").read_text()))
    refuse_unsupported(values)
    channels = json.loads((config / "inputdataconfig.json").read_text())
    check_channels(channels)
    cluster = read_cluster(config)
    wanted = [channel for channel in ("train", "validation") if channel in channels]
    missing = [channel for channel in wanted if not has_data(root, channel)]
    if missing and len(cluster.hosts) == 1:
        raise no_data(root, missing[0])
    content_type, weights = channels["train"]["ContentType"], values.get("csv_weights") == 1
    watched = [
        (load_channel(root, channel, content_type, weights=weights), channel)
        for channel in wanted
        if channel not in missing
    ]
    if len(cluster.hosts) > 1:
        cluster = join(cluster, missing)
    if not missing:
        with connected(cluster):
            boost(values, watched, root / "model", is_master=cluster.is_master)


def join(cluster: Cluster, missing: list[str]) -> Cluster:
    """The hosts that train; this one does not if it has channels without data."""
    log(f"Distributed node training with {len(cluster.hosts)} hosts: {list(cluster.hosts)}")
    for channel in missing:
        word = "training" if channel == "train" else channel
        log(f"Host {cluster.current} does not have {word} data.", "WARNING")
    others = those_with_data(cluster, has_data=not missing)
    if missing:
        log(f"Host {cluster.current} not being used for distributed training.", "WARNING")
    return others


def log(message: str, level: str = "INFO") -> None:
    now = datetime.datetime.now(datetime.UTC)
    print(f"[{now:%Y-%m-%d:%H:%M:%S}:{level}] {message}")


def refuse_unsupported(values: Mapping[str, Any]) -> None:
    wanted = {*values.get("eval_metric", ()), tuning_metric(values)}
    if metrics := sorted(UNSUPPORTED_METRICS.intersection(wanted)):
        raise UserError(f"The metric {', '.join(metrics)} is not supported locally")
    if "_kfold" in values or values.get("use_dask_gpu_training") == "true":
        raise UserError("_kfold and use_dask_gpu_training are not supported locally")


def tuning_metric(values: Mapping[str, Any]) -> str | None:
    """The metric of a tuning job without its data set: ``rmse`` of ``validation:rmse``."""
    given: str | None = values.get("_tuning_objective_metric")
    return given.partition(":")[2] if given else None


def boost(
    values: Mapping[str, Any], watched: list[tuple[xgboost.DMatrix, str]], folder: Path, *, is_master: bool
) -> None:
    """Train on the first of the watched data sets, and save the model if this host is the master."""
    matrix, *others = (matrix for matrix, _ in watched)
    log(f"Train matrix has {matrix.num_row()} rows and {matrix.num_col()} columns")
    for validation in others:
        log(f"Validation matrix has {validation.num_row()} rows")
    folder.mkdir(parents=True, exist_ok=True)
    metrics = metrics_of(values)
    added = [metric for metric in metrics if metric in METRICS_OF_THE_CONTAINER]
    booster = xgboost.train(
        parameters_of(values) | eval_metric_of(metrics),
        matrix,
        num_boost_round=values["num_round"],
        evals=watched,
        custom_metric=(lambda predictions, data: measure(added, predictions, data)) if added else None,
        callbacks=callbacks_of(values, folder if is_master else None, validates=bool(others)),
        verbose_eval=False,
    )
    if is_master:
        booster.save_model(folder / MODEL_NAME)


def parameters_of(values: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in values.items() if name not in NOT_PARAMETERS}
    return own | ({"updater": ",".join(values["updater"])} if "updater" in values else {})


def metrics_of(values: Mapping[str, Any]) -> list[str]:
    named: list[str] = values.get("eval_metric", [])
    objective_metric = tuning_metric(values)
    return sorted({*named, objective_metric}) if objective_metric else named


def eval_metric_of(metrics: list[str]) -> dict[str, Any]:
    """The metric to measure; by default, xgboost's metric for the objective."""
    own = [metric for metric in metrics if metric not in METRICS_OF_THE_CONTAINER]
    return {"eval_metric": own} if own else {}


def callbacks_of(values: Mapping[str, Any], model_folder: Path | None, *, validates: bool) -> list[Any]:
    """What happens after each round; only with a folder is the newest model kept there."""
    callbacks: list[Any] = [xgboost.callback.EvaluationMonitor()]
    if model_folder is not None and values.get("save_model_on_termination") == "true":
        callbacks.append(SaveEachRound(model_folder))
    rounds = values.get("early_stopping_rounds")
    metric = tuning_metric(values) or next(reversed(values.get("eval_metric", [])), None)
    if rounds and metric and validates:
        stopping = xgboost.callback.EarlyStopping(
            rounds=rounds,
            metric_name=metric,
            data_name="validation",
            maximize=metric in MAXIMISED_METRICS,
            save_best=True,
        )
        callbacks.append(stopping)
    return callbacks


def measure(
    metrics: list[str], predictions: NDArray[np.float32], data: xgboost.DMatrix
) -> list[tuple[str, float]]:
    """The container's additional metrics of one data set."""
    labels = data.get_label()
    squares = float(np.mean((labels - predictions) ** 2, dtype=float))
    variance = float(np.var(labels, dtype=float))
    known = {"mse": squares, "r2": 1 - squares / variance if variance else 0.0}
    return [(metric, known[metric]) for metric in metrics]


class SaveEachRound(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Saves the newest model atomically after each round, in case training is stopped halfway."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        with tempfile.TemporaryDirectory(dir=self._folder.parent) as aside:
            model.save_model(Path(aside) / MODEL_NAME)
            (Path(aside) / MODEL_NAME).replace(self._folder / MODEL_NAME)
        return False


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave_quietly)
    sys.exit(main(Path(sys.argv[1])))
