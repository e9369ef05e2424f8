"""The layers of functions/: what each package may import, so that none depends on one above it."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.unit.functions.conftest import ROOT

FUNCTIONS = ROOT / "functions"
# Drawn as arrows from a package to those that it may import.
ARROWS = {
    "shared": set[str](),
    "costs": {"shared"},
    "model": {"costs", "shared"},
    "approval": {"costs", "model", "shared"},
    "runs": {"costs", "model", "shared"},
    "reuse": {"model", "runs", "shared"},
    "release": {"model", "runs", "shared"},
    "retraining": {"runs", "shared"},
    "catalogue": {"approval", "model", "shared"},
    "serving": {"shared"},
    "web": {"approval", "catalogue", "costs", "model", "shared"},
    "monitoring": {"model", "runs", "shared", "web"},
    "reporting": {"approval", "model", "reuse", "runs", "shared", "web"},
    "handlers": {
        *("approval", "catalogue", "costs", "model", "monitoring", "release", "reporting", "retraining"),
        *("reuse", "runs", "serving", "shared", "web"),
    },
}
MODULES = sorted(path for path in FUNCTIONS.rglob("*.py") if path.name != "__init__.py")


@cache
def imports(path: Path) -> frozenset[str]:
    """The absolute names of all that a module imports."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def packages_imported_by(package: str) -> set[str]:
    found = {name.partition(".")[0] for path in (FUNCTIONS / package).glob("*.py") for name in imports(path)}
    return (found & ARROWS.keys()) - {package}


def test_the_packages_are_those_in_the_drawing() -> None:
    assert {path.parent.name for path in FUNCTIONS.glob("*/__init__.py")} == ARROWS.keys()
    assert [path.name for path in FUNCTIONS.glob("*.py")] == []


@pytest.mark.parametrize("package", ARROWS)
def test_a_package_imports_those_below_it_and_uses_every_arrow(package: str) -> None:
    assert packages_imported_by(package) == ARROWS[package]


def test_no_arrow_leads_back() -> None:
    assert list(TopologicalSorter(ARROWS).static_order())[-1] == "handlers"


def test_no_module_leads_back_to_itself() -> None:
    names = {".".join(path.relative_to(FUNCTIONS).with_suffix("").parts): path for path in MODULES}
    graph = {
        name: {other for other in names for found in imports(path) if f"{found}.".startswith(f"{other}.")}
        for name, path in names.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(names)


@pytest.mark.parametrize("handler", sorted((FUNCTIONS / "handlers").glob("[a-z]*.py")), ids=lambda p: p.stem)
def test_a_handler_is_thin_and_imports_no_other(handler: Path) -> None:
    assert not [name for name in imports(handler) if name.startswith("handlers")]
    assert len(handler.read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.parametrize("package", ARROWS)
def test_a_package_has_a_docstring_and_no_code(package: str) -> None:
    tree = ast.parse((FUNCTIONS / package / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_module_knows_a_workload_a_metric_or_a_domain(module: Path) -> None:
    """Including comments and docstrings: the machine is the same for all workloads."""
    words = {"auto_mpg", "mse", "rmse", "accuracy", "car", "cars", "horsepower", "miles", "mnist"}
    text = module.read_text(encoding="utf-8").lower()
    assert '"digits"' not in text
    assert not words & set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
