"""Reads every workload.json for the deployment: validates it, fills in its defaults, and sets its gate.

A gate may take its limit from one of the stack's parameters.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

from common.workload import FILE
from workload_form import find_problem

SCHEMA = Path(__file__).parent / "common" / "workload.schema.json"
MODULES = ("upload", "preprocess", "evaluate", "inference")
ONNX_MODULES = ("export", "onnx_inference")
# In SageMaker's names, "_" becomes "-", and a name must not end with "-".
_NAME = re.compile(r"[a-z](?:_?[a-z0-9])*")
_LONGEST_NAME = 31

Settings = dict[str, Any]


class BadWorkload(Exception):
    """A workload cannot be deployed; the message names the file, the place in it and the way out."""


def read_workloads(folder: Path, parameters: Mapping[str, str]) -> dict[str, Settings]:
    """The settings of every workload in the folder by name, ready to publish. Raises BadWorkload."""
    files = sorted(folder.glob(f"*/{FILE}"))
    if not files:
        raise BadWorkload(f"there is no workload: no folder of {folder.name}/ has a {FILE}")
    return {file.parent.name: read_workload(file, parameters) for file in files}


def read_workload(file: Path, parameters: Mapping[str, str]) -> Settings:
    """The settings in a workload.json, ready to publish. Raises BadWorkload."""
    try:
        settings = _checked(_parsed(file))
        _check_folder(file.parent)
        _check_training(settings, file.parent)
        _check_onnx(settings, file.parent)
        _check_form(settings)
        return settings | {"gate": _gate(settings["gate"], parameters)}
    except BadWorkload as problem:
        raise BadWorkload(f"{file.parent.name}/{file.name}: {problem}") from None


@cache
def _validator() -> Callable[[object], Any]:
    validator: Callable[[object], Any] = fastjsonschema.compile(
        json.loads(SCHEMA.read_text(encoding="utf-8"))
    )
    return validator


def _parsed(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadWorkload(f"line {error.lineno}: this is no JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise BadWorkload("this is not encoded in UTF-8") from None


def _checked(content: Any) -> Settings:
    """The valid content, with the schema's defaults."""
    try:
        settings: Settings = _validator()(content)
    except fastjsonschema.JsonSchemaValueException as error:
        problem = re.sub(r"^data\.?", "", error.message).strip()
        raise BadWorkload(f"{problem}. {error.definition.get('description', '')}".strip()) from None
    return settings


def _check_folder(folder: Path) -> None:
    if not _NAME.fullmatch(folder.name) or len(folder.name) > _LONGEST_NAME:
        raise BadWorkload(
            f"a workload's folder is named with at most {_LONGEST_NAME} lower-case letters, digits and "
            "single underscores, a letter first"
        )
    missing = [f"{name}.py" for name in MODULES if not (folder / f"{name}.py").is_file()]
    if missing:
        raise BadWorkload(f"beside it there is no {' and no '.join(missing)}")


def _check_training(settings: Settings, folder: Path) -> None:
    training, tuning = settings["training"], settings["tuning"]
    metrics = [definition["Name"] for definition in training["metric_definitions"]]
    if training["program"] is None:
        if metrics:
            raise BadWorkload("training.metric_definitions: a built-in algorithm has its own; leave them out")
    else:
        _check_program(training["program"], folder)
        if tuning["objective"]["MetricName"] not in metrics:
            raise BadWorkload(
                f"training.metric_definitions: none is named {tuning['objective']['MetricName']}, "
                "the metric of tuning.objective"
            )
    _refuse_repeated(_names(tuning["ranges"]), training["hyperparameters"])


def _check_form(settings: Settings) -> None:
    if "form" in settings and (problem := find_problem(settings["form"])):
        raise BadWorkload(problem)


def _check_program(program: str, folder: Path) -> None:
    if not program.startswith(f"{folder.name}/"):
        raise BadWorkload(
            f"training.program: {program} lies in another folder; name a file of {folder.name}/"
        )
    if not (folder.parent / program).is_file():
        raise BadWorkload(f"training.program: there is no file {program}")


def _check_onnx(settings: Settings, folder: Path) -> None:
    if "onnx" not in settings:
        return
    missing = [f"{name}.py" for name in ONNX_MODULES if not (folder / f"{name}.py").is_file()]
    if missing:
        raise BadWorkload(f"onnx: beside it there is no {' and no '.join(missing)}")
    if "onnxruntime" not in settings["evaluation"]["wheels"]:
        raise BadWorkload("onnx: the evaluation checks it with onnxruntime; add that to evaluation.wheels")


def _names(ranges: Mapping[str, Iterable[Mapping[str, str]]]) -> list[str]:
    return [searched["Name"] for of_a_kind in ranges.values() for searched in of_a_kind]


def _refuse_repeated(searched: list[str], static: Mapping[str, str]) -> None:
    for name in searched:
        if searched.count(name) > 1 or name in static:
            raise BadWorkload(f"tuning.ranges: {name} has a value or a range elsewhere; keep one of them")


def _gate(gate: Mapping[str, Any], parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The gate, with the value of the stack's parameter if it names one."""
    name = gate.get("parameter")
    if name is None:
        return gate
    if name not in parameters:
        known = ", ".join(sorted(parameters)) or "none"
        raise BadWorkload(
            f"gate.parameter: the deployment hands over no parameter {name}; it hands over: {known}"
        )
    limit = "at_most" if "at_most" in gate else "at_least"
    return {**gate, limit: _number(name, parameters[name])}


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadWorkload(f"gate.parameter: {name} is {text[:40]!r}, which is no number")
    return number
