"""The hyperparameters of the built-in XGBoost, checked as strictly as the real container checks them.

Names, ranges and the short forms of the messages are those of version 3.2 of the public container
(aws/sagemaker-xgboost-container, ``algorithm_mode/hyperparameter_validation.py``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any


def _words(text: str) -> list[str]:
    return text.split()


class UserError(Exception):
    """A mistake that the user of the algorithm can correct; the message is for them."""


_INTEGERS = {
    "num_round": "[1, +inf)",
    "csv_weights": "[0, 1]",
    "early_stopping_rounds": "[1, +inf)",
    "verbosity": "[0, 3]",
    "nthread": "[1, +inf)",
    "max_depth": "[0, +inf)",
    "refresh_leaf": "[0, 1]",
    "max_leaves": "[0, +inf)",
    "max_bin": "[0, +inf)",
    "one_drop": "[0, 1]",
    "num_class": "[2, +inf)",
    "_kfold": "[2, +inf)",
    "_num_cv_round": "[1, +inf)",
    "seed": "(-2147483648, 2147483647)",
    "num_parallel_tree": "[1, +inf)",
    "prob_buffer_row": "(1, +inf)",
}
_NUMBERS = {
    "eta": "[0, 1]",
    "gamma": "[0, +inf)",
    "min_child_weight": "[0, +inf)",
    "max_delta_step": "[0, +inf)",
    "subsample": "(0, 1]",
    "colsample_bytree": "(0, 1]",
    "colsample_bylevel": "(0, 1]",
    "colsample_bynode": "(0, 1]",
    "lambda": "[0, +inf)",
    "alpha": "[0, +inf)",
    "sketch_eps": "(0, 1)",
    "scale_pos_weight": "(0, +inf)",
    "rate_drop": "[0, 1]",
    "skip_drop": "[0, 1]",
    "lambda_bias": "[0, 1]",
    "tweedie_variance_power": "(1, 2)",
    "base_score": "[0, +inf)",
    "aft_loss_distribution_scale": "[0, +inf)",
}
MAXIMISED_METRICS = _words(
    "accuracy auc aucpr balanced_accuracy f1 f1_binary f1_macro map ndcg precision r2 recall precision_macro "
    "precision_micro recall_macro recall_micro"
)
_MINIMISED_METRICS = _words(
    "aft-nloglik cox-nloglik error gamma-deviance gamma-nloglik interval-regression-accuracy logloss mae "
    "mape merror mlogloss mphe mse poisson-nloglik rmse rmsle tweedie-nloglik"
)
METRICS = [*MAXIMISED_METRICS, *_MINIMISED_METRICS]
_THRESHOLD_METRICS = ("error", "ndcg", "map")
_CHOICES = {
    "booster": "gbtree gblinear dart",
    "tree_method": "auto exact approx hist gpu_hist",
    "dsplit": "row col",
    "process_type": "default update",
    "grow_policy": "depthwise lossguide",
    "predictor": "auto cpu_predictor gpu_predictor",
    "sample_type": "uniform weighted",
    "normalize_type": "tree forest",
    "objective": (
        "aft_loss_distribution binary:logistic binary:logitraw binary:hinge count:poisson multi:softmax "
        "multi:softprob rank:pairwise rank:ndcg rank:map reg:linear reg:squarederror reg:logistic reg:gamma "
        "reg:pseudohubererror reg:squaredlogerror reg:absoluteerror reg:tweedie survival:aft survival:cox"
    ),
    "_tuning_objective_metric": " ".join(f"validation:{metric}" for metric in METRICS),
    "save_model_on_termination": "true false",
    "aft_loss_distribution": "normal logistic extreme",
    "deterministic_histogram": "true false",
    "sampling_method": "uniform gradient_based",
    "use_dask_gpu_training": "true false",
}
_UPDATERS = _words(
    "grow_colmaker distcol grow_histmaker grow_skmaker sync refresh prune grow_quantile_histmaker shotgun "
    "coord_descent"
)
_LITERALS = ("monotone_constraints", "interaction_constraints")
_ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}


def validate(given: Mapping[str, str]) -> dict[str, Any]:
    """The hyperparameters of a training job, parsed from strings, under their canonical names.

    ``eval_metric`` and ``updater`` become lists. Raises UserError for a missing or unknown name, an invalid
    value, a value out of range, and contradicting values.
    """
    named = {_ALIASES.get(name, name): text for name, text in given.items()}
    if "num_round" not in named:
        raise UserError("Missing required hyperparameter: num_round")
    values = {name: _parse(name, text) for name, text in named.items()}
    _check_together(values)
    return values


def _parse(name: str, text: str) -> Any:
    if name in _INTEGERS:
        return _number_within(name, _convert(name, int, text), _INTEGERS[name])
    if name in _NUMBERS:
        return _number_within(name, _convert(name, float, text), _NUMBERS[name])
    if name in _CHOICES:
        return _one_of(name, text, _words(_CHOICES[name]))
    if name == "eval_metric":
        return [_metric(metric) for metric in text.split(",")]
    if name == "updater":
        return [_one_of(name, updater, _UPDATERS) for updater in text.split(",")]
    if name in _LITERALS:
        return _convert(name, ast.literal_eval, text)
    raise UserError(f"Extraneous hyperparameter found: {name}")


def _convert(name: str, convert: Any, text: str) -> Any:
    try:
        return convert(text)
    except (ValueError, SyntaxError) as error:
        raise UserError(
            f"Hyperparameter {name}: could not parse value {text!r} (caused by {type(error).__name__})"
        ) from error


def _number_within(name: str, value: float, interval: str) -> float:
    low, high = (float(bound) for bound in re.sub(r"[\[\]()]", "", interval).split(","))
    too_low = value <= low if interval.startswith("(") else value < low
    too_high = value >= high if interval.endswith(")") else value > high
    if too_low or too_high:
        raise UserError(f"Hyperparameter {name}: {value} is not in {interval}")
    return value


def _one_of(name: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise UserError(f"Hyperparameter {name}: {value} is not in {allowed}")
    return value


def _metric(metric: str) -> str:
    name, at, threshold = metric.partition("@")
    if not at:
        return _one_of("eval_metric", metric, METRICS)
    _one_of("eval_metric", name.strip(), list(_THRESHOLD_METRICS))
    _convert("eval_metric", float, threshold)
    return metric


def _check_together(values: dict[str, Any]) -> None:
    objective = values.get("objective")
    metrics = values.get("eval_metric", [])
    if metrics and objective is None:
        raise UserError("Hyperparameter eval_metric needs the hyperparameter objective")
    if "auc" in metrics and not str(objective).startswith(("binary:", "rank:")):
        raise UserError(
            "Metric 'auc' is only for classification and ranking: objective binary:... or rank:..."
        )
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' is only for the objective survival:aft")
    if str(objective).startswith("multi:") and "num_class" not in values:
        raise UserError(f"Objective {objective} needs the hyperparameter num_class")
    tree_method = values.get("tree_method")
    if "monotone_constraints" in values and tree_method not in ("exact", "hist"):
        raise UserError("monotone_constraints needs tree_method exact or hist")
    if "interaction_constraints" in values and tree_method not in ("exact", "hist", "approx"):
        raise UserError("interaction_constraints needs tree_method exact, hist or approx")
