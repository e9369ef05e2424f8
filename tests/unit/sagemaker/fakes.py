# ruff: noqa: N803 (boto3 names arguments as the API does)
"""An S3, logs, an event bus and job processes that behave, in memory."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.sagemaker.engines.processes import Command, Exit, Network

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
SKLEARN = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
PYTORCH_TRAINING, PYTORCH_INFERENCE = (
    f"763104351884.dkr.ecr.{REGION}.amazonaws.com/{name}:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
    for name in ("pytorch-training", "pytorch-inference")
)
XGBOOST = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.2-0"


class FakeS3:
    """Objects by bucket and key; lists two keys per page, so that paging is always exercised."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        # The KMS key that a written object's request named.
        self.under: dict[str, str | None] = {}
        self.reads: list[str] = []
        # Those of them that were answered with a content.
        self.sent: list[str] = []
        self.broken = False

    def put(self, uri: str, content: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.objects[bucket, key] = content

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.objects[bucket, key]

    @property
    def keys(self) -> list[str]:
        return sorted(key for _, key in self.objects)

    def list_objects_v2(self, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        keys = sorted(
            key
            for bucket, key in self.objects
            if bucket == Bucket and key.startswith(Prefix) and key > ContinuationToken
        )
        contents = [{"Key": key, "ETag": str(hash(self.objects[Bucket, key]))} for key in keys[:2]]
        more = len(keys) > 2
        return {"Contents": contents, "IsTruncated": more} | (
            {"NextContinuationToken": keys[1]} if more else {}
        )

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        return {"ETag": str(hash(self.objects[Bucket, Key]))}

    def get_object(self, Bucket: str, Key: str, IfNoneMatch: str = "") -> dict[str, Any]:
        self.reads.append(Key)
        if self.broken:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        if (Bucket, Key) not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject")
        content = self.objects[Bucket, Key]
        if (etag := str(hash(content))) == IfNoneMatch:
            raise ClientError({"Error": {"Code": "304", "Message": "Not Modified"}}, "GetObject")
        self.sent.append(Key)
        return {"Body": io.BytesIO(content), "ETag": etag}

    def put_object(self, Bucket: str, Key: str, Body: Any, **encryption: str) -> None:
        if self.broken:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        assert encryption.get("ServerSideEncryption") == ("aws:kms" if encryption else None)
        self.under[Key] = encryption.get("SSEKMSKeyId")
        self.objects[Bucket, Key] = Body if isinstance(Body, bytes) else Body.read()


class FakeLogs:
    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], list[str]] = defaultdict(list)

    def create_log_group(self, logGroupName: str) -> None:
        if any(group == logGroupName for group, _ in self.lines):
            raise ClientError({"Error": {"Code": "ResourceAlreadyExistsException"}}, "CreateLogGroup")

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> None:
        self.lines[logGroupName, logStreamName] = []

    def put_log_events(
        self, logGroupName: str, logStreamName: str, logEvents: Sequence[Mapping[str, Any]]
    ) -> None:
        self.lines[logGroupName, logStreamName] += [event["message"] for event in logEvents]


class FakeEvents:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def publish(self, entries: Sequence[dict[str, Any]]) -> None:
        assert len(entries) <= 10
        self.entries += entries


class FakeAlarms:
    """The states of alarms, by name."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def describe_alarms(self, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:
        known = [name for name in AlarmNames if name in self.states]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.states[name]} for name in known]}


class FakeMetrics:
    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []

    def publish(self, namespace: str, data: Sequence[dict[str, Any]]) -> None:
        assert namespace == "AWS/SageMaker"
        self.data += data


class FakeAws:
    """Replaces `Clients`: the same services for every role."""

    def __init__(self) -> None:
        self.s3, self.logs, self.events = FakeS3(), FakeLogs(), FakeEvents()
        self.alarms, self.metrics = FakeAlarms(), FakeMetrics()

    def client(self, service: str, role_arn: str) -> Any:
        return {"s3": self.s3, "logs": self.logs, "cloudwatch": self.alarms}[service]

    def warm_up(self, *services: str) -> None: ...

    def environment(self, role_arn: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": role_arn}


@dataclass
class Running:
    """A fake program's view of its process."""

    command: Command
    print: Callable[[str], None]
    timeout: float | None
    memory_bytes: int | None
    connection: socket.socket | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    # Of this process, or of its children.
    killed: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    @property
    def args(self) -> tuple[str, ...]:
        return self.command.argv

    @property
    def root(self) -> Path:
        """This machine's folder for the job's /opt/ml."""
        assert self.command.folder is not None
        return self.command.folder / "ml"


Program = Callable[[Running], int | None]


class KilledError(Exception):
    """A fake program's way to be killed."""


class FakeProcess:
    def __init__(self, program: Program, running: Running) -> None:
        self._running = running
        self._exit = Exit(1, "exited")
        self._thread = threading.Thread(target=self._run, args=(program,), daemon=True)
        self._thread.start()

    def _run(self, program: Program) -> None:
        try:
            code = program(self._running)
            self._exit = (
                Exit(None, "stopped") if self._running.stopped.is_set() else Exit(code or 0, "exited")
            )
        except TimeoutError:
            self._exit = Exit(None, "timed_out")
        except KilledError:
            self._exit = Exit(None, "exited")
        except MemoryError:
            self._exit = Exit(None, "out_of_memory")
        finally:
            if self._running.connection is not None:
                self._running.connection.close()

    def wait(self) -> Exit:
        self._thread.join()
        return self._exit

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def kill(self, what: str = "job") -> None:
        self._running.killed.put(what)

    def stop(self, grace: float | None = None) -> None:
        self._running.stopped.set()
        if self._running.connection is not None:
            with contextlib.suppress(OSError):
                self._running.connection.shutdown(socket.SHUT_RDWR)


class FakeWorkers:
    """Replaces `WarmWorkers`: a program is a function, and its return value is the exit code.

    TimeoutError stands for the time limit, MemoryError for the memory limit.
    """

    def __init__(self) -> None:
        self.program: Program = lambda running: 0
        self.processes: list[Running] = []
        self.namespaces = True

    def start(self) -> None: ...

    def close(self) -> None: ...

    def make_network(self) -> Network:
        return Network((os.open(os.devnull, os.O_RDONLY),) if self.namespaces else ())

    def spawn(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None],
        timeout: float | None = None,
        memory_bytes: int | None = None,
        stdin: bool = False,
        connection: socket.socket | None = None,
    ) -> FakeProcess:
        running = Running(command, on_line, timeout, memory_bytes, connection)
        self.processes.append(running)
        return FakeProcess(self.program, running)
