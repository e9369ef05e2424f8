"""What must hold for any bytes that somebody uploads. Tests and the fuzzer (tests/fuzz) ask it."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from auto_mpg.cars import check_cars, read_cars
from auto_mpg.inference import input_fn
from common.digests import file_digest
from common.preprocessing import preprocess
from common.uploads import BadUpload
from common.workload import find_workload

KEY = "incoming/cars.csv"
CARS = find_workload("auto_mpg")
# The only thing that preprocessing alone can tell: it needs the split.
ONLY_THE_JOB_TELLS = "has too few rows with horsepower"


def judge(upload: bytes, name: str = KEY) -> str:
    """What is told of an upload, "" if it is accepted; fails unless everybody who reads it agrees."""
    told = refusal(lambda: check_cars(io.BytesIO(upload), name))
    assert told == refusal(lambda: read_cars(io.BytesIO(upload), name))
    assert_fit_for_a_person(told)
    for size in (len(upload) // 3, len(upload) - 1):
        _assert_head_agrees(upload[: max(size, 0)], name, told)
    by_job = _prepare(upload, name)
    if told or ONLY_THE_JOB_TELLS not in by_job:
        assert by_job == told
    return told


def refusal(read: Callable[[], object]) -> str:
    """What reading tells a person; "" if it does not refuse."""
    try:
        read()
    except BadUpload as problem:
        return str(problem) or "(nothing)"
    return ""


def assert_fit_for_a_person(message: str) -> None:
    """At most a kilobyte, as an exit message holds, and nothing in it that a terminal or log would obey."""
    assert len(message) < 1000
    assert all(line.isprintable() for line in message.split("\n")), message


def _assert_head_agrees(head: bytes, name: str, told: str) -> None:
    """The head of a good file is good; what is wrong in the head is what is wrong first in the whole file."""
    of_head = refusal(lambda: check_cars(io.BytesIO(head), name, whole=False))
    assert not of_head or of_head.split("\n")[0] == told.split("\n")[0]


def _prepare(upload: bytes, name: str) -> str:
    """What the job says. What it prepared, the model's server must be able to read, car by car."""
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "upload.csv", Path(folder) / "prepared"
        path.write_bytes(upload)
        told = refusal(lambda: preprocess(CARS, path, file_digest(path), output, "s3://b/p/", name))
        if told:
            assert not output.exists()
        else:
            batch = (output / "batch" / "batch.csv").read_bytes()
            assert len(input_fn(batch, "text/csv")) == batch.count(b"\n")
    return told
