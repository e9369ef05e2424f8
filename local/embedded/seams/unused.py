"""What ministack imports and nothing here uses: a tenth of the start, and 13 MB."""

import importlib
import pkgutil
import sys
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import Any

from deploy.sam import use_c_for_yaml
from local.embedded.seams.names import SEAMS

_lock = RLock()
_begun: set[str] = set()


class _Later(ModuleType):
    """Stands in for a module until something in it is asked for, and is that module from then on."""

    def __getattr__(self, name: str) -> Any:
        # Whoever asks while another thread imports it waits; the import itself may ask, too.
        with _lock:
            if not name.startswith("__") and self.__name__ not in _begun:
                _begun.add(self.__name__)
                self.__spec__.loader.exec_module(self)  # type: ignore[union-attr]
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def skip_unused() -> None:
    """Let the services that this folder does not name wait; to be called before ministack is imported."""
    # No container is started here, and the import of Docker's library is a fifth of the start.
    sys.modules["docker"] = None  # type: ignore[assignment]
    # Its reading of templates takes a tenth of the time.
    use_c_for_yaml()
    services = importlib.import_module("ministack.services")
    named = {module for module, _, _ in SEAMS}
    for found in pkgutil.iter_modules(services.__path__, "ministack.services."):
        if not found.ispkg and found.name.removeprefix("ministack.") not in named:
            sys.modules[found.name] = later(found.name)


def later(name: str) -> ModuleType:
    """A stand-in for a module that is installed."""
    spec: Any = find_spec(name)
    stand_in = _Later(name)
    metadata = {"__loader__": spec.loader, "__package__": spec.parent, "__file__": spec.origin}
    stand_in.__dict__.update(__spec__=spec, **metadata)
    return stand_in
