"""Copies a folder of a running job to S3 while its files change, as SageMaker does with checkpoints."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType

from local.sagemaker.errors import JobFailed
from local.sagemaker.storage import Storage, join_uri

# Seconds between checks for changed files.
SECONDS = 1.0


class Mirror:
    """While entered, uploads new files of a folder, and once more at the end.

    Files that exist on entry count as uploaded. A failed upload is retried; if the last one fails and
    nothing else did, it raises `JobFailed`.
    """

    def __init__(self, storage: Storage, folder: Path, uri: str, kms_key: str | None = None) -> None:
        self._storage = storage
        self._folder = folder
        self._uri = uri
        self._kms_key = kms_key
        self._uploaded: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def __enter__(self) -> Mirror:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._uploaded = self._files()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with contextlib.suppress(*([JobFailed] if error else [])):
            self._upload()

    def _run(self) -> None:
        while not self._over.wait(SECONDS):
            with contextlib.suppress(JobFailed):
                self._upload()

    def _upload(self) -> None:
        for path, version in sorted(self._files().items()):
            if self._uploaded.get(path) != version:
                # The job may have deleted it in the meantime.
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    uri = join_uri(self._uri, path.relative_to(self._folder).as_posix())
                    self._storage.upload(file, uri, self._kms_key)
                    self._uploaded[path] = version

    def _files(self) -> dict[Path, tuple[int, int]]:
        """Every file, with the values that show a change."""
        found = {}
        for path in self._folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    stat = path.stat()
                    found[path] = stat.st_mtime_ns, stat.st_size
        return found
