"""The ONNX graph predicts what the native model predicts, to the last bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import xgboost
from numpy.typing import NDArray

from auto_mpg import inference
from auto_mpg.export import export, make_graph
from auto_mpg.features import FEATURES, NUMBERS, Preprocessor
from auto_mpg.inference import Model, model_fn
from auto_mpg.onnx_inference import answer, feed
from common.serving import UnusableModel

UNSCALED = Preprocessor(100.0, (0.0,) * len(NUMBERS), (1.0,) * len(NUMBERS))
ROWS = xgboost.DMatrix(np.ones((2, len(FEATURES))), np.ones(2), nthread=1)


def predict(graph: bytes, request: bytes, accept: str = "text/csv") -> str:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, feed(request, "text/csv"))
    return answer(dict(zip(names, outputs, strict=True)), accept)[0]


def predict_natively(model: Model, request: bytes, accept: str = "text/csv") -> str:
    return inference.output_fn(inference.predict_fn(inference.input_fn(request, "text/csv"), model), accept)[
        0
    ]


def lines(numbers: NDArray[np.float64]) -> bytes:
    """Cars with these numbers, of every origin in turn; NaN is a missing horsepower."""
    texts = [["" if np.isnan(value) else repr(value) for value in row] for row in numbers.tolist()]
    return "\n".join(",".join([*row, str(1 + number % 3)]) for number, row in enumerate(texts)).encode()


def varied(rows: list[dict[str, str]]) -> NDArray[np.float64]:
    """The sample's cars, and ten of each with other numbers, which no training row has."""
    numbers = np.array(
        [[float(row[name.replace("_", " ")].replace("?", "nan")) for name in NUMBERS] for row in rows]
    )
    factors = np.random.default_rng(0).uniform(0.9, 1.1, (10, *numbers.shape))
    factors[..., [0, 5]] = 1  # whole numbers
    return np.vstack([numbers, *(numbers * factors)])


@pytest.mark.parametrize("accept", ["text/csv", "application/json"])
def test_every_car_gets_the_native_prediction(
    accept: str, bundle: Path, tmp_path: Path, sample_rows: list[dict[str, str]]
) -> None:
    export(bundle, tmp_path / "model.onnx")
    request = lines(varied(sample_rows))
    assert b",," in request
    predicted = predict((tmp_path / "model.onnx").read_bytes(), request, accept)
    assert predicted == predict_natively(model_fn(str(bundle)), request, accept)


def test_a_car_on_the_edge_of_a_split_takes_the_same_branch(booster: xgboost.Booster) -> None:
    model = Model(UNSCALED, booster)
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    edges = {abs(np.float32(edge)) for tree in trees for edge in tree["split_conditions"] if edge}
    near = [np.nextafter(edge, np.float32(end)) for edge in edges for end in (-np.inf, np.inf)]
    # A double that rounds to the edge, and one that rounds to its neighbour.
    between = [float(edge) * (1 + shift) for edge in edges for shift in (-5e-8, 5e-8)]
    values = np.array([*edges, *near, *between], np.float64)
    numbers = np.repeat(values[values > 0, np.newaxis], len(NUMBERS), axis=1)
    numbers[:, [0, 5]] = 1
    request = lines(numbers)
    assert predict(make_graph(model).SerializeToString(), request) == predict_natively(model, request)


def test_the_same_model_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    for name in ("once", "again"):
        export(bundle, tmp_path / name)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()


def test_the_tensors_are_those_of_the_catalogue_page(bundle: Path) -> None:
    graph = make_graph(model_fn(str(bundle))).graph
    found = {
        each.name: (
            onnx.TensorProto.DataType.Name(each.type.tensor_type.elem_type),
            each.type.tensor_type.shape.dim[1].dim_value,
        )
        for each in (*graph.input, *graph.output)
    }
    assert found == {"numbers": ("DOUBLE", 6), "origin": ("INT64", 1), "mpg": ("FLOAT", 1)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"booster": "gblinear"}, "only trees with the objective reg:squarederror"),
        ({"objective": "count:poisson"}, "only trees with the objective reg:squarederror"),
    ],
)
def test_a_booster_of_another_kind_is_refused(settings: dict[str, Any], message: str) -> None:
    booster = xgboost.train({"nthread": 1, **settings}, ROWS, 1)
    with pytest.raises(UnusableModel, match=message):
        make_graph(Model(UNSCALED, booster))


def test_a_tree_that_splits_by_categories_is_refused() -> None:
    kinds = ["c"] + ["q"] * (len(FEATURES) - 1)
    values = np.tile(np.arange(20.0)[:, np.newaxis] % 5, len(FEATURES))
    rows = xgboost.DMatrix(values, values[:, 0] == 2, feature_types=kinds, enable_categorical=True, nthread=1)
    booster = xgboost.train({"nthread": 1, "max_cat_to_onehot": 10}, rows, 1)
    with pytest.raises(UnusableModel, match="splits by categories"):
        make_graph(Model(UNSCALED, booster))


def test_a_booster_of_single_leaves_predicts_the_base_score() -> None:
    model = Model(UNSCALED, xgboost.train({"nthread": 1, "base_score": 7.5}, ROWS, 1))
    request = b"8,307,130,3504,12,70,1"
    assert predict(make_graph(model).SerializeToString(), request) == predict_natively(model, request)
