"""Many simultaneous uploads, in an account without enough quota: all get their turn, with their own files."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.quotas import needs, project_workloads
from tests.faults.pipeline import SAMPLE, STACK, Pipeline
from tests.faults.run import RUN_SECONDS, Run

# `MPG_FAULTS_UPLOADS=100` for the full number.
UPLOADS = int(os.environ.get("MPG_FAULTS_UPLOADS", "10"))
SECONDS = 240 + 6 * UPLOADS
# The ten executions of a new account, shared by the functions for which a state waits; fewer for fewer uploads.
FUNCTIONS = ("CheckUploadFunction", "KeepModelFunction", "RequestApprovalFunction")
EXECUTIONS = max(1, 10 * UPLOADS // 100 // len(FUNCTIONS))
# A run goes on without these.
OTHERS = ("FindResultFunction", "RememberResultsFunction")
# Each decision at the same time starts processes of two more functions: see test_deliveries.py for those.
APPROVERS = 2

# Keys that S3 allows.
NAMES = [
    "plain.csv",
    "two words.csv",
    "100%.csv",
    "Übersicht für Zoë.csv",
    '"><script>alert(1)</script>&amp;.csv',
    "x" * 980 + ".csv",
    "a+b.csv",
    "%2Fetc%2Fpasswd.csv",
    "..csv",
    "ü" * 490 + ".csv",
]


@pytest.mark.timeout(60 + 2 * SECONDS)
def test_many_uploads_at_once_wait_for_the_quota_and_all_end_as_they_should(
    pipeline: Pipeline,
) -> None:
    names = [f"{number}/{NAMES[number % len(NAMES)]}" for number in range(UPLOADS)]
    contents = files_of_different_sizes(UPLOADS)
    with (
        pipeline.quotas(smallest_quotas(pipeline)),
        pipeline.concurrency(EXECUTIONS, *FUNCTIONS),
        ThreadPoolExecutor(8) as people,
        ThreadPoolExecutor(APPROVERS) as approvers,
    ):
        runs = list(people.map(pipeline.upload, names, contents))
        assert {run.ends(SECONDS).outcome for run in runs} == {"pending"}
        assert {ending.outcome for ending in approvers.map(Run.approve, runs)} == {"approved"}
    for run, content in zip(runs, contents, strict=True):
        run.reported()
        assert_own_files(run, content)
    assert len({run.arn for run in runs}) == UPLOADS
    assert len({package for run in runs for package in run.packages()}) == UPLOADS
    assert all((len(run.questions()), len(run.endings())) == (1, 1) for run in runs)
    for refusal in ("SageMaker.ResourceLimitExceededException", "Lambda.TooManyRequestsException"):
        assert sum(refusal in failures(run) for run in runs) > UPLOADS / 2, refusal


def test_ten_runs_side_by_side_leave_each_others_files_alone(pipeline: Pipeline) -> None:
    """As above, but without quotas: the jobs of a step begin at the same time, once all have been created."""
    contents = files_of_different_sizes(len(NAMES))
    # Each call of a function at the same time starts another process, and this is about the jobs.
    with (
        pipeline.concurrency(1, *FUNCTIONS, *OTHERS),
        ThreadPoolExecutor(len(contents)) as people,
    ):
        pipeline.fault("s3:GetObject", containing="/input/upload.csv", times=len(NAMES), delay=RUN_SECONDS)
        runs = list(people.map(pipeline.upload, NAMES, contents))
        pipeline.until_met(len(NAMES))
        pipeline.fault_instead("s3:GetObject", containing="/tuning/", times=len(NAMES), delay=RUN_SECONDS)
        pipeline.until_met(len(NAMES))
        pipeline.heal()
        assert {run.ends().outcome for run in runs} == {"pending"}
    for run, content in zip(runs, contents, strict=True):
        assert_own_files(run, content)
    assert len({frozenset(run.jobs()) for run in runs}) == len(runs)


def files_of_different_sizes(number: int) -> list[bytes]:
    header, *rows = SAMPLE.splitlines(keepends=True)
    return [header + b"".join(rows[: len(rows) - less]) for less in range(number)]


def assert_own_files(run: Run, content: bytes) -> None:
    """The run names its key, worked on what was uploaded and on nothing else, and wrote no object twice."""
    assert run.key[:200] in run.questions()[0].text
    assert checked_file(run) == content, run.key
    assert uploaded_rows(run) == len(content.splitlines()) - 1, run.key
    versions = versions_below(run)
    assert len(versions) > 10, run.key
    assert set(versions.values()) == {1}, run.key


def smallest_quotas(pipeline: Pipeline) -> dict[str, int]:
    """The quotas that `make deploy` requires: just enough for one run, and more than a new account often has."""
    (stack,) = pipeline.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    return {
        need.name: need.needed
        for need in needs(parameters, project_workloads())
        if need.service == "sagemaker"
    }


def failures(run: Run) -> list[str]:
    """The names of the errors that the execution met."""
    details = ("taskFailedEventDetails", "taskSubmitFailedEventDetails")
    return [event[name]["error"] for event in run.history() for name in details if name in event]


def checked_file(run: Run) -> bytes:
    """The file that the run works on."""
    found = run.pipeline.client("s3").get_object(
        Bucket=run.pipeline.stack["BucketName"], Key=f"runs/{run.run_id}/input/upload.csv"
    )
    return bytes(found["Body"].read())


def uploaded_rows(run: Run) -> int:
    """The number of uploaded rows that the run reports."""
    body = run.pipeline.client("s3").get_object(
        Bucket=run.pipeline.stack["BucketName"], Key=f"runs/{run.run_id}/prepared/summary.json"
    )["Body"]
    return int(json.load(body)["rows"]["uploaded"])


def versions_below(run: Run) -> dict[str, int]:
    """How often each object of a run was written."""
    s3, found = run.pipeline.client("s3"), dict[str, int]()
    for prefix in (f"runs/{run.run_id}/", f"models/{run.run_id}/"):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=run.pipeline.stack["BucketName"], Prefix=prefix
        )
        for version in (version for page in pages for version in page.get("Versions", [])):
            found[version["Key"]] = found.get(version["Key"], 0) + 1
    return found
