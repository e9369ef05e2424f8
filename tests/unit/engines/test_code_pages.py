"""Code that does not run takes no memory, and runs again when it is called."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from local.sagemaker.engines.warm import code_pages


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what of a library is in memory")
def test_code_leaves_memory_until_it_runs_again() -> None:
    matrix = np.arange(1.0, 10.0).reshape(3, 3) + np.eye(3)
    inverse = np.linalg.inv(matrix)
    before = resident()

    code_pages.unmap()

    assert resident() < before / 2
    assert np.array_equal(np.linalg.inv(matrix), inverse)


def resident() -> int:
    """The kilobytes of numpy's code that are mapped."""
    sizes = re.findall(
        r"^\S+ r-xp .*/numpy/.*\n(?:[A-Z].*\n)*?Rss: +(\d+) kB$", Path("/proc/self/smaps").read_text(), re.M
    )
    return sum(map(int, sizes))
