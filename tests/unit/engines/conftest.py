"""One warm interpreter for all tests of this folder: it takes about a second to start."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.sagemaker.engines.processes import Command, Exit, Process, WarmWorkers
from tests.pytorch import left_out

collect_ignore = left_out(__file__)


@dataclass
class Run:
    """A job that a test has started, with the lines it wrote so far."""

    process: Process
    lines: list[str]

    def wait(self) -> Exit:
        return self.process.wait()


@dataclass
class Runner:
    """Writes scripts into the test's folder and runs them."""

    workers: WarmWorkers
    folder: Path
    runs: list[Run] = field(default_factory=list)

    def start(
        self,
        script: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        hidden_modules: frozenset[str] = frozenset(),
        timeout: float | None = None,
        memory_bytes: int | None = None,
        stdin: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> Run:
        path = self.folder / f"script{len(self.runs)}.py"
        path.write_text(script)
        command = Command(("python3", str(path), *arguments), env or {}, self.folder, hidden_modules)
        return self.spawn(command, timeout=timeout, memory_bytes=memory_bytes, stdin=stdin, on_line=on_line)

    def spawn(
        self,
        command: Command,
        *,
        timeout: float | None = None,
        memory_bytes: int | None = None,
        stdin: bool = False,
        connection: socket.socket | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Run:
        lines: list[str] = []

        def keep(line: str) -> None:
            lines.append(line)
            if on_line is not None:
                on_line(line)

        process = self.workers.spawn(
            command,
            on_line=keep,
            timeout=timeout,
            memory_bytes=memory_bytes,
            stdin=stdin,
            connection=connection,
        )
        run = Run(process, lines)
        self.runs.append(run)
        return run


@pytest.fixture(scope="session")
def workers() -> Iterator[WarmWorkers]:
    workers = WarmWorkers(grace=0.2)
    yield workers
    workers.close()


@pytest.fixture
def runner(workers: WarmWorkers, tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(workers, tmp_path)
    yield runner
    for run in runner.runs:
        run.process.stop(grace=0)
