"""The instances of a job: each has a name, an /opt/ml, a log, and a tree of processes."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from local.sagemaker.container import Container
from local.sagemaker.engines.processes import Command, Exit, Network, Process, WarmWorkers
from local.sagemaker.errors import JobFailed
from local.sagemaker.kinds import Json

# The exit code that Docker and SageMaker report for a killed process.
KILLED = 137
LONGEST_REASON = 1024
LAST_LINES = 20
# Where this machine's own names are.
_NAMES = Path("/etc/hosts")
_BLOCKS = 254 * 256
NO_NAMES = (
    "Jobs have no namespaces on this machine, so the names of a job's hosts (algo-1, algo-2) lead nowhere: "
    "they run, but cannot reach each other."
)


class Addresses:
    """Loopback addresses, so that the hosts of two jobs, even of two servers, can use the same ports."""

    def __init__(self) -> None:
        self._numbers = itertools.count(secrets.randbelow(_BLOCKS))

    def next(self, count: int) -> list[str]:
        """The addresses of one job's hosts, 200 at most."""
        high, low = divmod(next(self._numbers) % _BLOCKS, 256)
        return [f"127.{high + 1}.{low}.{number}" for number in range(2, count + 2)]


class Host:
    """One instance of a job."""

    def __init__(self, name: str, folder: Path, log: Callable[[str, str], None]) -> None:
        """`log` takes a line and the end of the stream's name."""
        self.name = name
        self.container = Container(folder)
        self.log = log
        self.process: Process | None = None
        self._started = 0.0
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def start(
        self,
        workers: WarmWorkers,
        command: Command,
        on_line: Callable[[str], None],
        *,
        timeout: float | None,
        memory_bytes: int | None,
    ) -> None:
        """Start the job's program here; `on_line` gets every line, on a thread of this host."""

        def take_line(line: str) -> None:
            on_line(line)
            shown = self.container.there(line)
            self._last_lines.append(shown)
            self.log(shown, "")

        self._started = time.monotonic()
        self.process = workers.spawn(command, on_line=take_line, timeout=timeout, memory_bytes=memory_bytes)

    def stop(self) -> None:
        """Ask the program to end; returns at once. Idempotent."""
        if self.process is not None:
            self.process.stop()

    def wait(self) -> Ended:
        """Block until the program, which was started, has ended."""
        if self.process is None:
            raise RuntimeError(f"{self.name} runs no program")
        ended = self.process.wait()
        return Ended(self, ended, time.monotonic() - self._started)

    def failure(self, begin: str, said: str, end: str = "") -> JobFailed:
        """The failure of the program. Its reason is the program's message, or else the last lines of its
        output, between SageMaker's own words."""
        room = LONGEST_REASON - len(begin) - len(end)
        return JobFailed(begin + (said[:room] or "\n".join(self._last_lines)[-room:]) + end)


@dataclass(frozen=True)
class Ended:
    """How the program of one host ended, after so many seconds."""

    host: Host
    exit: Exit
    seconds: float

    @property
    def failed(self) -> bool:
        return self.exit.code != 0 or self.exit.reason != "exited"

    @property
    def exit_code(self) -> int:
        """The exit code a container would have had."""
        return KILLED if self.exit.code is None else self.exit.code


def make_hosts(
    folder: Path, addresses: Sequence[str], log: Callable[[str, str, str], None]
) -> tuple[Host, ...]:
    """A host for each address, below the job's folder; `log` takes the host's name, a line and the end of
    the stream's name. Each host knows the names of all."""
    names = [f"algo-{number}" for number in range(1, len(addresses) + 1)]
    known = "".join(f"{address} {name}\n" for address, name in zip(addresses, names, strict=True))
    if _NAMES.exists():
        known += _NAMES.read_text(errors="surrogateescape")
    hosts = tuple(Host(name, folder / name, _named(log, name)) for name in names)
    for host in hosts:
        (host.container.folder / "hosts").write_text(known, errors="surrogateescape")
    return hosts


def _named(log: Callable[[str, str, str], None], name: str) -> Callable[[str, str], None]:
    return lambda line, part: log(name, line, part)


def resource_config(host: Host, hosts: Sequence[Host]) -> Json:
    """What every kind of job has in `resourceconfig.json`. Several hosts meet on the loopback interface."""
    interface = "lo" if len(hosts) > 1 else "eth0"
    names = [each.name for each in hosts]
    return {"current_host": host.name, "hosts": names, "network_interface_name": interface}


def as_they_end(hosts: Sequence[Host]) -> Iterator[Ended]:
    """How the program of each host ended, in that order; waits for them. All have been started."""
    if len(hosts) == 1:
        yield hosts[0].wait()
        return
    done: SimpleQueue[Future[Ended]] = SimpleQueue()
    with ThreadPoolExecutor(len(hosts)) as threads:
        for host in hosts:
            threads.submit(host.wait).add_done_callback(done.put)
        for _ in hosts:
            yield done.get().result()


@contextmanager
def shared_network(workers: WarmWorkers, *, wanted: bool) -> Iterator[Network | None]:
    """A network for hosts to share with nobody else, if it is wanted."""
    network = workers.make_network() if wanted else None
    try:
        yield network
    finally:
        if network is not None:
            network.close()
