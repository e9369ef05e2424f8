from __future__ import annotations

from typing import Any

import pytest

from local.sagemaker.engines.hyperparameters import UserError, validate

ENOUGH = {"num_round": "10", "objective": "reg:squarederror"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_depth", "5", 5),
        ("eta", "0.2", 0.2),
        ("eta", "1", 1.0),
        ("alpha", "1e-2", 0.01),
        ("seed", "-7", -7),
        ("eval_metric", "rmse,mae,error@0.7", ["rmse", "mae", "error@0.7"]),
        ("tree_method", "hist", "hist"),
        ("updater", "grow_colmaker,prune", ["grow_colmaker", "prune"]),
    ],
)
def test_texts_are_parsed(name: str, text: str, value: Any) -> None:
    assert validate(ENOUGH | {name: text})[name] == value


def test_xgboosts_other_names_are_understood() -> None:
    values = validate(
        ENOUGH | {"learning_rate": "0.1", "reg_alpha": "2", "reg_lambda": "3", "min_split_loss": "4"}
    )

    assert values == {
        "num_round": 10,
        "objective": "reg:squarederror",
        "eta": 0.1,
        "alpha": 2.0,
        "lambda": 3.0,
        "gamma": 4.0,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": "reg:squarederror"}, "Missing required hyperparameter: num_round"),
        (ENOUGH | {"random_state": "1"}, "Extraneous hyperparameter found: random_state"),
        (ENOUGH | {"device": "cpu"}, "Extraneous hyperparameter found: device"),
        (ENOUGH | {"max_depth": "5.0"}, "Hyperparameter max_depth: could not parse value '5.0'"),
        (ENOUGH | {"eta": "fast"}, "Hyperparameter eta: could not parse value 'fast'"),
        (ENOUGH | {"alpha": "-1"}, "Hyperparameter alpha: -1.0 is not in [0, +inf)"),
        (ENOUGH | {"eta": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
        (ENOUGH | {"subsample": "0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
        (ENOUGH | {"tweedie_variance_power": "2"}, "2.0 is not in (1, 2)"),
        (ENOUGH | {"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        (ENOUGH | {"objective": "reg:cubederror"}, "Hyperparameter objective: reg:cubederror is not in ["),
        (ENOUGH | {"eval_metric": "rmse,speed"}, "Hyperparameter eval_metric: speed is not in ["),
        (ENOUGH | {"eval_metric": "rmse@0.5"}, "Hyperparameter eval_metric: rmse is not in ['error',"),
        (ENOUGH | {"eval_metric": "auc"}, "Metric 'auc' is only for classification"),
        ({"num_round": "1", "eval_metric": "rmse"}, "eval_metric needs the hyperparameter objective"),
        (ENOUGH | {"objective": "multi:softmax"}, "needs the hyperparameter num_class"),
        (ENOUGH | {"monotone_constraints": "(1, -1)"}, "monotone_constraints needs tree_method"),
        (ENOUGH | {"monotone_constraints": "(1,"}, "could not parse value '(1,'"),
    ],
)
def test_what_the_container_refuses_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as refused:
        validate(given)
    assert message in str(refused.value)
