import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from deploy.problems import Trouble
from local.cli import watch
from local.cli.endpoint import Endpoint, Mail
from local.cli.history import Ended
from local.cli.outcome import Result
from local.cli.screen import Screen
from local.cli.watch import Watch
from tests.unit.cli.fakes import FakeS3, HistoryBook, TuningJob, training_job

ARN = "arn:aws:states:us-east-1:000000000000:execution:mpg-local:one"
EVALUATION = {
    "metrics": [{"name": "mse", "label": "Mean squared error", "value": 8.7}],
    "gate": {"metric": "mse", "at_most": 46.0, "passed": True},
    "baseline": {"label": "predicting the mean", "value": 60.8},
}


class World:
    """The sources of the watch: the history, the tuning job, the bucket, the mailbox."""

    def __init__(self) -> None:
        self.book = HistoryBook()
        self.tuning = TuningJob()
        self.mailbox: list[Mail] = []
        self.notes = ["said before this run"]
        self.result = Result()
        self.shown = io.StringIO()
        self.s3 = FakeS3({"models/mpg-1/evaluation.json": json.dumps(EVALUATION).encode()})

    def client(self, service: str) -> Any:
        return {"stepfunctions": self.book, "sagemaker": self.tuning, "s3": self.s3}[service]

    def call(self, resource: str, parameters: dict[str, Any]) -> None:
        self.book.add("TaskScheduled", resource=resource, parameters=json.dumps(parameters))

    def enter(self, state: str, seconds: float = 0.0) -> None:
        self.book.add("TaskStateEntered", seconds, name=state)

    def leave(self, state: str, seconds: float = 1.0) -> None:
        self.book.add("TaskStateExited", seconds, name=state)

    def post(self, topic: str, text: str) -> Mail:
        mail = Mail(str(len(self.mailbox)), datetime.now(UTC), "a@example.com", topic, "subject", text)
        self.mailbox.append(mail)
        return mail

    def ask(self) -> None:
        self.enter("Ask for approval")
        payload = {"run_id": "mpg-1", "model_package_arn": "package", "predictions_uri": "s3://b/out"}
        self.call("invoke.waitForTaskToken", {"Payload": payload})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(Endpoint, "client", lambda self, service: made.client(service))
    monkeypatch.setattr(Endpoint, "mails", lambda self: list(made.mailbox))
    monkeypatch.setattr(Endpoint, "notes", lambda self: list(made.notes))
    monkeypatch.setattr(watch, "NOTE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(watch, "MAIL_SECONDS", 0.1)
    return made


def watching(world: World) -> Watch:
    screen = Screen(Console(file=world.shown, highlight=False, soft_wrap=True))
    return Watch(Endpoint(1, "secret"), ARN, world.result, screen)


def test_what_the_machine_says_of_the_jobs_is_shown_once(world: World) -> None:
    watched = watching(world)
    world.enter("Tune")
    world.notes.append("Installing PyTorch")
    world.leave("Tune")
    world.book.add("ExecutionSucceeded", output="{}")
    watched.until_end()

    assert world.shown.getvalue().count("Installing PyTorch") == 1
    assert "said before" not in world.shown.getvalue()


def test_it_follows_until_the_mail_about_this_run_is_there(world: World) -> None:
    world.ask()
    mine = world.post("approvals", "Run: mpg-1")
    world.post("endings", "Run: mpg-1")
    world.post("approvals", "Run: mpg-2")
    assert watching(world).until_mail("approvals") == mine


def test_a_mail_about_a_later_run_that_reused_this_one_is_not_mistaken_for_its_own(world: World) -> None:
    world.ask()
    mine = world.post("approvals", "Rows: 3\nRun: mpg-1")
    world.post("approvals", "Reused:  prepared data from run mpg-1, because\nRun: mpg-2")
    assert watching(world).until_mail("approvals") == mine


def test_an_earlier_mail_is_not_mistaken_for_the_request(world: World) -> None:
    world.post("approvals", f"Confirm your subscription, {ARN}")
    with pytest.raises(Trouble, match="Nothing happened"):
        watching(world).until_mail("approvals")


def test_a_silent_state_is_waited_for_while_a_job_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 0.01)
    world.enter("Tune")
    world.tuning.jobs.append(training_job("one", "InProgress"))
    end_after(world, looks=3)
    assert watching(world).until_end() == Ended("FAILED", {}, "Slow", "it took long")


def end_after(world: World, looks: int) -> None:
    """Let the execution end once somebody has asked so often which jobs are in progress."""
    listed = world.tuning.list_training_jobs

    def look(**request: Any) -> dict[str, Any]:
        if world.tuning.looks == looks:
            world.book.add("ExecutionFailed", error="Slow", cause="it took long")
        return listed(**request)

    world.tuning.list_training_jobs = look  # type: ignore[method-assign]


