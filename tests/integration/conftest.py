"""Tests that cannot run here are not collected: the Lambda runtime's emulator is a Linux program, and PyTorch is
large."""

import sys

from tests.pytorch import NEED_IT, left_out, why_left_out

ONLY_LINUX = [] if sys.platform == "linux" else ["events"]
collect_ignore = [*ONLY_LINUX, *left_out(__file__)]


def pytest_report_header() -> list[str]:
    lines = [f"not collected on {sys.platform}: tests/integration/{name}" for name in ONLY_LINUX]
    if why := why_left_out():
        lines.append(f"not collected: {', '.join(NEED_IT)} and workloads with PyTorch elsewhere. {why}")
    return lines
