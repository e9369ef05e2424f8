"""botocore's models of the services, each read only once: SageMaker's alone takes 20 MB and a tenth of a
second."""

from __future__ import annotations

import functools

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import Session

_LOADER = Loader()


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The API of a service, by botocore's name for it."""
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


def new_session() -> Session:
    """A session of botocore that reads no model twice."""
    session = Session()
    session.register_component("data_loader", _LOADER)
    return session
