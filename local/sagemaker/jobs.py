"""What all jobs have in common: a record, a folder, a log, a process, and an end."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.sagemaker.clients import Clients
from local.sagemaker.container import Container, remove_folder
from local.sagemaker.copies import Copies
from local.sagemaker.engines.environments import ENVIRONMENTS, EnvironmentMissing, make
from local.sagemaker.engines.images import Image, Program
from local.sagemaker.engines.processes import Command, Python, WarmWorkers
from local.sagemaker.errors import InstanceReclaimed, JobFailed, JobStopped
from local.sagemaker.events import Events
from local.sagemaker.hosts import (
    KILLED,
    LONGEST_REASON,
    NO_NAMES,
    Addresses,
    Ended,
    Host,
    as_they_end,
    make_hosts,
    shared_network,
)
from local.sagemaker.kinds import Json, cluster_of, memory_of
from local.sagemaker.logs import Logs, Stream
from local.sagemaker.notes import Notes
from local.sagemaker.storage import Storage
from local.sagemaker.store import Record, Store
from local.sagemaker.utilization import Utilization

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """The services that jobs use."""

    store: Store
    workers: WarmWorkers
    clients: Clients
    logs: Logs
    events: Events
    folder: Path
    notes: Notes
    addresses: Addresses
    utilization: Utilization
    copies: Copies


class Job:
    """One running job, on its own thread."""

    def __init__(self, backend: Backend, record: Record, role_arn: str) -> None:
        self.backend = backend
        self.record = record
        self.role_arn = role_arn
        self.stopping = threading.Event()
        # Set when the instance is reclaimed: the seconds until another one is available.
        self._without_instance: float | None = None
        # Called with every line of the job's output, on the thread of the host that reads them.
        self.on_line: Callable[[str], None] = lambda line: None
        # The host that failed first.
        self.failed: Host | None = None
        self._hosts: tuple[Host, ...] = ()
        self._started = int(time.time())
        self.folder = backend.folder / f"{record.kind.name}-{record.key}-{secrets.token_hex(4)}"

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The job's instances, created on first use."""
        if not self._hosts:
            count = cluster_of(self.record.kind, self.fields).get("InstanceCount", 1)
            addresses = self.backend.addresses.next(count)
            self._hosts = make_hosts(self.folder, addresses, self._log)
        return self._hosts

    @property
    def container(self) -> Container:
        """The /opt/ml of the first host."""
        return self.hosts[0].container

    @property
    def fields(self) -> Json:
        """The job's fields. Read-only; change them with `update`."""
        return self.record.fields

    @property
    def storage(self) -> Storage:
        """S3 with the rights of the job's role."""
        client = self.backend.clients.client("s3", self.role_arn)
        return Storage(client, self.role_arn, self.backend.store.region, self.backend.copies)

    def update(self, changes: Mapping[str, object], *, event: bool = False) -> None:
        """Change fields of the job, and send its event if requested."""
        self.backend.store.update(self.record, changes)
        if event:
            self.backend.events.tell(self.record)

    def log(self, line: str) -> None:
        """Write a line to the log stream of the first host."""
        self._log("algo-1", line, "")

    def _log(self, host: str, line: str, part: str) -> None:
        name = f"{self.record.key}/{host}-{self._started}{part}"
        self.backend.logs.write(Stream(self.role_arn, self.record.kind.log_group, name), line)

    def say(self, line: str) -> None:
        """Tell a person something that AWS would not: in the job's log, and as a note of this machine."""
        self.log(line)
        self.backend.notes.add(line)

    def check(self) -> None:
        """Raise `JobStopped` if somebody has asked the job to stop."""
        if self.stopping.is_set():
            raise JobStopped

    def stop(self) -> None:
        """Ask the job to end; returns at once. Idempotent."""
        self.stopping.set()
        self._end_programs()

    def reclaim(self, seconds: float) -> None:
        """Reclaim the job's instance; another one is available after `seconds`. Returns at once."""
        self._without_instance = seconds
        self._end_programs()

    def kill(self, name: str, *, children: bool) -> bool:
        """Kill the program of one host, or only what that has started, as no action of AWS does. Returns
        whether it runs."""
        for host in self._hosts:
            if host.name == name and host.process is not None and host.process.is_running():
                host.process.kill("children" if children else "job")
                return True
        return False

    def leave_instance(self) -> float:
        """Discard everything on the reclaimed instance; returns the seconds until the next one."""
        seconds, self._without_instance = self._without_instance or 0.0, None
        self.close()
        self._hosts = ()
        return seconds

    def run(
        self,
        program: Callable[[Host], tuple[Program, Mapping[str, str]]],
        *,
        image: Image,
        instance_type: str,
        timeout: float | None,
        isolated: bool = False,
        together: bool = False,
        frugal: bool = False,
        hosts: Sequence[Host] = (),
    ) -> Ended | None:
        """Run a program with its variables in an image, on all hosts or those given, each to its end. Returns
        how the first of those that failed ended, if any.

        ``isolated``, the hosts have no network; ``together``, they have one of their own then. ``frugal`` is
        for `Command`. Raises `JobStopped`, `InstanceReclaimed` or, out of memory or without the image's
        libraries, `JobFailed`.
        """
        self.check()
        python = python_of(image, self.say, self.log, self.check)
        # Without a network there is nobody to show credentials to, and SageMaker gives none.
        own = {} if isolated else self.backend.clients.environment(self.role_arn)
        hosts = hosts or self.hosts
        # All first: what the program needs on a host may be missing, and then none may start.
        programs = [(host, *program(host)) for host in hosts]
        workers, memory = self.backend.workers, memory_of(instance_type)
        with shared_network(workers, wanted=len(hosts) > 1) as network:
            if network and not network.descriptors:
                self.say(NO_NAMES)
            shares = network if isolated and together else None
            for host, argv, env in programs:
                command = Command(
                    argv=argv,
                    env={"HOME": "/root", **own, **env},
                    cwd=Path("/opt/ml"),
                    hidden_modules=image.hidden_modules,
                    folder=host.container.folder,
                    network=shares is not None or not isolated,
                    python=python,
                    frugal=frugal,
                    shares=shares,
                )
                host.start(workers, command, self.on_line, timeout=timeout, memory_bytes=memory)
        if self.stopping.is_set() or self._without_instance is not None:
            self._end_programs()
        ends = list(as_they_end(hosts))
        self.backend.utilization.add(self.record, ends)
        return self._judge(ends)

    def _judge(self, ends: Sequence[Ended]) -> Ended | None:
        """The failure that is the job's: the first, unless somebody has ended the job."""
        if any(end.exit.reason == "stopped" for end in ends):
            reclaimed = self._without_instance is not None and not self.stopping.is_set()
            raise InstanceReclaimed if reclaimed else JobStopped
        first = next((end for end in ends if end.failed), None)
        if first is None:
            return None
        if first.exit.reason == "timed_out":
            raise JobStopped(timed_out=True)
        self.failed = first.host
        if first.exit.reason == "out_of_memory":
            raise JobFailed(
                "ClientError: Please use an instance type with more memory, "
                f"or reduce the size of job data processed on an instance., exit code: {KILLED}"
            )
        return first

    def _end_programs(self) -> None:
        for host in self._hosts:
            host.stop()

    def close(self) -> None:
        """Delete the job's folder."""
        if self.folder.exists():
            remove_folder(self.folder)


