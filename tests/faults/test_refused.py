"""A file too large to be checked whole before the jobs is refused by the first of them."""

from tests.faults.pipeline import SAMPLE, Pipeline

# Over MaxCheckedBytes in few rows; only what comes after them is wrong.
LARGE = SAMPLE + (b"18,8,307,130,3504,12,70,1," + b"x" * 100_000 + b"\n") * 110


def test_a_row_that_only_the_job_can_see_is_told_as_a_refused_upload(pipeline: Pipeline) -> None:
    run = pipeline.upload(content=LARGE + b"no,car\n")
    assert run.ends().error == "States.TaskFailed"
    told = run.told()
    assert told.subject == f"Refused: {run.key}"
    assert f"{run.key}, line 510: has 2 fields; expected 9\n" in told.text
