"""SAM's transform, which ministack imports when a template asks for it."""

import importlib
import os
import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from local.embedded.transforms import Template, Transforms

_PACKAGE = "samtranslator.translator"
_MODULE = f"{_PACKAGE}.transform"


def install_transforms(folder: Path) -> None:
    """Keep in a folder what SAM's transform made of templates, for this and other servers."""
    stand_in: Any = ModuleType(_MODULE)
    stand_in.transform = Transforms(folder, os.environ["AWS_ENDPOINT_URL"], _transform)
    sys.modules[_MODULE] = stand_in


def _transform(template: Template, parameters: dict[str, Any], policies: Any) -> Template:
    made: Template = _module().transform(template, parameters, policies)
    return made


@cache
def _module() -> Any:
    """The module itself, which is imported beside the one that stands in for it."""
    spec: Any = PathFinder.find_spec(_MODULE, importlib.import_module(_PACKAGE).__path__)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