def test_an_execution_that_ends_without_asking_is_reported_as_such(world: World) -> None:
    world.book.add("ExecutionFailed", error="UploadRefused", cause="line 3")
    assert watching(world).until_mail("approvals") == Ended("FAILED", {}, "UploadRefused", "line 3")


def test_the_content_of_the_request_goes_into_the_result(world: World) -> None:
    world.ask()
    world.post("approvals", "Run: mpg-1")
    watching(world).until_mail("approvals")
    assert (world.result.model_package_arn, world.result.predictions_uri) == ("package", "s3://b/out")


def test_the_figures_are_those_that_the_pipeline_uses(world: World) -> None:
    world.enter("Keep model")
    world.book.add("TaskSucceeded", resource="invoke", output=json.dumps({"Payload": EVALUATION}))
    world.book.add("ExecutionFailed", error="ModelQualityTooLow")
    watching(world).until_end()
    found = world.result.as_json()
    assert (found["mse"], found["baseline_mse"], found["gate"]["passed"]) == (8.7, 60.8, True)


def test_the_best_hyperparameters_are_those_of_the_best_training_job(world: World) -> None:
    output = {"HyperParameters": {"alpha": "0.3", "eta": "0.2", "_tuning_objective_metric": "x"}}
    world.book.add("TaskSucceeded", resource="describeTrainingJob", output=json.dumps(output))
    world.book.add("ExecutionSucceeded", output="{}")
    watching(world).until_end()
    assert world.result.best_hyperparameters == {"alpha": "0.3", "eta": "0.2"}


def test_a_reused_result_is_shown_where_it_was_found_and_goes_into_the_result(world: World) -> None:
    found = {"run_id": "mpg-0", "uri": "s3://b/model", "trials": 7, "best_hyperparameters": {"alpha": "0.3"}}
    for step, state, answer in (
        ("preprocess", "Find prepared data", {"key": "a"}),
        ("tune", "Find tuned model", {"key": "b", "found": found}),
        ("", "Keep model", EVALUATION),
    ):
        world.enter(state)
        world.call("invoke", {"Payload": {"step": step}})
        world.book.add("TaskSucceeded", resource="invoke", output=json.dumps({"Payload": answer}))
        world.leave(state)
    world.book.add("ExecutionSucceeded", output="{}")
    watching(world).until_end()
    lines = [" ".join(line.split()) for line in world.shown.getvalue().splitlines()]
    assert lines == [
        "ok Find prepared data 1.0 s",
        "ok Find tuned model 1.0 s reused from run mpg-0, because data, code and parameters are the same",
        "ok Keep model 1.0 s",
    ]
    assert world.result.reused == {"tune": "mpg-0"}
    assert (world.result.trials, world.result.best_hyperparameters) == (7, {"alpha": "0.3"})


def test_trials_are_shown_with_the_best_so_far_and_counted(world: World) -> None:
    config = {
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3},
    }
    world.enter("Tune")
    request = {"HyperParameterTuningJobName": "t", "HyperParameterTuningJobConfig": config}
    world.call("createHyperParameterTuningJob.sync", request)
    world.tuning.jobs = [
        training_job("a", "Completed", 3.0, alpha="0.1"),
        training_job("b", "Stopped", 2.5, alpha="0.2"),
        training_job("c", "Failed", alpha="0.3"),
    ]
    world.leave("Tune")
    world.book.add("ExecutionSucceeded", output="{}")
    watching(world).until_end()
    lines = [" ".join(line.split()) for line in world.shown.getvalue().splitlines()]
    assert lines == [
        "trial 1 validation:rmse 3.0000 best 3.0000 (alpha 0.1)",
        "trial 2 validation:rmse 2.5000 best 2.5000 (alpha 0.2) stopped early",
        "trial 3 failed",
        "ok Tune 1.0 s 3 of 3 trials, best validation:rmse 2.5000",
    ]
    assert world.result.trials == 3


def test_the_seconds_of_each_state_go_into_the_result(world: World) -> None:
    world.enter("Claim upload", 0.0)
    world.leave("Claim upload", 0.25)
    world.book.add("ExecutionSucceeded", output="{}")
    watching(world).until_end()
    assert world.result.seconds == {"Claim upload": 0.25}


def test_a_run_without_progress_is_abandoned_with_the_name_of_the_state(world: World) -> None:
    world.enter("Evaluate")
    with pytest.raises(Trouble, match="Evaluate"):
        watching(world).until_end()


def test_the_wait_for_a_mail_that_never_arrives_ends(world: World) -> None:
    assert watching(world).wait_for_mail("endings") is None
