"""Does several chores; a failed one does not prevent the others."""

from collections import Counter
from collections.abc import Callable, Mapping

from shared import once
from shared.telemetry import describe_error, logger


class Chores:
    """Does one chore after the other and counts what each has done, by name."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.failed = 0

    def do(self, name: str, chore: Callable[[], int], subject: str) -> None:
        """Call `chore`, which returns how much it did. `subject` is for the log."""
        try:
            found = chore()
        except once.InProgress:
            return  # the event arrived after all, and its function is at work
        except Exception as error:
            self.failed += 1
            logger.error(f"{name} failed", subject=subject, **describe_error(error))
            return
        if found:
            self.done[name] += found
            logger.info(f"{name} reconciled", subject=subject)

    def do_undone(self, name: str, chores: Mapping[str, Callable[[], int]]) -> None:
        """Do each chore, by its key in `once`, unless it was done before."""

        def each() -> int:
            for key in once.undone(list(chores)):
                self.do(name, chores[key], key)
            return 0

        self.do(name, each, "which were done before")
