"""Ctrl-C, SIGTERM and SIGHUP as one exception that never comes at a bad moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked the program to stop. Like KeyboardInterrupt, no Exception, so no handler catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The exit code that a shell reports for a program that ended by this signal."""
        return 128 + self.signum


class Interrupts:
    """While entered, the first signal raises Interrupted in the main thread; later ones do nothing.

    A signal that the parent process ignores (nohup, background jobs) stays ignored.
    """

    def __init__(self) -> None:
        self._holds = 0
        self._pending: int | None = None
        self._deaf = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                self._previous[signum] = signal.signal(signum, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._previous.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """A section that a signal must not interrupt, such as starting a process and recording it.

        A signal that arrives in the meantime raises at the end of the section.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._raise_pending()

    def ignore(self) -> None:
        """Ignore signals from here on, because the program is already stopping."""
        self._deaf = True

    def _heard(self, signum: int, _frame: FrameType | None) -> None:
        if self._pending is None and not self._deaf:
            self._pending = signum
            self._raise_pending()

    def _raise_pending(self) -> None:
        if self._pending is not None and self._holds == 0 and not self._deaf:
            self._deaf = True
            raise Interrupted(self._pending)
