"""The models that the page is tested with: real ones of fields, and a small one that tells two strokes apart."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.channels import read_channel

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "processing"))

STROKES = ("bar", "pole")
# A picture of its own size, as a third workload might have it.
STROKES_FORM: dict[str, Any] = {
    "kind": "drawing",
    "width": 16,
    "height": 16,
    "center": True,
    "tensor": {"name": "pictures", "type": "float32"},
    "output": {"tensor": "chances", "labels": list(STROKES)},
}


@dataclass(frozen=True)
class Built:
    """A model as the catalogue has it: its graph and its evaluation."""

    graph: bytes
    evaluation: dict[str, Any]


def entry(workload: str, version: int, built: Built, form: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A model in models.json."""
    digest = f"sha256:{hashlib.sha256(built.graph).hexdigest()}"
    return {
        "workload": workload,
        "title": built.evaluation["title"],
        "description": "Predicts from what is entered",
        "version": version,
        "package_arn": f"arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--{workload}/{version}",
        "approved_at": f"2026-11-{version + 10}T09:30:00Z",
        "approved_by": "Ada Lovelace",
        "live": False,
        "live_since": None,
        "metrics": built.evaluation["metrics"],
        "gate": built.evaluation["gate"],
        "formats": {
            "native": {"digest": f"sha256:{'0' * 64}", "bytes": 4321},
            "onnx": {"digest": digest, "bytes": len(built.graph)},
        },
        "form": form,
        **changes,
    }


def form_of(workload: str) -> dict[str, Any]:
    """The form in a workload's settings."""
    form: dict[str, Any] = json.loads((ROOT / "processing" / workload / "workload.json").read_text())["form"]
    return form


def cars(folder: Path, rounds: int) -> tuple[Built, Path]:
    """A model of cars, trained, evaluated and exported by the workload's own code, and its bundle."""
    import xgboost

    from auto_mpg import evaluate, export, preprocess
    from auto_mpg.inference import BOOSTER, PREPROCESSOR, XGBOOST_VERSION
    from common.bundle import serving_code
    from common.cluster import Local
    from common.evaluation import Evaluation, Gate

    prepared, bundle = folder / "prepared", folder / "bundle"
    bundle.mkdir(parents=True)
    preprocess.prepare(ROOT / "data" / "auto-mpg.csv", "auto-mpg.csv", prepared, Local(workers=1))
    train = read_channel(prepared / "train")
    settings = {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0]), rounds)
    (bundle / BOOSTER).write_bytes(bytes(booster.save_raw("ubj")))
    (bundle / PREPROCESSOR).write_bytes((prepared / "preprocessor.json").read_bytes())
    (bundle / XGBOOST_VERSION).write_text(xgboost.__version__ + "\n")
    for name, content in serving_code("auto_mpg").items():
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(content)
    measured = evaluate.measure(bundle, prepared, Local())
    found = Evaluation(
        title="Fuel economy of cars",
        metrics=measured.metrics,
        gate=Gate("mse", at_most=46.0),
        baseline=measured.baseline,
        figures=measured.figures,
    )
    export.export(bundle, folder / "model.onnx")
    return Built((folder / "model.onnx").read_bytes(), found.to_json()), bundle


def strokes() -> Built:
    """Tells a bar from a pole by the ink in the middle rows and columns."""
    band = np.zeros((16, 16), np.float32)
    band[6:10, :] += 1
    band[:, 6:10] -= 1
    weights = np.stack([band.ravel(), -band.ravel()], axis=1) / 255 / 8
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["pictures"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["chances"]),
        ],
        "strokes",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 16, 16])],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    evaluation = {
        "title": "Strokes",
        "metrics": [{"name": "hits", "label": "Hits", "value": 0.99, "unit": "", "better": "higher"}],
        "gate": {"metric": "hits", "at_least": 0.9},
        "figures": [
            {"kind": "matrix", "title": "Hits and misses", "caption": "", "x_label": "predicted", "y_label": "actual",
             "labels": list(STROKES), "counts": [[9, 1], [0, 10]]},
            {"kind": "bars", "title": "Hits of each", "caption": "", "rows": [["bar", 0.9], ["pole", 1.0]]},
        ],
    }  # fmt: skip
    return Built(made.SerializeToString(), evaluation)


def run(graph: bytes, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The first output of a graph, outside of a browser."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found: NDArray[Any] = session.run(None, feeds)[0]
    return found
