"""Start the pipeline on uploads that it accepted before: on a schedule, after a drift, or for a person.

`{"workload": NAME, "reason": "schedule" | "drift" | "retrain"}`, and optionally `"on": "newest" | "all"`,
returns `{"started": ARN or null, "why_not": text or null, "left_out": text}`. Without a workload, it asks for
each one and returns the answers by name.
"""

from functools import partial

from common.workload import find_workloads
from retraining.asking import Asked, ask_for
from shared.aws import prepare
from shared.chores import Chores
from shared.telemetry import Answer, Event, PublicError, observed

prepare("stepfunctions", "s3")


class RetrainingIncomplete(PublicError):
    """Some workloads could not be asked for; the log says which. Lambda tries again."""


@observed
def handler(event: Event) -> Answer:
    reason, on = str(event.get("reason", "")), str(event.get("on") or "")
    if name := event.get("workload"):
        return ask_for(str(name), reason, on).as_json()
    return _ask_for_each(reason, on)


def _ask_for_each(reason: str, on: str) -> Answer:
    chores = Chores()
    answers: dict[str, Asked] = {}

    def ask(name: str) -> bool:
        answers[name] = ask_for(name, reason, on)
        return bool(answers[name].started)

    for name in find_workloads():
        chores.do("retraining", partial(ask, name), name)
    if chores.failed:
        raise RetrainingIncomplete(f"{chores.failed} workloads could not be asked for")
    return {name: asked.as_json() for name, asked in answers.items()}
