"""Properties of any uploaded bytes. Tests and the fuzzer (tests/fuzz) check them."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from auto_mpg.cars import check_cars
from auto_mpg.inference import input_fn
from common.cluster import Local
from common.digests import file_digest
from common.preprocessing import preprocess
from common.uploads import BadUpload
from common.workload import find_workload

KEY = "incoming/cars.csv"
CARS = find_workload("auto_mpg")
# The only thing that preprocessing alone can tell: it needs the split.
ONLY_THE_JOB_TELLS = "has too few rows with horsepower"


def judge(upload: bytes, name: str = KEY) -> str:
    """The message about an upload, "" if it is accepted; fails unless check and job agree."""
    message = refusal(lambda: check_cars(io.BytesIO(upload), name))
    assert_fit_for_a_person(message)
    for size in (len(upload) // 3, len(upload) - 1):
        _assert_head_agrees(upload[: max(size, 0)], name, message)
    by_job = _prepare(upload, name)
    if message or ONLY_THE_JOB_TELLS not in by_job:
        assert by_job == message
    return message


def refusal(read: Callable[[], object]) -> str:
    """The reader's message for a person; "" if it accepts the file."""
    try:
        read()
    except BadUpload as problem:
        return str(problem) or "(nothing)"
    return ""


def assert_fit_for_a_person(message: str) -> None:
    """At most a kilobyte, the size of an exit message, and without anything that a terminal or log would obey."""
    assert len(message) < 1000
    assert all(line.isprintable() for line in message.split("\n")), message


def _assert_head_agrees(head: bytes, name: str, message: str) -> None:
    """The head of a good file is good; the first problem in the head is the first problem in the whole file."""
    of_head = refusal(lambda: check_cars(io.BytesIO(head), name, whole=False))
    assert not of_head or of_head.split("\n")[0] == message.split("\n")[0]


def _prepare(upload: bytes, name: str) -> str:
    """The job's message. The model's server must be able to read everything that it prepared, car by car."""
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "upload.csv", Path(folder) / "prepared"
        path.write_bytes(upload)
        message = refusal(
            lambda: preprocess(CARS, path, file_digest(path), output, "s3://b/p/", name, Local(workers=1))
        )
        if message:
            assert not output.exists()
        else:
            batch = (output / "batch" / "batch.csv").read_bytes()
            assert len(input_fn(batch, "text/csv")) == batch.count(b"\n")
    return message
