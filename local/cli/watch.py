"""Following one execution until it asks for approval or ends."""

import time
from collections.abc import Mapping
from typing import Any

from common.evaluation import Evaluation
from costs.run_costs import cost_of
from costs.usage import uses_of
from costs.words import usd
from deploy.problems import Trouble
from local.cli.endpoint import REGION, Endpoint, Mail
from local.cli.history import Answered, Called, Ended, Entered, History, Left, Update
from local.cli.outcome import Result
from local.cli.screen import Screen, short
from local.cli.trials import Trial, Trials
from shared.text import defang

POLL_SECONDS = 0.2
# A hung step must not hang the terminal for good. A job may take longer: it has a time limit of its own.
SILENCE_SECONDS = 900.0
JOBS = ("Processing", "Training", "Transform")
MAIL_SECONDS = 20.0
NOTE_SECONDS = 1.0


class Watch:
    """Shows the progress of one execution, and records in `result` what it learns."""

    def __init__(self, endpoint: Endpoint, execution_arn: str, result: Result, screen: Screen) -> None:
        self._endpoint = endpoint
        self._history = History(endpoint.client("stepfunctions"), execution_arn)
        self._marks = {execution_arn}
        self._result = result
        self._screen = screen
        self._trials: Trials | None = None
        self._state = ""
        self._notes = len(endpoint.notes())
        self._next_note = 0.0
        self.asked = False
        """Whether the execution waits for a person, or did."""
        self._step = self._reused = ""
        self._run_id = ""

    def until_mail(self, topic: str) -> Mail | Ended:
        """Follow to the mail on this topic that asks for a decision, or to the end if nobody is asked."""
        with self._screen.live():
            self._heard_at = time.monotonic()
            while True:
                if end := _end_in(self._take_updates()):
                    return end
                if self.asked and (mail := self.newest_mail(topic)):
                    return mail
                self._wait()

    def until_end(self) -> Ended:
        """Follow to the end."""
        with self._screen.live():
            self._heard_at = time.monotonic()
            while True:
                if end := _end_in(self._take_updates()):
                    return end
                self._wait()

    def take_cost(self) -> None:
        """Note what the run's jobs would have cost on AWS."""
        if self._run_id:
            uses = uses_of(self._run_id, self._endpoint.client("sagemaker"))
            cost = cost_of(uses, REGION, as_if=True)
            self._result.cost = cost if cost.steps or cost.unknown else None

    def take_release(self, execution_arn: str) -> None:
        """From now on, mails about this release are mails about the run, too."""
        self._marks.add(execution_arn)

    def wait_for_mail(self, topic: str, naming: str = "") -> Mail | None:
        """The newest mail about this run on a topic that names this, or None if none arrives in time."""
        deadline = time.monotonic() + MAIL_SECONDS
        while not (mail := self.newest_mail(topic, naming)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return mail

    def newest_mail(self, topic: str, naming: str = "") -> Mail | None:
        """The newest mail about this run on a topic so far that names this."""
        found = (mail for mail in reversed(self.mails()) if mail.topic == topic and naming in mail.text)
        return next(found, None)

    def mails(self) -> list[Mail]:
        """Every mail about this run, oldest first: those that name the run or its execution."""
        return [mail for mail in self._endpoint.mails() if any(map(mail.is_about, self._marks))]

    def _wait(self) -> None:
        if time.monotonic() - self._heard_at > SILENCE_SECONDS:
            if not self._has_jobs():
                raise Trouble(
                    f'Nothing happened for {SILENCE_SECONDS:.0f} s in the state "{self._state}"',
                    "See mpg's page.",
                )
            self._heard_at = time.monotonic()
        time.sleep(POLL_SECONDS)

    def _has_jobs(self) -> bool:
        """Whether a job is in progress, such as the first trials of a large file, which take long."""
        sagemaker = self._endpoint.client("sagemaker")
        return any(
            getattr(sagemaker, f"list_{job.lower()}_jobs")(StatusEquals="InProgress")[f"{job}JobSummaries"]
            for job in JOBS
        )

    def _take_updates(self) -> list[Update]:
        updates = self._history.updates()
        if updates:
            self._heard_at = time.monotonic()
        for update in updates:
            self._take(update)
        self._show_trials()
        self._show_notes()
        return updates

    def _show_notes(self) -> None:
        """What the machine says of the jobs that AWS would not, such as what it installs for them."""
        if time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        notes = self._endpoint.notes()
        for note in notes[self._notes :]:
            self._screen.detail(note)
        self._notes = len(notes)

    def _take(self, update: Update) -> None:
        match update:
            case Entered(state):
                self._state = state
                self._screen.doing(state)
            case Left(state, seconds, failed):
                self._show_trials(last_call=True)
                note, self._trials, self._reused = self._reused or self._summary(), None, ""
                self._result.seconds[state] = round(seconds, 3)
                self._screen.done(state, seconds, note, ok=not failed)
            case Called(resource, parameters):
                self._take_call(resource, parameters)
            case Answered("describeTrainingJob", output):
                self._result.best_hyperparameters = _visible(output.get("HyperParameters", {}))
            case Answered("invoke", {"Payload": {"found": found}}):
                self._result.take_reused(self._step, found)
                run_id = defang(str(found["run_id"]))
                self._reused = f"reused from run {run_id}, because data, code and parameters are the same"
            case Answered("invoke", {"Payload": {"estimate": estimate}}):
                self._result.estimate_usd = estimate["total"]
                runs = defang(", ".join(estimate["runs"]))
                self._screen.detail(f"estimated cost {usd(estimate['total'])}, from {runs}")
            case Answered("invoke", {"Payload": {"metrics": _, "gate": _} as evaluation}):
                self._result.take_evaluation(Evaluation.from_json(evaluation))
            case _:
                pass

    def _take_call(self, resource: str, parameters: Mapping[str, Any]) -> None:
        payload = parameters.get("Payload", {})
        self._step = payload.get("step", "")
        if run_id := payload.get("run_id"):
            self._marks.add(run_id)
            self._run_id = run_id
        if resource == "createHyperParameterTuningJob.sync":
            self._trials = Trials(self._endpoint.client("sagemaker"), parameters)
        elif resource == "invoke.waitForTaskToken":
            self.asked = True
            self._result.model_package_arn = payload["model_package_arn"]
            self._result.predictions_uri = payload["predictions_uri"]
            self._screen.doing(self._state, "waiting for the mail")

    def _show_trials(self, *, last_call: bool = False) -> None:
        if not self._trials:
            return
        for trial in self._trials.newly_finished(last_call=last_call):
            self._screen.detail(_described(trial, self._trials))
        self._result.trials = len(self._trials.finished)
        self._screen.doing(self._state, self._summary())

    def _summary(self) -> str:
        if not self._trials or self._trials.best is None:
            return ""
        done = f"{len(self._trials.finished)} of {self._trials.planned} trials"
        return f"{done}, best {self._trials.metric} {self._trials.best:.4f}"


def _end_in(updates: list[Update]) -> Ended | None:
    return next((update for update in updates if isinstance(update, Ended)), None)


def _visible(hyperparameters: Mapping[str, str]) -> dict[str, str]:
    # SageMaker adds settings of its own, such as _tuning_objective_metric.
    return {name: value for name, value in hyperparameters.items() if not name.startswith("_")}


def _described(trial: Trial, trials: Trials) -> str:
    number = f"trial {trial.number:>2}"
    if trial.objective is None:
        return f"{number}  {trial.status.lower()}  {defang(trial.reason)}".rstrip()
    tuned = "  ".join(f"{name} {short(value)}" for name, value in sorted(trial.tuned.items()))
    early = "  stopped early" if trial.status == "Stopped" else ""
    return f"{number}  {trials.metric} {trial.objective:.4f}  best {trial.best:.4f}  ({tuned}){early}"
