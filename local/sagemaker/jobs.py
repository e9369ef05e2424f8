"""What all jobs have in common: a record, a folder, a log, a process, and an end."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local.sagemaker.clients import Clients
from local.sagemaker.container import Container
from local.sagemaker.engines.environments import ENVIRONMENTS, EnvironmentMissing, make
from local.sagemaker.engines.images import Image
from local.sagemaker.engines.processes import Command, Exit, Process, Python, WarmWorkers
from local.sagemaker.errors import InstanceReclaimed, JobFailed, JobStopped
from local.sagemaker.events import Events
from local.sagemaker.kinds import Json, memory_of
from local.sagemaker.logs import Logs, Stream
from local.sagemaker.notes import Notes
from local.sagemaker.storage import Storage
from local.sagemaker.store import Record, Store

_log = logging.getLogger(__name__)

# The exit code that Docker and SageMaker report for a killed process.
KILLED = 137
LONGEST_REASON = 1024
LAST_LINES = 20


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


class Job:
    """One running job, on its own thread."""

    def __init__(self, backend: Backend, record: Record, role_arn: str) -> None:
        self.backend = backend
        self.record = record
        self.role_arn = role_arn
        self.stopping = threading.Event()
        # Set when the instance is reclaimed: the seconds until another one is available.
        self._without_instance: float | None = None
        # Called with every line of the job's output, on the thread that reads them.
        self.on_line: Callable[[str], None] = lambda line: None
        self._process: Process | None = None
        self._folder = backend.folder / f"{record.kind.name}-{record.key}-{secrets.token_hex(4)}"
        self._container: Container | None = None
        self._stream = Stream(role_arn, record.kind.log_group, f"{record.key}/algo-1-{int(time.time())}")
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def container(self) -> Container:
        """The job's /opt/ml, created on first use."""
        if self._container is None:
            self._container = Container(self._folder)
        return self._container

    @property
    def fields(self) -> Json:
        """The job's fields. Read-only; change them with `update`."""
        return self.record.fields

    @property
    def storage(self) -> Storage:
        """S3 with the rights of the job's role."""
        client = self.backend.clients.client("s3", self.role_arn)
        return Storage(client, self.role_arn, self.backend.store.region)

    def update(self, changes: Mapping[str, object], *, event: bool = False) -> None:
        """Change fields of the job, and send its event if requested."""
        self.backend.store.update(self.record, changes)
        if event:
            self.backend.events.tell(self.record)

    def log(self, line: str, part: str = "") -> None:
        """Write a line to the job's log stream, or to the one whose name ends with `part`."""
        self.backend.logs.write(replace(self._stream, name=self._stream.name + part), line)

    def say(self, line: str) -> None:
        """Tell a person something that AWS would not: in the job's log, and as a note of this machine."""
        self.log(line)
        self.backend.notes.add(line)

    def failure(self, begin: str, said: str, end: str = "") -> JobFailed:
        """The failure of a job's program. Its reason is the program's message, or else the last lines of its
        output, between SageMaker's own words."""
        room = LONGEST_REASON - len(begin) - len(end)
        return JobFailed(begin + (said[:room] or "\n".join(self._last_lines)[-room:]) + end)

    def check(self) -> None:
        """Raise `JobStopped` if somebody has asked the job to stop."""
        if self.stopping.is_set():
            raise JobStopped

    def stop(self) -> None:
        """Ask the job to end; returns at once. Idempotent."""
        self.stopping.set()
        self._end_process()

    def reclaim(self, seconds: float) -> None:
        """Reclaim the job's instance; another one is available after `seconds`. Returns at once."""
        self._without_instance = seconds
        self._end_process()

    def leave_instance(self) -> float:
        """Discard everything on the reclaimed instance; returns the seconds until the next one."""
        seconds, self._without_instance = self._without_instance or 0.0, None
        self.close()
        self._container = self._process = None
        return seconds

    def run(
        self,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        *,
        image: Image,
        instance_type: str,
        timeout: float | None,
        isolated: bool = False,
    ) -> Exit:
        """Run the job's program in an image, to its end; ``isolated``, without a network.

        Raises `JobStopped`, `InstanceReclaimed` or, out of memory or without the image's libraries,
        `JobFailed`.
        """
        self.check()
        python = python_of(image, self.say, self.log, self.check)
        # Without a network there is nobody to show credentials to, and SageMaker gives none.
        own = {} if isolated else self.backend.clients.environment(self.role_arn)
        command = Command(
            argv=argv,
            env={"HOME": "/root", **own, **env},
            cwd=Path("/opt/ml"),
            hidden_modules=image.hidden_modules,
            folder=self.container.folder,
            network=not isolated,
            python=python,
        )
        self._process = self.backend.workers.spawn(
            command, on_line=self._take_line, timeout=timeout, memory_bytes=memory_of(instance_type)
        )
        if self.stopping.is_set() or self._without_instance is not None:
            self._process.stop()
        ended = self._process.wait()
        if ended.reason == "stopped" and self._without_instance is not None and not self.stopping.is_set():
            raise InstanceReclaimed
        if ended.reason in ("stopped", "timed_out"):
            raise JobStopped(timed_out=ended.reason == "timed_out")
        if ended.reason == "out_of_memory":
            raise JobFailed(
                "ClientError: Please use an instance type with more memory, "
                f"or reduce the size of job data processed on an instance., exit code: {KILLED}"
            )
        return ended

    def _end_process(self) -> None:
        process = self._process
        if process is not None:
            process.stop()

    def _take_line(self, line: str) -> None:
        self.on_line(line)
        shown = self.container.there(line)
        self._last_lines.append(shown)
        self.log(shown)

    def close(self) -> None:
        """Delete the job's folder."""
        if self._container is not None:
            self._container.remove()


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


def exit_code(ended: Exit) -> int:
    """The exit code a container would have had."""
    return KILLED if ended.code is None else ended.code
