"""Runs a job and ends it: its exit message is all that it reports besides its files.

For a failed job, the message is the reason, which SageMaker shows to people. For a successful one, it is the
digest of its output, which the state machine passes to the next step.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.cluster import Cluster, ClusterFailed, Local
from common.hosts import find_hosts

LONGEST_MESSAGE = 1000  # DescribeProcessingJob's ExitMessage holds 1,024 characters.


@dataclass(frozen=True)
class Ending:
    """A job's exit code and message; the same on each of its hosts."""

    code: int
    message: str


def run(
    work: Callable[[Cluster], str],
    exit_message: Path,
    known: tuple[type[Exception], ...],
    verify: Callable[[], object] = lambda: None,
    training_hosts: int = 1,
) -> int:
    """Do the work of a job, write its result as the exit message, and return the exit code.

    Only the first of several hosts calls `work`; the others do their part of what it gives the cluster, after
    they called `verify`: each has a copy of the input, which may be another one than `work` verifies. The
    message of an error of a `known` class is for people and becomes the exit message. Any other error is
    summarized in one line, and its traceback goes to the log.
    """
    hosts = find_hosts()
    if len(hosts.names) == 1:
        ending = attempt(lambda: work(Local(training_hosts)), known)
    elif hosts.current != hosts.first and (failed := attempt(lambda: str(verify()), known)).code:
        ending = failed
    else:
        # Its import takes longer than a small job.
        from common import dask_cluster

        ending = dask_cluster.run(
            hosts, training_hosts, lambda cluster: attempt(lambda: work(cluster), known)
        )
    try:
        _leave(ending.message, exit_message)
    except OSError as error:
        # The reason of a failure is in the log, too.
        ending = ending if ending.code else Ending(1, f"the exit message cannot be written: {error}")
    if ending.code:
        print(ending.message, file=sys.stderr)
    return ending.code


def attempt(work: Callable[[], str], known: tuple[type[Exception], ...]) -> Ending:
    """How the work ends; an exception is its message."""
    try:
        return Ending(0, work())
    except Exception as error:
        if isinstance(error, (ClusterFailed, *known)):
            return Ending(1, _shortened(str(error)))
        traceback.print_exc()
        text = " ".join(str(error).split())[:500]
        return Ending(1, f"unexpected error {type(error).__name__}: {text}; see the job's log")


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def _leave(message: str, exit_message: Path) -> None:
    exit_message.parent.mkdir(parents=True, exist_ok=True)
    exit_message.write_text(message, encoding="utf-8", errors="replace")
