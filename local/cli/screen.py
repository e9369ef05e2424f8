"""What a person sees: lines that stay and, on a terminal, one moving line for the current step."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

NAME_WIDTH = 30
SECONDS_WIDTH = 8


@dataclass
class _Current:
    """The current step, redrawn a few times a second."""

    name: str
    note: str = ""
    details: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    def __rich__(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(" ", self.spinner, _columns(self.name, time.monotonic() - self.since, self.note))
        return Group(grid, *(_detail(text) for text in self.details))


class Screen:
    """Prints for a terminal or, without one, in plain lines that do not move."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._current: _Current | None = None

    @classmethod
    def on(cls, *, stderr: bool) -> "Screen":
        """A screen on one of the standard streams."""
        return cls(Console(stderr=stderr, highlight=False, soft_wrap=True))

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    def close(self) -> None:
        """Restore the terminal, whatever was interrupted."""
        if self._live:
            self._live.stop()
            self._live = None
        if self.is_terminal:
            self._console.show_cursor(True)

    def line(self, text: str = "", style: str = "") -> None:
        """One line, unchanged."""
        self._console.print(_plain(text, style))

    def heading(self, text: str) -> None:
        """Begins a section."""
        self.line()
        self.line(text, style="bold")

    def block(self, text: str) -> None:
        """A block of somebody else's text, set apart from ours."""
        bar = "│ " if self._fancy else "| "
        for line in text.rstrip().splitlines():
            self._console.print(Text.assemble(("  " + bar, "dim"), _plain(line)))

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names and their values, one below the other."""
        width = max(len(name) for name, _ in rows) + 2
        for name, value in rows:
            self._console.print(Text.assemble("  ", (name.ljust(width), "dim"), _plain(value)))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows in aligned columns."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row, style in [(header, "dim"), *((row, "") for row in rows)]:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  " + "  ".join(cells).rstrip(), style=style)

    @contextmanager
    def live(self) -> Iterator[None]:
        """While entered, `doing` shows the current step."""
        self._live = (
            Live(console=self._console, transient=True, refresh_per_second=8) if self.is_terminal else None
        )
        try:
            if self._live:
                self._live.start()
            yield
        finally:
            self._current = None
            if self._live:
                self._live.update("")
                self._live.stop()
                self._live = None

    @contextmanager
    def progress(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """While entered, a bar that grows with each number of bytes; without a terminal, a line every tenth.

        Any thread may call the function.
        """
        if not self.is_terminal:
            yield _Tenths(self, name, size).advance
            return
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        text = TextColumn("{task.description}", markup=False)
        with Progress(text, *columns, console=self._console, transient=True) as bar:
            task = bar.add_task(f"  {printable(name)}", total=size)
            yield lambda done: bar.advance(task, done)

    def doing(self, name: str, note: str = "") -> None:
        """Begin a step, or change the note on the current one."""
        if not self._current or self._current.name != name:
            self._current = _Current(name)
        self._current.note = note
        if self._live:
            self._live.update(self._current)

    def detail(self, text: str) -> None:
        """Something that happened within the current step; it stays below the step's line."""
        if self._live and self._current:
            self._current.details.append(text)
        else:
            self.line(f"      {text}")

    def done(self, name: str, seconds: float | None, note: str = "", *, ok: bool = True) -> None:
        """A step is over."""
        ours = self._current is not None and self._current.name == name
        details = self._current.details if ours and self._live and self._current else []
        if ours:
            self._current = None
        if self._live:
            self._live.update("")
        self._console.print(Text.assemble("  ", self._mark(ok), " ", _columns(name, seconds, note)))
        for text in details:
            self._console.print(_detail(text))

    def failure(self, what: str) -> None:
        """The one line that says what went wrong."""
        self.line(what, style="bold red")

    @property
    def _fancy(self) -> bool:
        return self.is_terminal and self._console.encoding.startswith("utf")

    def _mark(self, ok: bool) -> Text:
        if self._fancy:
            return Text("✓", style="green") if ok else Text("✗", style="red")
        return Text("ok  " if ok else "FAIL")


class _Tenths:
    """Prints a line whenever another tenth is done."""

    def __init__(self, screen: Screen, name: str, size: int) -> None:
        self._screen, self._name, self._size = screen, name, size
        self._done, self._lock = 0, threading.Lock()

    def advance(self, done: int) -> None:
        with self._lock:
            before, self._done = self._done, self._done + done
            tenth = 10 * self._done // self._size
            if tenth > 10 * before // self._size:
                megabytes = f"{self._done / 1e6:,.0f} of {self._size / 1e6:,.0f} MB"
                self._screen.line(f"  {self._name}: {megabytes}, {10 * tenth} %")


def _columns(name: str, seconds: float | None, note: str) -> Text:
    took = "" if seconds is None else f"{seconds:.1f} s"
    suffix = _plain("   " + note if note else "", "dim")
    return Text.assemble(_plain(name.ljust(NAME_WIDTH)), (took.rjust(SECONDS_WIDTH), "dim"), suffix)


def _detail(text: str) -> Text:
    return _plain("      " + text, "dim")


def _plain(text: str, style: str = "") -> Text:
    """Text that cannot move the cursor, change colours or ring the bell: other people wrote much of it."""
    return Text("\n".join(map(printable, text.split("\n"))), style=style)


def printable(text: str) -> str:
    """The text in one line, with a space for every character that a terminal would obey, not show."""
    return "".join(character if character.isprintable() else " " for character in text)


def short(value: str) -> str:
    """A number with as many digits as a person compares; any other text as it is."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
