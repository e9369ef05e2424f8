"""Connects the hosts of a distributed training, by xgboost's own communicator, as the real container does."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from xgboost import collective
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from local.sagemaker.engines.hyperparameters import UserError

# The ports at which the hosts meet first, and then those with data, and the limit are those of the container.
FIRST_PORT, SECOND_PORT = 9099, 9100
TIMEOUT_SECONDS = 30
_SOCKETS = Path("/proc/net/tcp")
_LISTENS = "0A"


@dataclass(frozen=True)
class Cluster:
    """The hosts of a training, as the one called `current` sees them."""

    current: str
    hosts: tuple[str, ...]

    @property
    def is_master(self) -> bool:
        """Whether this host has the tracker, and saves the model."""
        return self.current == min(self.hosts)


def read_cluster(config: Path) -> Cluster:
    """The hosts of the training whose configuration is in this folder."""
    resources = json.loads((config / "resourceconfig.json").read_text())
    return Cluster(resources["current_host"], tuple(resources["hosts"]))


def those_with_data(cluster: Cluster, *, has_data: bool) -> Cluster:
    """The cluster without the hosts that have nothing to train on, as all of them tell each other."""
    with connected(cluster, FIRST_PORT):
        size = collective.get_world_size()
        told = [collective.broadcast((cluster.current, has_data), rank) for rank in range(size)]
    return replace(cluster, hosts=tuple(host for host, included in told if included))


@contextmanager
def connected(cluster: Cluster, port: int = SECOND_PORT) -> Iterator[None]:
    """While entered, xgboost trains on all hosts together."""
    names = sorted(cluster.hosts)
    if len(names) == 1:
        yield
        return
    address = _address_of(names[0])
    tracker = None
    if cluster.is_master:
        tracker = RabitTracker(n_workers=len(names), host_ip=address, port=port, sortby="task")
        tracker.start()
    _wait_for_tracker(address, port)
    settings = {"dmlc_tracker_uri": address, "dmlc_tracker_port": port, "dmlc_timeout": TIMEOUT_SECONDS}
    context = collective.CommunicatorContext(**settings, dmlc_task_id=str(names.index(cluster.current)))
    try:
        context.__enter__()
        yield
        context.__exit__(None, None, None)
        if tracker is not None:
            tracker.wait_for(timeout=TIMEOUT_SECONDS)
    finally:
        # After an error, the others learn it from their connections.
        if tracker is not None:
            with suppress(XGBoostError):
                tracker.free()


def _address_of(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise UserError(f"The name of the host {host} cannot be resolved: {error}") from error


def _wait_for_tracker(address: str, port: int) -> None:
    """Wait until the tracker listens, for half a minute at most. xgboost waits for seconds after a refused
    call, and a call by anybody else would confuse the tracker; but all hosts are on this machine."""
    wanted = f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while _SOCKETS.exists() and time.monotonic() < deadline:
        rows = (line.split() for line in _SOCKETS.read_text().splitlines())
        if any(row[1] == wanted and row[3] == _LISTENS for row in rows):
            return
        time.sleep(0.01)
