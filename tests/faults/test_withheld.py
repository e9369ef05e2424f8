"""AWS delivers events on a best-effort basis; the sweep reconciles what no event reported, once."""

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline

SLOW = "import time; time.sleep(600)"


def test_an_end_that_no_event_reported_is_reported_by_the_sweep_once(pipeline: Pipeline) -> None:
    with pipeline.withheld("NotifyFunctionRunEnded"):
        run = pipeline.upload("cars.csv", b"nothing that can be used")
        assert run.ends().error == "UploadRefused"
        pipeline.sweep()
        assert len(run.endings()) == 1
    pipeline.sweep()
    assert "mailed" in pipeline.invoke("NotifyFunction", run.end_event())
    assert len(run.endings()) == 1


def test_a_decision_that_no_event_reported_is_passed_on_by_the_sweep_once(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.withheld("ResumePipelineFunctionPackageDecided"):
        run.decide("Approved")
        pipeline.sweep()
        assert run.is_over().outcome == "approved"
    assert pipeline.sweep().get("decision", 0) == 0
    run.reported()
    assert len(run.endings()) == 1


def test_an_orphaned_job_whose_runs_end_no_event_reported_is_stopped_by_the_sweep(pipeline: Pipeline) -> None:
    with pipeline.withheld("StopJobsFunctionRunEndedBadly"), pipeline.instead_of("preprocess", SLOW):
        run = pipeline.upload(reuse=False)
        eventually(lambda: pipeline.running_jobs(run), 60)
        run.stop()
        pipeline.sweep()
        eventually(lambda: list(run.jobs().values()) == ["Stopped"])
    assert pipeline.running_jobs(run) == []
