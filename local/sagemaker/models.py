"""botocore's models of the services, each read only once, and without their documentation, which is more than
half of them."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel
from botocore.session import Session

_ENDINGS: Mapping[str, Callable[..., Any]] = {".json": open, ".json.gz": gzip.open}


class _PlainFiles(JSONFileLoader):
    """Reads them into plain dictionaries, which keep their order in less memory than botocore's, without the
    texts that only docstrings show."""

    def load_file(self, file_path: str) -> Any:
        for ending, opened in _ENDINGS.items():
            path = Path(file_path + ending)
            if path.is_file():
                with opened(path, "rb") as file:
                    return json.load(file, object_hook=_without_documentation)
        return None


def _without_documentation(part: dict[str, Any]) -> dict[str, Any]:
    # A member of a structure may have that name, too.
    if isinstance(part.get("documentation"), str):
        part["documentation"] = ""
    return part


def new_loader() -> Loader:
    """A loader of botocore's models that keeps what it has read."""
    make: Any = Loader
    loader: Loader = make(file_loader=_PlainFiles())
    return loader


_LOADER = new_loader()


def description(service: str) -> Mapping[str, Any]:
    """The API of a service as botocore's file describes it, by botocore's name for it. Raises
    UnknownServiceError."""
    found: Mapping[str, Any] = _LOADER.load_service_model(service, "service-2")
    return found


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The API of a service, by botocore's name for it. Raises UnknownServiceError."""
    return ServiceModel(description(service), service)


def new_session() -> Session:
    """A session of botocore that reads no model twice."""
    session = Session()
    session.register_component("data_loader", _LOADER)
    return session
