"""Suggests the next trial of a tuning job, in a warm process that lives as long as the tuning job.

::

    suggester = Suggester(workers, read_ranges(request["ParameterRanges"]), strategy="Bayesian", seed=1)
    values = suggester.suggest(finished=[Observation({"alpha": 0.1}, 3.2)], running=[{"alpha": 2.0}])
    suggester.close()
"""

from __future__ import annotations

import dataclasses
import json
import queue
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from local.sagemaker.engines.processes import Command, WarmWorkers
from local.sagemaker.engines.search_space import Observation, Point, Range, Value

ANSWER = "suggestion "


class SuggesterFailed(RuntimeError):
    """The search's process has ended; the message has its last output."""


class Suggester:
    """Suggests trials. Thread-safe; a call takes some tens of milliseconds."""

    def __init__(
        self,
        workers: WarmWorkers,
        ranges: Sequence[Range],
        *,
        strategy: Literal["Bayesian", "Random"] = "Bayesian",
        seed: int = 0,
    ) -> None:
        settings = {
            "ranges": [dataclasses.asdict(each) for each in ranges],
            "strategy": strategy,
            "seed": seed,
        }
        argv = ("-m", "local.sagemaker.engines.bayesian", json.dumps(settings))
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=20)
        self._lock = threading.Lock()
        self._process = workers.spawn(Command(argv, {}, Path("/")), on_line=self._hear, stdin=True)
        threading.Thread(target=self._tell_end, name="suggester", daemon=True).start()

    def suggest(
        self, finished: Sequence[Observation], running: Sequence[Mapping[str, Value]]
    ) -> Point | None:
        """Values for the next trial, by the names of the ranges: float, int or str (``format_value`` makes
        them hyperparameters).

        None if every point of a finite space is finished or running. A non-finite objective only marks its
        point as tried. Raises SuggesterFailed.
        """
        request = {
            "finished": [dataclasses.asdict(trial) for trial in finished],
            "running": [dict(values) for values in running],
        }
        with self._lock:
            try:
                self._process.send(json.dumps(request))
            except OSError as error:
                raise SuggesterFailed("\n".join(self._last_lines)) from error
            answer = self._answers.get()
        if answer is None:
            raise SuggesterFailed("\n".join(self._last_lines))
        point: Point | None = json.loads(answer)
        return point

    def close(self) -> None:
        """End the process. Idempotent."""
        self._process.stop(grace=0)

    def _hear(self, line: str) -> None:
        if line.startswith(ANSWER):
            self._answers.put(line.removeprefix(ANSWER))
        else:
            self._last_lines.append(line)

    def _tell_end(self) -> None:
        self._process.wait()
        self._answers.put(None)
