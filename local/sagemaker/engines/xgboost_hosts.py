"""Connects the hosts of a distributed training, by xgboost's own communicator, as the real container does."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from xgboost import collective
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from local.sagemaker.engines.hyperparameters import UserError

# The ports of the first and the second meeting, and the limits for each, are those of the container.
PORT = 9099
TIMEOUT_SECONDS = 30
ATTEMPTS = 6
PAUSE_SECONDS = 5


@dataclass(frozen=True)
class Cluster:
    """The hosts of a training, as the one called `current` sees them."""

    current: str
    hosts: tuple[str, ...]

    @property
    def is_master(self) -> bool:
        """Whether this host saves the model."""
        return self.current == min(self.hosts)


def read_cluster(config: Path) -> Cluster:
    """The hosts of the training whose configuration is in this folder."""
    resources = json.loads((config / "resourceconfig.json").read_text())
    return Cluster(resources["current_host"], tuple(resources["hosts"]))


def hosts_with_data(cluster: Cluster, *, has_data: bool) -> Cluster:
    """The cluster without the hosts that have nothing to train on, as all of them tell each other."""
    with connected(cluster, PORT):
        size = collective.get_world_size()
        told = [collective.broadcast((cluster.current, has_data), rank) for rank in range(size)]
    return replace(cluster, hosts=tuple(host for host, included in told if included))


@contextmanager
def connected(cluster: Cluster, port: int = PORT + 1) -> Iterator[None]:
    """While entered, xgboost trains on all hosts together."""
    if len(cluster.hosts) == 1:
        yield
        return
    names = sorted(cluster.hosts)
    address = _address_of(names[0])
    tracker = None
    if cluster.is_master:
        tracker = RabitTracker(n_workers=len(names), host_ip=address, port=port, sortby="task")
        tracker.start()
    context = collective.CommunicatorContext(
        dmlc_tracker_uri=address,
        dmlc_tracker_port=port,
        dmlc_task_id=str(names.index(cluster.current)),
        dmlc_timeout=TIMEOUT_SECONDS,
    )
    _enter(context)
    # After an error nothing is left to say to the others, who learn it from their connections.
    yield
    context.__exit__(None, None, None)
    if tracker is not None:
        tracker.wait_for(timeout=TIMEOUT_SECONDS)


def _address_of(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise UserError(f"The name of the host {host} cannot be resolved: {error}") from error


def _enter(context: collective.CommunicatorContext) -> None:
    """Wait for the tracker, which another host may not have started yet."""
    for attempt in range(ATTEMPTS):
        try:
            context.__enter__()
        except XGBoostError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
