"""What a person at this machine should know of its jobs, besides what AWS would say."""

from __future__ import annotations

import logging
import threading

_log = logging.getLogger(__name__)


class Notes:
    """Sentences, each kept and written to the log of this process once. Thread-safe."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Take a sentence that may have been said before."""
        with self._lock:
            if text not in self._texts:
                self._texts[text] = None
                _log.warning("%s", text)

    def texts(self) -> list[str]:
        """All of them, oldest first."""
        with self._lock:
            return list(self._texts)
