"""Writes a model as ONNX and compares it with the native one, as a caller of both would.

Runs only for workloads with `onnx` in their workload.json. The comparison runs in onnxruntime, which also
predicts in browsers and functions; ONNX's own reference takes 36 ms for a picture of 28 x 28 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from common.bundle import Contents
from common.cluster import Cluster, Local
from common.evaluation import OnnxCheck
from common.smoke_test import AnswersDiffer, compare_answers
from common.workload import Workload

Answerer = Callable[[str], str]


class OnnxDiffers(Exception):
    """The ONNX model predicts something else than the native one; `str(error)` says where."""


def export_and_check(
    workload: Workload, bundle: Path, prepared: Path, path: Path, cluster: Cluster
) -> OnnxCheck | None:
    """Write the model of an unpacked bundle to `path`, and compare the two on all test rows.

    Returns None if the workload has no ONNX. Raises OnnxDiffers and UnusableModel.
    """
    if "onnx" not in workload.settings:
        return None
    steps, tolerance = workload.module("evaluate"), float(workload.settings["onnx"]["tolerance"])
    workload.module("export").export(bundle, path)
    files = Contents.read(bundle, steps.MODEL_FILES), Contents.read(path.parent, [path.name])
    if not getattr(steps, "FORKS", False) and isinstance(cluster, Local):
        cluster = Local(workers=1)
    rows, largest = 0, 0.0
    for compared in cluster.map(partial(_compare, workload, *files, tolerance), steps.requests(prepared)):
        rows, largest = rows + compared[0], max(largest, compared[1])
    return OnnxCheck(rows, largest, tolerance, path.stat().st_size)


def _compare(
    workload: Workload, native: Contents, onnx: Contents, tolerance: float, request: str
) -> tuple[int, float]:
    """The number of rows of a request, and the largest difference between the two models' answers."""
    name, content = onnx.files[0]
    expected = _native(workload, native)(request)
    try:
        found = _onnx(workload, content)(request)
        return len(expected.splitlines()), compare_answers(expected, found, tolerance)
    except AnswersDiffer as differ:
        raise OnnxDiffers(f"{name} does not predict what the model predicts: {differ}") from None


@lru_cache(maxsize=1)
def _native(workload: Workload, files: Contents) -> Answerer:
    with files.unpacked() as bundle:
        return workload.answerer(bundle)


@lru_cache(maxsize=1)
def _onnx(workload: Workload, graph: bytes) -> Answerer:
    import onnxruntime

    module, kinds = workload.module("onnx_inference"), workload.settings["model"]
    options = onnxruntime.SessionOptions()
    # As in a browser; several threads would add numbers in another order.
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def answer(request: str) -> str:
        outputs = session.run(names, module.feed(request.encode(), kinds["content_type"]))
        body, _ = module.answer(dict(zip(names, outputs, strict=True)), kinds["accept"])
        return str(body)

    return answer
