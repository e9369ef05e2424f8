"""Makes libraries importable that came with the code, because the job's image lacks them.

Standard library only.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Unpack a folder's wheels, from which modules can then be imported before those of the image.

    Native libraries cannot be imported from a zip file. Does nothing if there is no folder.
    """
    if folder is None:
        yield
        return
    with tempfile.TemporaryDirectory() as unpacked:
        for wheel in sorted(folder.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
        sys.path.insert(0, unpacked)
        try:
            yield
        finally:
            sys.path.remove(unpacked)
