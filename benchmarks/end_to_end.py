"""The pipeline compared with one plain script that does the same machine-learning work.

`make bench` prints medians and ratios of the following, measured in turn in one run:

- the script: `plain_script.py` as a whole process, including imports
- the pipeline: from the upload to the approval mail, on an `mpg up` that is already running
- the start of that `mpg up`, from nothing to deployed, without and with an earlier build
- `mpg run` that starts an embedded AWS and stops it again
- the peak memory of each (on Linux: PSS over the whole process tree)
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data/auto-mpg.csv"
MPG = Path(sys.executable).with_name("mpg")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the pipeline against a plain script.")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of script and pipeline (default: 7)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        shutil.rmtree(ROOT / ".mpg/build", ignore_errors=True)
        with running_up() as (cold_up, _):
            pass
        with running_up() as (warm_up, process):
            memory = PeakMemory(process.pid)
            pipeline("warm the functions up")
            pairs = [(script(Path(scratch)), pipeline("measured")) for _ in range(rounds)]
        own = seconds_of([str(MPG), "run", str(DATA), "--decision", "approve"])
    report([(plain[0], seconds) for plain, seconds in pairs])
    starts = {"mpg up, nothing built": cold_up, "mpg up, built before": warm_up, "mpg run on its own": own}
    print("starting")
    for name, seconds in starts.items():
        print(f"  {name:<30}{seconds:.1f} s")
    print("peak memory")
    print(f"  plain script                  {max(plain[1] for plain, _ in pairs):.0f} MB")
    print(f"  embedded AWS with its jobs    {memory.peak_mb():.0f} MB")


def script(scratch: Path) -> tuple[float, float]:
    """Seconds and peak MB of the plain script as a process."""
    command = [sys.executable, "benchmarks/plain_script.py", str(DATA), str(scratch / "predictions.csv")]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the plain script failed")
    kilobytes = usage.ru_maxrss / (1 if sys.platform == "linux" else 1024)
    return time.monotonic() - started, kilobytes / 1024


def pipeline(what: str) -> dict[str, Any]:
    """The seconds of one run by state, from `mpg run --json`."""
    command = [str(MPG), "run", str(DATA), "--decision", "approve", "--force", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if result["outcome"] != "approved":
        raise SystemExit(f"{what}: the run ended as {result['outcome']}: {result['cause']}")
    seconds: dict[str, Any] = result["seconds"]
    return seconds


@contextlib.contextmanager
def running_up() -> Iterator[tuple[float, "subprocess.Popen[str]"]]:
    """A running `mpg up`, and the seconds until it was deployed."""
    started = time.monotonic()
    process = subprocess.Popen([str(MPG), "up"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - for mypy: a pipe was asked for
        for line in process.stdout:
            if line.startswith("Ready"):
                break
        yield time.monotonic() - started, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def seconds_of(command: list[str]) -> float:
    """Wall-clock seconds of a command that must succeed."""
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


class PeakMemory:
    """Samples the memory of a process and all its descendants, ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def peak_mb(self) -> float:
        """The largest sum seen; 0 where /proc is missing."""
        return self._peak / 1024

    def _watch(self) -> None:
        while Path(f"/proc/{self._pid}").exists():
            self._peak = max(self._peak, sum(_pss_kilobytes(pid) for pid in _tree(self._pid)))
            time.sleep(0.1)


def _tree(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(child))]


def _pss_kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def report(pairs: list[tuple[float, dict[str, Any]]]) -> None:
    """Print the figures for the README."""
    ratios = [seconds["total"] / plain for plain, seconds in pairs]
    print(f"{len(pairs)} pairs on {os.cpu_count()} cores: median (smallest to largest)")
    print(f"  plain script                  {spread([plain for plain, _ in pairs])} s")
    print(f"  upload to approval mail       {spread([seconds['total'] for _, seconds in pairs])} s")
    print(f"  ratio, pair by pair           {spread(ratios)}")
    print("where the pipeline's time goes (medians)")
    states = [state for state in pairs[0][1] if state not in {"total", "Approved?", "Model approved"}]
    for state in states:
        print(f"  {state:<30}{statistics.median(seconds[state] for _, seconds in pairs):.2f} s")


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
