"""Takes the code of libraries out of this process's memory until it runs again."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path

# From <sys/mman.h>.
MADV_DONTNEED = 4


def unmap() -> None:
    """Let go of the pages of code that are mapped now; most of them only ran while their library was loaded.

    They are pages of files to which nothing is ever written. The kernel keeps them for as long as it has
    memory to spare, and maps one again, within microseconds, when it runs again. Only Linux does this.
    """
    if sys.platform != "linux":
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with contextlib.suppress(OSError):  # /proc is not mounted
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, rights, _, _, inode, *_ = line.split(maxsplit=5)
            if rights == "r-xp" and inode != "0":
                start, end = (int(address, 16) for address in addresses.split("-"))
                advise(start, end - start, MADV_DONTNEED)