def python_of(
    image: Image, say: Callable[[str], None], log: Callable[[str], None], check: Callable[[], None]
) -> Python | None:
    """The interpreter with the image's libraries, None for this one; `check` may end its installation by
    raising. People hear what `say` gets; `log` gets the details. Raises `JobFailed`."""
    if image.warning:
        say(image.warning)
    if not image.environment:
        return None
    try:
        return make(ENVIRONMENTS[image.environment], say, check)
    except EnvironmentMissing as missing:
        for line in missing.details.splitlines():
            log(line)
        raise JobFailed(f"ClientError: {missing}") from missing


@dataclass(frozen=True)
class Work:
    """How to run one kind of job.

    `run` ends by returning, or by raising `JobFailed` or `JobStopped`. `last_fields` returns the changes that
    accompany the final status, from the job, that status and whether it timed out.
    """

    run: Callable[[Job], None]
    last_fields: Callable[[Job, str, bool], Json] = lambda job, status, timed_out: {}


def carry_out(job: Job, work: Work) -> None:
    """Run a job to its end on the calling thread; never raises."""
    status, reason, timed_out = "Completed", "", False
    last: Json = {}
    try:
        job.check()
        work.run(job)
    except JobStopped as stopped:
        status, timed_out = "Stopped", stopped.timed_out
    except JobFailed as failure:
        status, reason = "Failed", str(failure)
    except Exception as error:
        status, reason = "Failed", _internal_error(job, error)
    try:
        last = work.last_fields(job, status, timed_out)
    except Exception as error:
        status, reason = "Failed", _internal_error(job, error)
    kind = job.record.kind
    end = {
        kind.end_field: time.time(),
        kind.status_field: status,
        "FailureReason": reason[:LONGEST_REASON] or None,
    }
    job.update(last | end, event=True)
    if reason and kind.log_group:
        job.log(reason)
    job.close()


def _internal_error(job: Job, error: Exception) -> str:
    _log.exception("%s %s", job.record.kind.label, job.record.key)
    return f"InternalServerError: {type(error).__name__}: {error}"
