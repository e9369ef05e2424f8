"""The alternative to the pipeline: one script, one process, the same machine-learning work.

Reads the CSV, prepares it, runs 10 trials of a Bayesian search over XGBoost, evaluates the best model on rows
it has not seen, predicts the batch, and writes the model as ONNX, which must predict the same in onnxruntime.
The function that writes the trees is the pipeline's own.
`python benchmarks/plain_script.py data/auto-mpg.csv predictions.csv` prints the test MSE.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import xgboost as xgb
from onnx import TensorProto, helper
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

sys.path.insert(0, str(Path(__file__).parents[1] / "processing"))
from auto_mpg.trees import trees_node

TRIALS = 10
FIXED = {"objective": "reg:squarederror", "eval_metric": "rmse", "max_depth": 5, "eta": 0.2, "nthread": 1}
NUMBERS = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "model year"]

Split = tuple[pd.DataFrame, pd.Series]


def main(source: str, destination: str) -> None:
    cars = pd.read_csv(source, na_values="?").dropna(subset=["mpg"])
    cars = cars.iloc[np.argsort(pd.util.hash_pandas_object(cars, index=False).to_numpy())]
    cuts = [int(len(cars) * 0.7), int(len(cars) * 0.85)]
    train, validation, test = cars[: cuts[0]], cars[cuts[0] : cuts[1]], cars[cuts[1] :]
    matrices = [prepared(part, train) for part in (train, validation, test)]
    best = search(matrices[0], matrices[1])
    predicted = best.predict(matrices[2])
    mse = float(np.mean((predicted - test["mpg"].to_numpy()) ** 2))
    test.drop(columns="mpg").assign(prediction=predicted).to_csv(destination, index=False)
    check_onnx(best, matrices[2], predicted)
    print(f"{mse:.3f}")


def prepared(part: pd.DataFrame, train: pd.DataFrame) -> xgb.DMatrix:
    """Imputed, standardised and one-hot encoded, fitted on the training rows."""
    filled = part[NUMBERS].fillna(train[NUMBERS].median())
    standard = (filled - train[NUMBERS].mean()) / train[NUMBERS].std()
    origins = pd.get_dummies(pd.Categorical(part["origin"], categories=[1, 2, 3]), dtype=float)
    return xgb.DMatrix(np.hstack([standard.to_numpy(), origins.to_numpy()]), label=part["mpg"])


def check_onnx(booster: xgb.Booster, rows: xgb.DMatrix, predicted: Any) -> None:
    """Write the booster as ONNX and predict the rows with it."""
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["cars", rows.num_col()])
    output = helper.make_tensor_value_info("mpg", TensorProto.FLOAT, ["cars", 1])
    graph = helper.make_graph([trees_node(booster, "features", "mpg")], "cars", [features], [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answers,) = session.run(["mpg"], {"features": rows.get_data().toarray().astype(np.float32)})
    if not np.allclose(answers[:, 0], predicted, atol=1e-4):
        raise SystemExit("the ONNX model predicts something else")


def search(train: xgb.DMatrix, validation: xgb.DMatrix) -> xgb.Booster:
    """The best of 10 boosters, alpha and lambda chosen by expected improvement on a logarithmic scale."""
    random = np.random.default_rng(1)
    tried: list[Any] = []
    scores: list[float] = []
    boosters: list[xgb.Booster] = []
    for _ in range(TRIALS):
        point = suggest(np.array(tried), np.array(scores), random)
        alpha, lambda_ = 10 ** (point * 3 - 2)
        result: dict[str, Any] = {}
        boosters.append(
            xgb.train(
                {**FIXED, "alpha": alpha, "lambda": lambda_},
                train,
                num_boost_round=50,
                evals=[(train, "train"), (validation, "validation")],
                evals_result=result,
                verbose_eval=False,
            )
        )
        tried.append(point)
        scores.append(result["validation"]["rmse"][-1])
    return boosters[int(np.argmin(scores))]


def suggest(tried: Any, scores: Any, random: np.random.Generator) -> Any:
    """The next point of the unit square."""
    candidates = random.random((512, 2))
    if len(scores) < 3:
        return candidates[0]
    process = GaussianProcessRegressor(Matern(nu=2.5), normalize_y=True, alpha=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process.fit(tried, scores)
    mean, deviation = process.predict(candidates, return_std=True)
    better = scores.min() - mean
    scaled = better / np.maximum(deviation, 1e-9)
    return candidates[int(np.argmax(better * norm.cdf(scaled) + deviation * norm.pdf(scaled)))]


if __name__ == "__main__":
    main(*sys.argv[1:])
