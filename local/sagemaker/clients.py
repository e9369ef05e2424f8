"""boto3 clients for the services that jobs touch, one for each set of credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from local.sagemaker.models import new_session

Credentials = Callable[[str], Mapping[str, str]]
# Gives the clients of a session of boto3 another way to the endpoint, with a timeout in seconds.
Join = Callable[[Any, float], None]

_SECONDS = 60.0

_CONFIG = Config(
    s3={"addressing_style": "path"},
    retries={"max_attempts": 2},
    connect_timeout=5,
    read_timeout=_SECONDS,
    # As CloudTrail names it. botocore would put its own together at each call.
    user_agent="sagemaker.amazonaws.com",
    max_pool_connections=32,
    # Checksums protect against network errors; everything here stays on one machine.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Clients:
    """Clients of one endpoint, created once for each service and set of credentials. Thread-safe."""

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        credentials: Credentials,
        join: Join = lambda session, seconds: None,
    ) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._credentials = credentials
        self._session = boto3.Session(region_name=region, botocore_session=new_session())
        join(self._session, _SECONDS)
        self._clients: dict[tuple[str, ...], Any] = {}
        self._lock = threading.Lock()

    def credentials(self, role_arn: str) -> dict[str, str]:
        """The role's credentials, by the names of boto3's arguments."""
        return dict(self._credentials(role_arn))

    def client(self, service: str, role_arn: str) -> Any:
        """A client that acts as the role."""
        credentials = self.credentials(role_arn)
        key = (service, *sorted(credentials.values()))
        # botocore's session is not thread-safe while it creates a client.
        with self._lock:
            if key not in self._clients:
                make: Any = self._session.client
                self._clients[key] = make(
                    service, endpoint_url=self.endpoint_url, config=_CONFIG, **credentials
                )
            return self._clients[key]

    def warm_up(self, *services: str) -> None:
        """Read the services' models now; otherwise the first client of each service is slow to create."""
        for service in services:
            with self._lock:
                make: Any = self._session.client
                make(service, endpoint_url=self.endpoint_url, config=_CONFIG)

    def environment(self, role_arn: str) -> dict[str, str]:
        """The variables that make boto3 inside a job act as the job's role on the same endpoint."""
        credentials = {name.upper(): value for name, value in self.credentials(role_arn).items()}
        place = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return credentials | place | {"AWS_ENDPOINT_URL": self.endpoint_url}
