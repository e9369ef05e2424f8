"""Runs the real definition of monitoring on the embedded Step Functions, with fakes for its tasks."""

import json
from collections.abc import Mapping
from typing import Any

from local.embedded.tasks import TaskCall
from tests.statemachine import machine
from tests.statemachine.machine import (
    BUCKET,
    EXECUTION_NAME,
    ROOT,
    TASKS,
    WORKLOADS,
    Answer,
    Ending,
    execute,
    rendered,
)

DEFINITION = (ROOT / "statemachine/monitor.asl.json").read_text()
PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--some-workload/7"
DIGEST = f"sha256:{8:064x}"
RETRAIN = "arn:aws:lambda:us-east-1:000000000000:function:retrain"

_SHARED = (
    "BucketName", "CodePrefix", "KmsKeyArn", "ScikitLearnImageUri", "XGBoostImageUri",
    "PyTorchTrainingImageUri", "PyTorchInferenceImageUri", "ProcessingInstanceType",
)  # fmt: skip
SUBSTITUTIONS = {
    **{name: machine.SUBSTITUTIONS[name] for name in _SHARED},
    "PlanMonitoringFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:plan-monitoring",
    "ReportMonitoringFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:report-monitoring",
    "MonitoringRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-MonitoringRole",
    "RetrainFunctionArn": "",
    "DriftSignificance": "0.001",
    "DriftDistance": "0.1",
}


def plan(workload: str = "auto_mpg", todo: str = "monitor", **changes: Any) -> dict[str, Any]:
    """What is to be done for a workload."""
    return {
        "workload": workload,
        "todo": todo,
        "title": "A workload",
        "notes": [],
        "since": "2026-11-13T12:00:00Z",
        "until": "2026-11-20T12:00:00Z",
        "model_package_arn": PACKAGE,
        "model_uri": f"s3://{BUCKET}/models/mpg-20261101-1200-0123abcd/model.tar.gz",
        "model_digest": f"sha256:{3:064x}",
        "seen_uri": f"s3://{BUCKET}/monitoring/{workload}/x/seen.manifest",
        "earlier_uri": "",
        **changes,
    }


def planned(*plans: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the function that plans."""
    return {"StatusCode": 200, "Payload": {"plans": list(plans)}}


def outcome(word: str = "fine", *, drifted: bool = False) -> Answer:
    """The answer of the function that reports on the workload that it is asked about."""

    def answer(call: TaskCall) -> dict[str, Any]:
        workload = call.arguments["Payload"]["plan"]["workload"]
        return {"Payload": {"workload": workload, "outcome": word, "drifted": drifted}}

    return answer


def of(workload: str, answer: Answer, otherwise: Answer) -> Answer:
    """An answer for one workload's task, and another one for the others'."""

    def chosen(call: TaskCall) -> Any:
        given = answer if workload in json.dumps(call.arguments) else otherwise
        if isinstance(given, Exception):
            raise given
        return given(call) if callable(given) else given

    return chosen


def load(call: TaskCall) -> dict[str, Any]:
    """The published workload.json of the workload that is asked for."""
    return {"Body": json.dumps(WORKLOADS[call.arguments["Key"].split("/")[2]])}


# The responses of all tasks for one workload with something new, in which nothing is wrong.
CALM: Mapping[str, Answer] = {
    "Plan monitoring": planned(plan()),
    "Load workload": load,
    "Monitor": lambda call: {"ProcessingJobName": call.arguments["ProcessingJobName"]},
    "Read findings digest": {"ExitMessage": DIGEST},
    "Report": outcome(),
    "Retrain": {"Payload": {"started": "arn:execution", "why_not": ""}},
}


def monitor(
    answers: Mapping[str, Answer] | None = None,
    *,
    substitutions: Mapping[str, str] | None = None,
    started_by: Mapping[str, Any] | None = None,
) -> Ending:
    """Run it with these answers instead of those of a calm week."""
    TASKS.answer({**CALM, **(answers or {})})
    definition = rendered({**SUBSTITUTIONS, **(substitutions or {})}, DEFINITION)
    return execute(definition, EXECUTION_NAME, started_by or {})
