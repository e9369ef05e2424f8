"""Tries models, each in a separate process: some tampered models crash XGBoost's process.

A program, because a process that has computed with OpenMP cannot fork any more:

    python -m tests.unit.security.model_trial <model folder>  < paths of boosters  > a verdict a line

For each line of its input it tries that booster in place of the folder's own, and says "loaded" or "refused", "killed
by signal N", "ended at its time limit", or "an unexpected exception".
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[3]
# A job has an hour; a local job has its request's time limit.
CPU_SECONDS = 0.2
SECONDS = 5.0
ROW = "8,307,130,3504,12,70,1,x"
VERDICTS = ("loaded", "refused")
ALLOWED = (*VERDICTS, "killed by signal", "ended at its time limit")


class Trial:
    """The started program, as a context manager."""

    def __init__(self, model_folder: Path) -> None:
        command = [sys.executable, "-m", "tests.unit.security.model_trial", str(model_folder)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=2 * SECONDS)

    def verdict(self, booster: Path) -> str:
        """The outcome of one booster."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{booster}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def main(folder: Path, boosters: Iterable[str]) -> None:
    # XGBoost imports both if it can, which takes longer than most trials; serving needs neither.
    sys.modules["pandas"] = sys.modules["sklearn"] = None  # type: ignore[assignment]
    from auto_mpg import inference

    with tempfile.TemporaryDirectory() as tried:
        for name in (inference.PREPROCESSOR, inference.XGBOOST_VERSION):
            shutil.copy(folder / name, tried)
        for line in boosters:
            shutil.copyfile(line.rstrip("\n"), Path(tried) / inference.BOOSTER)
            print(_fork(Path(tried)), flush=True)


def _fork(folder: Path) -> str:
    process = os.fork()
    if not process:
        # What computes for ever is ended by this signal, and however busy the machine is, nothing else.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        os._exit(_try(folder))
    deadline = time.monotonic() + SECONDS
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return "ended at its time limit"
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGPROF:
        return "ended at its time limit"
    if code < 0:
        return f"killed by signal {-code}"
    return VERDICTS[code] if code < len(VERDICTS) else "an unexpected exception"


def _try(folder: Path) -> int:
    from auto_mpg import inference
    from common.serving import UnusableModel

    try:
        inference.predict_fn(inference.input_fn(ROW, "text/csv"), inference.model_fn(str(folder)))
    except UnusableModel:
        return VERDICTS.index("refused")
    except BaseException:
        return len(VERDICTS)
    return VERDICTS.index("loaded")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "processing"))
    main(Path(sys.argv[1]), sys.stdin)
