"""Every folder that claims to be a workload keeps the contract in docs/workloads.md."""

import ast
import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.template.stack import template
from tests.unit.workloads.folders import EXAMPLES, PROCESSING, ROOT, Folder, folders
from tests.unit.workloads.names import metrics

from common.uploads import BadUpload  # isort: skip
from common.workload import find_workloads  # isort: skip
from workload_files import SCHEMA, read_workload  # isort: skip

WORKLOADS = folders(PROCESSING, EXAMPLES)
PARAMETERS = {"MseThreshold": "46.0"}
# The names that a module must define, with the parameters that the generic code passes.
OFFERED: dict[str, dict[str, Any]] = {
    "upload": {"check": ["stream", "name", "whole"]},
    "preprocess": {"prepare": ["upload", "name", "output", "cluster"]},
    "evaluate": {"MODEL_FILES": None, "assemble": ["trained", "prepared", "folder"], "measure": ["folder", "prepared", "cluster"]},
    "inference": {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2},
}  # fmt: skip
MONITORING = {
    "features": ["request", "model"],
    "predictions": ["answer"],
    "keys": ["request"],
    "errors": ["answer", "labels"],
    "sample": ["prepared"],
}
ONNX = {
    "export": ("export", ["folder", "path"]),
    "onnx_inference": ("feed", ["request", "content_type"]),
    "evaluate": ("requests", ["prepared"]),
}
# The libraries of each image that jobs and models may import, besides the standard one.
_DATA = {"numpy", "pandas", "scipy", "sklearn", "joblib"}
# Only jobs on several hosts import them, and the state machine runs only those of the XGBoost image there.
_CLUSTER = {"dask", "distributed"}
LIBRARIES = {
    "scikit-learn": _DATA | {"pyarrow"},
    "xgboost": _DATA | {"xgboost", "pyarrow", "PIL", "matplotlib"},
    "pytorch-training": _DATA | {"torch", "torchvision", "PIL", "pyarrow"},
    "pytorch-inference": _DATA | {"torch", "torchvision", "PIL"},
}
each_workload = pytest.mark.parametrize("folder", WORKLOADS, ids=lambda folder: folder.name)


@each_workload
def test_its_settings_can_be_published(folder: Folder) -> None:
    published = read_workload(folder.path / "workload.json", PARAMETERS)
    # Nothing but defaults and the gate's number is added.
    assert published["tuning"]["objective"] == folder.settings["tuning"]["objective"]


@each_workload
def test_its_settings_name_the_schema_for_editors(folder: Folder) -> None:
    assert (folder.path / folder.settings["$schema"]).resolve() == SCHEMA


@each_workload
def test_its_name_is_free(folder: Folder) -> None:
    """In a Lambda, the functions' packages and Python's own modules precede its folder on the path."""
    packages = {path.name for path in (ROOT / "functions").iterdir()}
    assert folder.name not in packages | sys.stdlib_module_names | {
        "common",
        "run",
        "publish",
        "workload_files",
        "workload_form",
        "packing",
    }


@each_workload
@pytest.mark.parametrize("module", OFFERED)
def test_its_modules_offer_what_the_jobs_and_functions_call(folder: Folder, module: str) -> None:
    defined = definitions(folder.path / f"{module}.py")
    for name, parameters in OFFERED[module].items():
        assert name in defined, f"{module}.py defines no {name}"
        found = defined[name]
        if isinstance(parameters, list):
            assert found == parameters
        elif isinstance(parameters, int):
            assert found is not None
            assert len(found) == parameters


@each_workload
def test_its_rows_can_be_read_with_the_libraries_of_its_preparation(folder: Folder) -> None:
    if (folder.path / "rows.py").exists():
        assert definitions(folder.path / "rows.py")["rows"] == ["path", "name"]
        image = folder.settings["preprocessing"]["image"]
        assert imported(folder, "rows") - sys.stdlib_module_names <= LIBRARIES[image]


@each_workload
def test_the_check_of_an_upload_needs_only_the_standard_library(folder: Folder) -> None:
    paths = f"import sys; sys.path[:0] = [{str(PROCESSING)!r}, {str(folder.path.parent)!r}]"
    # -I -S: neither this project nor any installed package can be imported.
    alone = [sys.executable, "-I", "-S", "-c", f"{paths}; from {folder.name}.upload import check"]
    subprocess.run(alone, check=True)


@each_workload
@pytest.mark.parametrize(
    ("module", "job"),
    [("preprocess", "preprocessing"), ("evaluate", "evaluation"), ("inference", "evaluation"), ("inference", "model")],
)  # fmt: skip
def test_a_job_imports_only_what_its_image_has(folder: Folder, module: str, job: str) -> None:
    image = folder.settings[job]["image"]
    assert imported(folder, module) - sys.stdlib_module_names <= LIBRARIES[image] | _CLUSTER


@pytest.mark.parametrize(
    "folder",
    [each for each in WORKLOADS if (each.path / "monitoring.py").exists()],
    ids=lambda folder: folder.name,
)
def test_it_is_watched_with_the_libraries_of_its_evaluation(folder: Folder) -> None:
    defined = definitions(folder.path / "monitoring.py")
    assert {name: defined.get(name) for name in MONITORING} == MONITORING
    available = LIBRARIES[folder.settings["evaluation"]["image"]]
    assert imported(folder, "monitoring") - sys.stdlib_module_names <= available


