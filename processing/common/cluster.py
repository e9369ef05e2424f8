"""Where a job computes: on the cores of one machine, or on several machines (`dask_cluster.py`).

Standard library only.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context
from typing import Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C", covariant=True)

# Submitted items per worker: one that it works on, and the next one.
IN_FLIGHT = 2


class ClusterFailed(Exception):
    """The machines did not finish the work; `str(error)` says why."""


class Cluster(Protocol):
    """Runs functions of blocks. Upload and prepared files lie at the same path on every machine, but a file
    that a function writes lies on the machine that ran it, and is uploaded from there.
    """

    @property
    def training_hosts(self) -> int:
        """`train/` must have at least so many non-empty files."""

    def map(
        self, function: Callable[[A], B], items: Iterable[A], near: Callable[[A], str] | None = None
    ) -> Iterator[B]:
        """The results in the order of the items, of which few are in flight, so that memory stays bounded.

        `near` is the host that has what an item needs; if its workers are lost, another one gets the item.

        `function` is one of a module, or a functools.partial of one with picklable values. It may run twice
        for an item, and must then write the same bytes to the same file. What it raises is raised here.
        Raises ClusterFailed.
        """


def cores() -> int:
    """Of this machine, for this process."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Local:
    """One machine: processes on its cores, or this one if there is one worker or one item.

    The processes are forked, so a function must not start threads of OpenMP there: a library that had such
    threads here waits for them forever.
    """

    training_hosts: int = 1
    workers: int = field(default_factory=cores)

    def map(
        self, function: Callable[[A], B], items: Iterable[A], near: Callable[[A], str] | None = None
    ) -> Iterator[B]:
        """See Cluster."""
        remaining = iter(items)
        first = list(islice(remaining, 2))
        if self.workers == 1 or len(first) < 2:
            yield from map(function, chain(first, remaining))
            return
        try:
            with ProcessPoolExecutor(self.workers, get_context("fork")) as pool:

                def submit(item: A) -> Pending[B]:
                    return pool.submit(function, item)

                yield from in_order(submit, chain(first, remaining), self.workers * IN_FLIGHT)
        except BrokenProcessPool:
            raise ClusterFailed("a process was killed, probably because memory was short") from None


class Pending(Protocol[C]):
    """A result that will come."""

    def result(self) -> C:
        """Wait for it. Raises what its computation raised."""

    def cancel(self) -> object:
        """Give it up."""


def in_order(submit: Callable[[A], Pending[B]], items: Iterator[A], in_flight: int) -> Iterator[B]:
    waiting: deque[Pending[B]] = deque(map(submit, islice(items, in_flight)))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(map(submit, islice(items, 1)))
    finally:
        for future in waiting:
            future.cancel()
