"""Linux-only tests are not collected elsewhere: the Lambda runtime's emulator is a Linux program."""

import sys

collect_ignore = [] if sys.platform == "linux" else ["test_events.py"]


def pytest_report_header() -> list[str]:
    return [f"not collected on {sys.platform}: tests/integration/{name}" for name in collect_ignore]
