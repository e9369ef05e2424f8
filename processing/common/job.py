"""Ends a job: its exit message is all that it reports besides its files.

For a failed job, the message is the reason, which SageMaker shows to people. For a successful one, it is the
digest of its output, which the state machine passes to the next step.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

LONGEST_MESSAGE = 1000  # DescribeProcessingJob's ExitMessage holds 1,024 characters.


def run(work: Callable[[], str], exit_message: Path, known: tuple[type[Exception], ...]) -> int:
    """Do the work of a job, write its result as the exit message, and return the exit code.

    The message of an error of a `known` class is for people and becomes the exit message. Any other error is
    summarized in one line, and its traceback goes to the log.
    """
    try:
        _leave(work(), exit_message)
    except known as error:
        _fail(str(error), exit_message)
        return 1
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split())
        _fail(f"unexpected error {type(error).__name__}: {text[:500]}; see the job's log", exit_message)
        return 1
    return 0


def _fail(reason: str, exit_message: Path) -> None:
    if len(reason) > LONGEST_MESSAGE:
        reason = reason[: LONGEST_MESSAGE - 1] + "…"
    print(reason, file=sys.stderr)
    # The log has the reason, too.
    with contextlib.suppress(OSError):
        _leave(reason, exit_message)


def _leave(message: str, exit_message: Path) -> None:
    exit_message.parent.mkdir(parents=True, exist_ok=True)
    exit_message.write_text(message, encoding="utf-8", errors="replace")
