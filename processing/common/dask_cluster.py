"""A cluster over the hosts of a job, by Dask: a scheduler on the first host, a worker on each core of all.

Dask is in the XGBoost image alone of those that process data. Whoever can connect to the scheduler can run
code, so it listens on no more than the host's own address, where only the job's other hosts reach it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from time import monotonic

import dask

from common.cluster import IN_FLIGHT, A, B, Cluster, ClusterFailed, cores, in_order
from common.hosts import Hosts
from common.job import Ending

# How long the hosts wait for each other. SageMaker starts a job's instances within minutes of each other.
LONGEST_WAIT = 600.0
PORT = 8786
# A block that this many workers did not survive is at fault itself.
LOST_WORKERS = 3
_RETRY_SECONDS = 0.2
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
        "distributed": "error",
        "distributed.worker": "critical",
        "distributed.nanny": "warning",
    },
}
# Read when it is imported.
dask.config.set(_SETTINGS)

from distributed import Client, KilledWorker, LocalCluster, Nanny  # noqa: E402

# The end of the job, as the first host told it to this one.
_ending: Ending | None = None


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
    training_hosts: int
    workers: int

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """See Cluster."""
        executor = self.client.get_executor(pure=False)
        try:
            yield from in_order(executor, function, iter(items), self.workers * IN_FLIGHT)
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
            ) as scheduler,
            Client(scheduler) as client,
        ):
            try:
                ending = work(Dask(client, training_hosts, _wait_for_workers(client, hosts)))
            except ClusterFailed as error:
                ending = Ending(1, str(error))
            client.run(_note, ending, nanny=True)
    except BaseException:
        followers.kill()
        raise
    followers.join()
    return ending


def _wait_for_workers(client: Client, hosts: Hosts) -> int:
    """Returns their number. All instances of a job have the same type."""
    count = len(hosts.names) * cores()
    try:
        client.wait_for_workers(count, timeout=LONGEST_WAIT)
    except TimeoutError:
        present = {
            worker["name"].rpartition("/")[0] for worker in client.scheduler_info()["workers"].values()
        }
        missing = sorted(set(hosts.names) - present) or ["some host"]
        raise ClusterFailed(f"{', '.join(missing)} did not come within {LONGEST_WAIT:g} s; {_HINT}") from None
    print(f"{count} workers on {len(hosts.names)} hosts", flush=True)
    return count


def _follow_as_child(hosts: Hosts) -> None:
    try:
        asyncio.run(_follow(hosts))
    except (ClusterFailed, OSError) as error:
        print(error, file=sys.stderr)


async def _follow(hosts: Hosts) -> Ending:
    """Run a worker on each core of this host until the first host ends the job."""
    await _reach(hosts.first)
    address = socket.gethostbyname(hosts.current)
    nannies = [
        Nanny(
            f"tcp://{hosts.first}:{PORT}",
            name=f"{hosts.current}/{number}",
            nthreads=1,
            host=address,
            dashboard_address=f"{address}:0",
            dashboard=False,
            # The kernel ends what is too large; Dask would pause it, or write to the disk.
            memory_limit=0,
        )
        for number in range(1, cores() + 1)
    ]
    await asyncio.gather(*nannies)
    print(f"workers of {hosts.current}: processes", *(nanny.pid for nanny in nannies), flush=True)
    await asyncio.gather(*(nanny.finished() for nanny in nannies))
    return _ending or Ending(
        1, f"{hosts.current} lost {hosts.first}, which coordinates the job; the log of {hosts.first} says why"
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


def _note(ending: Ending) -> None:
    """Called by the first host in the process of each host's nannies, just before it ends them."""
    global _ending
    _ending = ending
