"""Modules that an image lacks are gone from a job, whenever they were imported."""

import sys
from collections import defaultdict
from types import ModuleType

import pytest

from local.sagemaker.engines.warm import hiding


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "modules", {"sys": sys})
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(hiding, "_last", [])
    monkeypatch.setattr(hiding, "_remembered", defaultdict(list))


def load(*names: str) -> None:
    sys.modules.update({name: ModuleType(name) for name in names})


@pytest.mark.parametrize("remembered", [0, 3, 6])
def test_hidden_modules_and_those_below_are_unloaded_and_no_others(remembered: int) -> None:
    names = ["onnx", "onnx.helper", "onnxruntime", "numpy", "numpy.random", "numpy.random.mtrand"]
    load(*names[:remembered])
    if remembered:
        hiding.remember()
    load(*names[remembered:])
    hiding.hide(["onnx", "numpy", "absent"])
    assert list(sys.modules) == ["sys", "onnxruntime"]


def test_a_module_that_was_imported_anew_is_hidden_as_well() -> None:
    load("onnx", "numpy")
    hiding.remember()
    del sys.modules["onnx"]
    load("pandas", "onnx")
    hiding.hide(["onnx"])
    assert list(sys.modules) == ["sys", "numpy", "pandas"]


def test_it_does_not_look_at_what_is_remembered_of_other_packages() -> None:
    looks = []

    class Watched(str):
        def partition(self, separator: str) -> tuple[str, str, str]:
            looks.append(self)
            return super().partition(separator)

    load("onnx", Watched("numpy.random"))
    hiding.remember()
    looks.clear()
    hiding.hide(["onnx"])
    assert list(sys.modules) == ["sys", "numpy.random"]
    assert not looks
