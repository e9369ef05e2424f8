"""Reuse saves time and breaks no run: whatever fails about it, the run does the step itself."""

import json
from typing import Any

import pytest

from tests.faults.calls import Call
from tests.faults.pipeline import Pipeline, without
from tests.faults.run import Run

STEPS = {"preprocess", "tune", "evaluate"}


@pytest.fixture(scope="module", autouse=True)
def earlier(deployed: Pipeline) -> Run:
    """A run that has left everything."""
    run = deployed.upload(reuse=False)
    assert run.ends().outcome == "pending"
    return run


def reused(run: Run) -> dict[str, str]:
    """The runs whose results a run that waits for its approval has reused, by step."""
    (package,) = run.packages()
    facts: dict[str, Any] = json.loads(run.pipeline.item(f"package#{package}")["facts"]["S"])
    return dict(facts["reused"])


def test_a_run_with_the_same_content_does_no_job_but_the_predictions(
    pipeline: Pipeline, earlier: Run
) -> None:
    run = pipeline.upload("another name.csv", reuse=True)
    assert run.ends().outcome == "pending"
    assert [name.rpartition("-0-0")[0] for name in run.jobs()] == [f"{run.run_id}-predict"]
    assert reused(run) == dict.fromkeys(STEPS, earlier.run_id)


@pytest.mark.parametrize(
    "calls",
    [
        [Call("dynamodb:GetItem", "result#"), Call("dynamodb:PutItem", "result#")],
        [Call("lambda:Invoke", "FindResult"), Call("lambda:Invoke", "RememberResults")],
    ],
    ids=["table", "functions"],
)
def test_a_run_that_can_neither_find_nor_remember_results_does_every_step_and_asks_all_the_same(
    pipeline: Pipeline, calls: list[Call]
) -> None:
    for call in calls:
        pipeline.fault(
            call.operation, containing=call.containing, error="AccessDenied", status=403, times=None
        )
    run = pipeline.upload(reuse=True)
    assert run.ends().outcome == "pending"
    assert [rule["operation"] for rule in pipeline.heal() if not rule["applied"]] == []
    assert reused(run) == {}
    assert len(run.jobs()) == 4


def test_files_deleted_before_their_reuse_are_made_again(pipeline: Pipeline, earlier: Run) -> None:
    run = pipeline.upload(content=without(2), reuse=False)
    assert run.ends().outcome == "pending"
    pipeline.delete(f"runs/{run.run_id}/prepared/train/train.manifest")
    later = pipeline.upload(content=without(2), reuse=True)
    assert later.ends().outcome == "pending"
    # What the others left is still there; the data are the same.
    assert reused(later) == dict.fromkeys(STEPS - {"preprocess"}, run.run_id)


def test_files_deleted_between_search_and_reuse_fail_the_run_and_a_later_one_makes_them_again(
    pipeline: Pipeline,
) -> None:
    first = pipeline.upload(reuse=True)
    assert first.ends().outcome == "pending"
    evaluated = reused(first).get("evaluate", first.run_id)
    with pipeline.held("lambda:Invoke", "KeepModel"):
        run = pipeline.upload(reuse=True)
        pipeline.until_met()
        pipeline.delete(f"runs/{evaluated}/evaluation/evaluation.json")
    assert (run.is_over().error, run.entered()[-1]) == ("ArtifactRefused", "Keep model")
    run.reported()
    again = pipeline.upload(reuse=True)
    assert again.ends().outcome == "pending"
    assert set(reused(again)) == STEPS - {"evaluate"}


def test_of_two_runs_at_once_one_is_remembered_and_both_succeed(pipeline: Pipeline) -> None:
    content = without(3)
    runs = [pipeline.upload(content=content, reuse=True) for _ in range(2)]
    assert [run.ends().outcome for run in runs] == ["pending", "pending"]
    later = pipeline.upload(content=content, reuse=True)
    assert later.ends().outcome == "pending"
    assert set(reused(later)) == STEPS
    assert set(reused(later).values()) <= {run.run_id for run in runs} | set(reused(runs[0]).values())
