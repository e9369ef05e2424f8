"""Asks for a retraining of a workload, and answers why there is none."""

import os
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, cast, get_args

from common.workload import UnknownWorkload, find_workload
from retraining.choosing import On, choose
from retraining.running import open_run
from retraining.starting import TooRecent, start
from shared.telemetry import count, logger
from shared.text import readable_time

Reason = Literal["schedule", "drift", "retrain"]


@dataclass(frozen=True)
class Asked:
    """The ARN of the execution, or why none was started; and the uploads that it leaves out, in words."""

    started: str | None = None
    why_not: str | None = None
    left_out: str = ""

    def as_json(self) -> dict[str, Any]:
        """The answer of the function."""
        return asdict(self)


def ask_for(name: str, reason: str, on: str = "") -> Asked:
    """Start the pipeline on a workload's accepted uploads: `on` says which, by default as deployed."""
    asked = _ask_for(name, reason, on or os.environ["RETRAIN_ON"])
    logger.info("retraining asked for", workload=name[:40], reason=reason[:40], **asked.as_json())
    if asked.started:
        count("RetrainingStarted")
    return asked


def _ask_for(name: str, reason: str, on: str) -> Asked:
    if problem := _problem(reason, on):
        return Asked(why_not=problem)
    try:
        workload = find_workload(name)
    except UnknownWorkload as unknown:
        return Asked(why_not=f"{unknown}.")
    if arn := open_run(workload.name):
        return Asked(why_not=f"A run of {workload.name} has not ended, or waits for a decision: {arn}")
    choice = choose(workload, cast(On, on))
    if not choice.uploads:
        gone = f" Left out: {choice.left_out}." if choice.left_out else ""
        return Asked(why_not=f"There is no upload of {workload.name} that led to a model.{gone}")
    days = int(os.environ["RETRAIN_AT_MOST_EVERY_DAYS"])
    started = start(workload.name, reason, choice, timedelta(days=days))
    if isinstance(started, TooRecent):
        return Asked(
            why_not=f"The last retraining of {workload.name} was started at "
            f"{readable_time(started.asked_at)}; RetrainAtMostEveryDays is {days}."
        )
    return Asked(started, left_out=choice.left_out)


def _problem(reason: str, on: str) -> str:
    for name, value, of in (("reason", reason, Reason), ("on", on, On)):
        if value not in get_args(of):
            return f"`{name}` has to be {' or '.join(get_args(of))}."
    if reason == "drift" and os.environ["RETRAIN_ON_DRIFT"] != "true":
        return "RetrainOnDrift is false."
    return ""
