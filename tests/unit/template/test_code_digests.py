"""A change to the code of a workload concerns the steps that run it, and no others."""

from pathlib import Path
from typing import Any

import pytest

from code_digests import step_digests
from packing import read_code
from workload_files import BadWorkload, read_workloads

PROCESSING = Path(__file__).parents[3] / "processing"
SETTINGS = read_workloads(PROCESSING, {"MseThreshold": "46.0"})
CODE = read_code(PROCESSING, SETTINGS)
WHEELS = {"wheels/onnx-1-py3.whl": b"a library"}


def changed_steps(path: str, content: bytes, name: str = "auto_mpg", **settings: Any) -> set[str]:
    """The steps whose digest differs once a file has this content."""
    before = step_digests(name, SETTINGS[name], CODE, WHEELS)
    after = step_digests(name, {**SETTINGS[name], **settings}, {**CODE, path: content}, WHEELS)
    return {step for step, digest in before.items() if after[step] != digest}


def commented(path: str) -> bytes:
    return CODE[path] + b"\n# A comment.\n"


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("auto_mpg/evaluate.py", {"evaluate"}),
        ("auto_mpg/inference.py", {"evaluate"}),
        ("common/evaluating.py", {"evaluate"}),
        ("auto_mpg/preprocess.py", {"preprocess", "evaluate"}),
        ("auto_mpg/fitting.py", {"preprocess", "evaluate"}),
        ("common/splitting.py", {"preprocess", "evaluate"}),
        ("common/preprocessing.py", {"preprocess", "evaluate"}),
        ("__main__.py", {"preprocess", "evaluate"}),
        # Another workload's code, and what jobs do not read.
        ("digits/preprocess.py", set()),
        ("common/workload.schema.json", set()),
        ("auto_mpg/workload.json", set()),
    ],
)
def test_a_change_concerns_the_steps_that_import_it(path: str, steps: set[str]) -> None:
    assert changed_steps(path, commented(path)) == steps


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("digits/train.py", {"tune", "evaluate"}),
        ("digits/checkpoint.py", {"tune", "evaluate"}),
        ("digits/__init__.py", {"preprocess", "tune", "evaluate"}),
        ("digits/preprocess.py", {"preprocess", "evaluate"}),
    ],
)
def test_a_training_program_counts_with_what_it_imports(path: str, steps: set[str]) -> None:
    assert changed_steps(path, commented(path), "digits") == steps


@pytest.mark.parametrize(
    "line",
    [
        b"from auto_mpg import extra",
        b"from auto_mpg.extra import value",
        b"import auto_mpg.extra as other",
        b"from . import extra",
        b"from .extra import value",
        b"from .. import auto_mpg; from ..auto_mpg.extra import value",
        b"def later():\n    from auto_mpg.extra import value",
        b"import importlib; importlib.import_module('auto_mpg.' + 'extra')",
        b"__import__('auto_mpg.extra')",
    ],
)
def test_every_way_to_import_a_module_is_followed(line: bytes) -> None:
    code = {**CODE, "auto_mpg/preprocess.py": line, "auto_mpg/extra.py": b"value = 1"}
    before = step_digests("auto_mpg", SETTINGS["auto_mpg"], code, {})
    after = step_digests("auto_mpg", SETTINGS["auto_mpg"], {**code, "auto_mpg/extra.py": b"value = 2"}, {})
    assert before["preprocess"] != after["preprocess"]


def test_a_workloads_data_file_concerns_every_step_of_its_own_code() -> None:
    assert changed_steps("digits/table.json", b"{}", "digits") == {"preprocess", "tune", "evaluate"}


def test_libraries_concern_the_evaluation_of_a_workload_that_names_any() -> None:
    newer = {"wheels/onnx-2-py3.whl": b"a library"}
    settings = SETTINGS["auto_mpg"]
    with_wheels, without = (
        {**settings, "evaluation": {**settings["evaluation"], "wheels": wheels}} for wheels in (["onnx"], [])
    )
    for found, differs in ((with_wheels, True), (without, False)):
        digests = [step_digests("auto_mpg", found, CODE, wheels) for wheels in (WHEELS, newer)]
        assert (digests[0]["evaluate"] != digests[1]["evaluate"]) is differs
        assert digests[0]["preprocess"] == digests[1]["preprocess"]


def test_a_file_that_moved_is_another_file() -> None:
    code = {**CODE, "digits/renamed.json": b"{}"}
    moved = {**CODE, "digits/other.json": b"{}"}
    first, second = (step_digests("digits", SETTINGS["digits"], found, {}) for found in (code, moved))
    assert first["tune"] != second["tune"]


def test_a_module_that_is_no_python_is_named_with_its_line() -> None:
    with pytest.raises(BadWorkload, match=r"^auto_mpg/preprocess\.py, line 2: this is no Python: "):
        changed_steps("auto_mpg/preprocess.py", b"x = 1\nif x")