@pytest.mark.parametrize(
    "folder", [each for each in WORKLOADS if "onnx" in each.settings], ids=lambda folder: folder.name
)
def test_its_onnx_is_made_with_its_wheels_and_served_with_numpy_alone(folder: Folder) -> None:
    for module, (name, parameters) in ONNX.items():
        assert definitions(folder.path / f"{module}.py")[name] == parameters
    evaluation = folder.settings["evaluation"]
    available = LIBRARIES[evaluation["image"]] | set(evaluation["wheels"])
    assert imported(folder, "export") - sys.stdlib_module_names <= available
    assert imported(folder, "onnx_inference") - sys.stdlib_module_names == {"numpy"}
    assert definitions(folder.path / "onnx_inference.py")["answer"] == ["outputs", "accept"]


@each_workload
def test_a_script_that_trains_imports_only_what_its_image_has(folder: Folder) -> None:
    training = folder.settings["training"]
    if program := training.get("program"):
        module = Path(program).stem
        assert imported(folder, module) - sys.stdlib_module_names <= LIBRARIES[training["image"]]


@each_workload
def test_its_gate_is_a_metric_that_it_measures(folder: Folder) -> None:
    assert folder.settings["gate"]["metric"] in metrics(folder)


@each_workload
def test_a_parameter_of_its_gate_is_one_of_the_stacks(folder: Folder) -> None:
    gate = folder.settings["gate"]
    if name := gate.get("parameter"):
        assert template()["Parameters"][name]["Default"] == gate.get("at_most", gate.get("at_least"))


def garbage() -> Iterator[Any]:
    noise = hashlib.shake_256(b"noise").digest(4096)
    yield pytest.param(b"", id="empty")
    yield pytest.param(b"\n\n\n", id="blank")
    yield pytest.param(noise, id="noise")
    yield pytest.param(b"PAR1" + noise + b"PAR1", id="half a parquet file")
    yield pytest.param(b"PK\x03\x04" + noise, id="a zip archive")
    yield pytest.param(b"<html><body>Sign in</body></html>\n", id="a web page")
    yield pytest.param(b'"' + b"x" * 200_000, id="an open quote")
    yield pytest.param(b"a,b\n" * 50_000, id="another table")


class OneWay(io.RawIOBase):
    """A stream like S3's: it cannot seek, and returns fewer bytes than requested."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._content.readinto(memoryview(buffer)[:1000])


@each_workload
@pytest.mark.parametrize("content", list(garbage()))
def test_an_invalid_file_is_refused_by_name(folder: Folder, content: bytes) -> None:
    check = find_workloads(folder.path.parent)[folder.name].module("upload").check
    with pytest.raises(BadUpload) as refused:
        check(io.BufferedReader(OneWay(content)), "incoming/the file", whole=True)
    message = str(refused.value)
    assert message.startswith("incoming/the file")
    assert len(message) <= 1000
    assert all(line.isprintable() for line in message.splitlines())


def test_every_field_of_the_schema_is_described() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert list(undescribed(schema)) == []


def undescribed(schema: Any, path: str = "") -> Iterator[str]:
    for kind in ("properties", "definitions"):
        for name, field in schema.get(kind, {}).items():
            if "$ref" not in field and not field.get("description"):
                yield f"{path}.{name}"
            yield from undescribed(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from undescribed(schema["items"], f"{path}[]")


def test_the_document_has_every_field_of_the_schema_and_no_other() -> None:
    document = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z_.]+)` \|", document, flags=re.MULTILINE))
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert explained == set(fields(schema, schema["definitions"])) - {"$schema"}


def fields(schema: Any, definitions: Any, path: str = "") -> Iterator[str]:
    """The paths of a workload.json's fields, down to SageMaker's own shapes."""
    for name, field in schema["properties"].items():
        resolved = definitions[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        if resolved.get("properties") and all(inner.islower() for inner in resolved["properties"]):
            yield from fields(resolved, definitions, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def definitions(path: Path) -> dict[str, list[str] | None]:
    """The names that a module defines or imports, with the parameters of its own functions."""
    found: dict[str, list[str] | None] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name, args=given):
                found[name] = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            case ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name: None for alias in names}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = None
    return found


def imported(folder: Folder, module: str) -> set[str]:
    """The top-level packages outside of the project that a module brings in, also through our own ones."""
    outside, seen, waiting = set(), set(), [f"{folder.name}.{module}"]
    while waiting:
        name = waiting.pop()
        path = next(
            (
                p
                for root in (folder.path.parent, PROCESSING)
                if (p := root / f"{name.replace('.', '/')}.py").is_file()
            ),
            None,
        )
        if path is None or name in seen:
            continue
        seen.add(name)
        for found in _imports(path):
            top = found.partition(".")[0]
            if top in (folder.name, "common"):
                waiting.append(found)
            else:
                outside.add(top)
    return outside


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
