"""Writes the whole model of a car's fuel economy as one ONNX graph, from its raw numbers to mpg.

Composed by hand: XGBoost's trees split exactly at values of the training data, so a car that is standardised
in float32, as a converter of the whole pipeline does it, may take the other branch, and its prediction is
then off by up to 4 mpg. As in `features.py`, the numbers are therefore doubles until the trees read them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from auto_mpg import inference
from auto_mpg.car import ORIGINS
from auto_mpg.features import NUMBERS as COLUMNS
from auto_mpg.features import Preprocessor
from auto_mpg.onnx_inference import MPG, NUMBERS, ORIGIN
from auto_mpg.trees import trees_node

# The oldest that have all the operators: every runtime of the last years reads them.
_OPSETS = {"": 17, "ai.onnx.ml": 3}
_IR_VERSION = 8


def export(folder: Path, path: Path) -> None:
    """Write the model of an unpacked bundle; the same model always gives the same bytes.

    The graph takes `numbers`, float64 (cars, 6) with NaN for a missing horsepower, and `origin`, int64
    (cars, 1), and returns `mpg`, float32 (cars, 1). Raises UnusableModel.
    """
    path.write_bytes(make_graph(inference.model_fn(str(folder))).SerializeToString(deterministic=True))


def make_graph(model: inference.Model) -> ModelProto:
    """The graph of a model. Raises UnusableModel."""
    graph = helper.make_graph(
        [*_feature_nodes(), trees_node(model.booster, "features", MPG)],
        "auto_mpg",
        [
            helper.make_tensor_value_info(NUMBERS, TensorProto.DOUBLE, ["cars", len(COLUMNS)]),
            helper.make_tensor_value_info(ORIGIN, TensorProto.INT64, ["cars", 1]),
        ],
        [helper.make_tensor_value_info(MPG, TensorProto.FLOAT, ["cars", 1])],
        [numpy_helper.from_array(value, name) for name, value in _constants(model.preprocessor).items()],
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()],
        ir_version=_IR_VERSION,
        producer_name="auto_mpg",
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def _constants(preprocessor: Preprocessor) -> dict[str, NDArray[np.generic]]:
    return {
        "missing_horsepower": np.array(preprocessor.missing_horsepower),
        "means": np.array(preprocessor.means),
        "scales": np.array(preprocessor.scales),
        "origins": np.array(list(ORIGINS.values()), np.int64),
    }


def _feature_nodes() -> list[NodeProto]:
    """The arithmetic of `Preprocessor.features`."""
    return [
        helper.make_node("IsNaN", [NUMBERS], ["missing"]),
        helper.make_node("Where", ["missing", "missing_horsepower", NUMBERS], ["filled"]),
        helper.make_node("Sub", ["filled", "means"], ["centred"]),
        helper.make_node("Div", ["centred", "scales"], ["standardised"]),
        helper.make_node("Cast", ["standardised"], ["standardised_32"], to=TensorProto.FLOAT),
        helper.make_node("Equal", [ORIGIN, "origins"], ["is_origin"]),
        helper.make_node("Cast", ["is_origin"], ["is_origin_32"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["standardised_32", "is_origin_32"], ["features"], axis=1),
    ]
