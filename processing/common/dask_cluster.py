"""A cluster over the hosts of a job, by Dask: a scheduler on the first host, a worker on each core of all.

Dask is in the XGBoost image alone of those that process data. Whoever can connect to the scheduler can run
code, so it listens on no more than the host's own address, where only the job's other hosts reach it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from time import monotonic, sleep
from typing import Any

import dask

from common.cluster import IN_FLIGHT, A, B, Cluster, ClusterFailed, Pending, cores, in_order
from common.hosts import Hosts
from common.job import Ending

# How long the hosts wait for each other. SageMaker starts a job's instances within minutes of each other.
LONGEST_WAIT = 600.0
PORT = 8786
# A block that this many workers did not survive is at fault itself.
LOST_WORKERS = 3
_RETRY_SECONDS = 0.2
_CLOSING_SECONDS = 30.0
# A worker that is restarted while its nanny closes may never get an answer. It ends with this process.
_WORKERS_CLOSING_SECONDS = 3.0
# The name under which the scheduler keeps the end of the job.
_ENDING = "ending"
_HINT = "if network isolation keeps the hosts apart, set the parameter ProcessingNetworkIsolation to false"
_SETTINGS = {
    "temporary-directory": tempfile.gettempdir(),
    "distributed.scheduler.allowed-failures": LOST_WORKERS - 1,
    "distributed.scheduler.active-memory-manager.start": False,
    # No pages about the cluster.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    # A forked worker has the imports of this process, and the modules of a zip file.
    "distributed.worker.multiprocessing-method": "fork",
    "distributed.diagnostics.nvml": False,
    # The message of a failed block is the job's.
    "distributed.logging": {
        "distributed": "critical",
        "distributed.client": "critical",
        "distributed.nanny": "warning",
    },
}
# Read when it is imported.
dask.config.set(_SETTINGS)

from distributed import Client, KilledWorker, LocalCluster, Nanny, Scheduler, Variable  # noqa: E402


def run(hosts: Hosts, training_hosts: int, work: Callable[[Cluster], Ending]) -> Ending:
    """Do the work on the first host, with the workers of all; the same end on each host."""
    try:
        if hosts.current == hosts.first:
            return _lead(hosts, training_hosts, work)
        return asyncio.run(_follow(hosts))
    except (ClusterFailed, OSError) as error:
        return Ending(1, f"{hosts.current}: {error}")


@dataclass(frozen=True)
class Dask:
    """See Cluster."""

    client: Client
    hosts: Hosts
    training_hosts: int

    @cached_property
    def workers(self) -> int:
        """How many there are, once those of all hosts have come. Raises ClusterFailed."""
        count = len(self.hosts.names) * len(_numbers())
        try:
            self.client.wait_for_workers(count, timeout=LONGEST_WAIT)
        except TimeoutError:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
            here = {worker["name"].rpartition("/")[0] for worker in workers}
            missing = ", ".join(host for host in self.hosts.names if host not in here) or "a worker"
            raise ClusterFailed(f"{missing} did not come within {LONGEST_WAIT:g} s; {_HINT}") from None
        print(f"{count} workers on {len(self.hosts.names)} hosts", flush=True)
        return count

    def map(
        self, function: Callable[[A], B], items: Iterable[A], near: Callable[[A], str] | None = None
    ) -> Iterator[B]:
        """See Cluster."""
        in_flight = self.workers * IN_FLIGHT

        # Not by Dask's executor, whose futures print a traceback now and then when others are cancelled.
        def submit(item: A) -> Pending[B]:
            where = _on(near(item)) if near else {}
            pending: Pending[B] = self.client.submit(function, item, pure=False, **where)
            return pending

        try:
            yield from in_order(submit, iter(items), in_flight)
        except KilledWorker:
            raise ClusterFailed(
                f"{LOST_WORKERS} workers were lost at the same block, probably because memory was short"
            ) from None


def _lead(hosts: Hosts, training_hosts: int, work: Callable[[Cluster], Ending]) -> Ending:
    # Forked while this process has a single thread.
    followers = get_context("fork").Process(target=_follow_as_child, args=(hosts,))
    followers.start()
    address = socket.gethostbyname(hosts.current)
    server = {"dashboard": False, "dashboard_address": f"{address}:0"}
    try:
        with (
            LocalCluster(
                n_workers=0, processes=False, host=address, scheduler_port=PORT, scheduler_kwargs=server
            ) as cluster,
            Client(cluster) as client,
        ):
            machines = Dask(client, hosts, training_hosts)
            ending = _ended(work(machines), machines)
            _tell(ending, client, cluster.scheduler)
    except BaseException:
        followers.kill()
        raise
    followers.join()
    return ending


def _ended(ending: Ending, machines: Dask) -> Ending:
    """The end of the job, once all hosts are there to hear it."""
    try:
        machines.workers  # noqa: B018 - waits for them
    except ClusterFailed as error:
        return ending if ending.code else Ending(1, str(error))
    return ending


def _tell(ending: Ending, client: Client, scheduler: Scheduler) -> None:
    """Tell the end to all hosts, and wait until they have left; those that were lost have."""
    others = scheduler.clients.keys() - {client.id, "fire-and-forget"}
    Variable(_ENDING, client).set([ending.code, ending.message])
    end = monotonic() + _CLOSING_SECONDS
    while others & scheduler.clients.keys() and monotonic() < end:
        sleep(_RETRY_SECONDS)


def _follow_as_child(hosts: Hosts) -> None:
    with suppress(ClusterFailed, OSError):  # the parent tells it
        asyncio.run(_follow(hosts))


async def _follow(hosts: Hosts) -> Ending:
    """Lend this host to the first one, until that tells the end of the job. Raises ClusterFailed."""
    await _reach(hosts.first)
    try:
        async with Client(f"tcp://{hosts.first}:{PORT}", asynchronous=True) as client:
            return await _work_until_the_end(hosts, client)
    except OSError:
        first = hosts.first
        return Ending(1, f"{first}, which coordinates the job, was lost; the log of {first} says why")


async def _work_until_the_end(hosts: Hosts, client: Client) -> Ending:
    """Run a worker on each core."""
    nannies = [_nanny(hosts, number) for number in _numbers()]
    try:
        await asyncio.gather(*nannies)
        print(f"workers of {hosts.current}: processes", *(nanny.pid for nanny in nannies), flush=True)
        return Ending(*await Variable(_ENDING, client).get())
    finally:
        # Dask would log that the scheduler is gone and a restart given up, both with tracebacks.
        logging.disable()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_WORKERS_CLOSING_SECONDS):
                await asyncio.gather(*(nanny.close() for nanny in nannies))


def _numbers() -> Sequence[int]:
    """Of the workers of each host: all instances of a job have the same type."""
    return range(1, cores() + 1)


def _name(host: str, number: int) -> str:
    return f"{host}/{number}"


def _on(host: str) -> dict[str, Any]:
    """How Dask is told to use the workers of this host, and others only if these are lost."""
    return {"workers": [_name(host, number) for number in _numbers()], "allow_other_workers": True}


def _nanny(hosts: Hosts, number: int) -> Nanny:
    address = socket.gethostbyname(hosts.current)
    return Nanny(
        f"tcp://{hosts.first}:{PORT}",
        name=_name(hosts.current, number),
        nthreads=1,
        host=address,
        dashboard=False,
        dashboard_address=f"{address}:0",
        # The kernel ends a process that is too large; Dask would pause it, or write to the disk.
        memory_limit=0,
    )


async def _reach(host: str) -> None:
    """Wait until the scheduler listens. Raises ClusterFailed."""
    end = monotonic() + LONGEST_WAIT
    while monotonic() < end:
        try:
            _, writer = await asyncio.open_connection(host, PORT)
        except OSError:  # it does not listen, or has no name yet
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            writer.close()
            return
    raise ClusterFailed(f"{host} could not be reached on port {PORT} within {LONGEST_WAIT:g} s; {_HINT}")
