"""How a job ends: SageMaker shows a person nothing but its exit message, so that is where the reason goes."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

LONGEST_MESSAGE = 1000  # DescribeProcessingJob's ExitMessage holds 1,024 characters.


def run(work: Callable[[], None], exit_message: Path, known: tuple[type[Exception], ...]) -> int:
    """Do the work of a job and return its exit code.

    An error of a `known` class carries its message for a person. Any other is told in one line, and its
    traceback goes to the log.
    """
    try:
        work()
    except known as error:
        _tell(str(error), exit_message)
        return 1
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split())
        _tell(f"unexpected error {type(error).__name__}: {text[:500]}; see the job's log", exit_message)
        return 1
    return 0


def _tell(message: str, exit_message: Path) -> None:
    if len(message) > LONGEST_MESSAGE:
        message = message[: LONGEST_MESSAGE - 1] + "…"
    print(message, file=sys.stderr)
    with contextlib.suppress(OSError):
        exit_message.parent.mkdir(parents=True, exist_ok=True)
        exit_message.write_text(message, encoding="utf-8", errors="replace")
