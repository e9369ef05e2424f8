"""What it costs to prepare a large file of cars, beside pandas in chunks, Polars and DuckDB.

`python benchmarks/scale.py --gigabytes 1` writes such a file, lets each engine prepare it in a process of its
own, one after the other, and prints seconds, CPU seconds, and the peak memory of the process and its children
(PSS, where each shared page counts once). What the others do is in `engines.py`; they come from
requirements-bench.lock into an environment that is removed afterwards. `--plot FILE` measures `prepare` alone
from 10 MB up to that size.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(ROOT))

from benchmarks.cars import write_cars  # noqa: E402 - after the path
from benchmarks.cost_plot import Cost, plot  # noqa: E402

OURS = "prepare"
ENGINES = (OURS, "polars", "duckdb", "pandas")
PREPARE = """
import sys
from pathlib import Path
from auto_mpg.preprocess import prepare
from common.cluster import Local
prepare(Path(sys.argv[1]), "cars.csv", Path(sys.argv[2]), Local())
"""
_SAMPLES_A_SECOND = 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how large files are prepared.")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the file (default: 1)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="default: all")
    parser.add_argument(
        "--folder", type=Path, help="where there is room for three times that (default: /tmp)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="measure many sizes, and draw an SVG")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        size = int(arguments.gigabytes * 1e9)
        if arguments.plot:
            found = measure_sizes(Path(scratch), size)
            arguments.plot.write_text(plot(found))
            print(json.dumps({str(size): asdict(cost) for size, cost in found.items()}, indent=2))
        else:
            show(measure_engines(Path(scratch), size, arguments.engines), as_json=arguments.json)


def measure_engines(scratch: Path, size: int, engines: Sequence[str]) -> dict[str, Cost]:
    """The cost of each engine for one file."""
    upload = scratch / "cars.csv"
    write_cars(upload, size)
    peers = any(engine not in (OURS, "pandas") for engine in engines)
    environment = _environment(scratch / "environment") if peers else ""
    return {engine: measure(_command(engine), upload, scratch / engine, environment) for engine in engines}


def measure_sizes(scratch: Path, largest: int) -> dict[int, Cost]:
    """The cost of our own for files of 10 MB, 30 MB, 100 MB and so on."""
    sizes = [size for power in range(7, 12) for size in (10**power, 3 * 10**power) if size < largest]
    found = {}
    for size in [*sizes, largest]:
        upload = scratch / "cars.csv"
        write_cars(upload, size)
        found[size] = measure(_command(OURS), upload, scratch / OURS)
        print(f"{size / 1e6:8,.0f} MB {found[size]}", file=sys.stderr, flush=True)
    return found


def measure(command: Sequence[str], upload: Path, output: Path, environment: str = "") -> Cost:
    """Run a command on a file that has been read before, and remove what it writes."""
    output.mkdir()
    path = os.pathsep.join([str(ROOT / "processing"), environment])
    variables = {**os.environ, "PYTHONPATH": path, "POLARS_TEMP_DIR": str(output)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen([*command, str(upload), str(output)], env=variables, stdout=subprocess.DEVNULL)
    peak = _Peak(process.pid)
    peak.start()
    code = process.wait()
    seconds = time.perf_counter() - start
    peak.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(output)
    if code:
        raise RuntimeError(f"{' '.join(command[:3])} ended with {code}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, cpu, peak.bytes / 1e6)


def show(found: dict[str, Cost], *, as_json: bool) -> None:
    """Print a table or JSON."""
    if as_json:
        print(json.dumps({engine: asdict(cost) for engine, cost in found.items()}, indent=2))
        return
    print(f"{'':<12}{'s':>10}{'CPU s':>10}{'MB':>10}")
    for engine, cost in found.items():
        print(f"{engine:<12}{cost.seconds:>10.1f}{cost.cpu_seconds:>10.1f}{cost.megabytes:>10.0f}")


def _command(engine: str) -> list[str]:
    if engine == OURS:
        return [sys.executable, "-c", PREPARE]
    return [sys.executable, str(BENCHMARKS / "engines.py"), engine]


def _environment(folder: Path) -> str:
    """Install the other engines; returns the folder with their packages."""
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    # The project's own settings for uv are not for this environment.
    install = [uv, "pip", "install", "-q", "--no-config", "--python", str(folder / "bin" / "python")]
    lock = ["--no-deps", "--require-hashes", "--requirement", str(ROOT / "requirements-bench.lock")]
    subprocess.run([*install, *lock], check=True)
    return sysconfig.get_path("purelib", "venv", {"base": str(folder)})


class _Peak(threading.Thread):
    """Watches the memory of a process and its children until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.bytes = 0
        self._pid = pid

    def run(self) -> None:
        while now := sum(map(_proportional_set_size, _tree(self._pid))):
            self.bytes = max(self.bytes, now)
            time.sleep(1 / _SAMPLES_A_SECOND)


def _tree(pid: int) -> list[int]:
    # A pool may start its processes from any thread.
    tasks = list(Path(f"/proc/{pid}/task").glob("[0-9]*/children"))
    children = [child for task in tasks for child in _read(task).split()]
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _proportional_set_size(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
