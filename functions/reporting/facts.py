"""What a run's history says about its data and its model, in the form in which an execution's output says it.

A run that is under way, or that failed, has no output; the answers of its tasks have parts of it.
"""

from collections.abc import Mapping
from typing import Any

from common import lenient
from reporting.history import Call, History
from runs.endings import Ending

REASONS = {
    "upload": "a file was uploaded",
    "schedule": "the schedule for retraining",
    "drift": "the live model's data drifted",
    "retrain": "somebody asked for retraining",
}


def read_facts(
    run_id: str, execution_input: Mapping[str, Any], history: History, ending: Ending
) -> dict[str, Any]:
    """The facts about a run, as `model.report.Report.from_facts` reads them, as far as they are known."""
    facts: dict[str, Any] = {"reused": {}}
    for call in history.calls:
        facts |= _said_by(call, facts["reused"])
    cost = {"cost": ending.cost.to_json()} if ending.cost else {}
    return {**facts, **_upload(execution_input, ending), **ending.output, **cost, "run_id": run_id}


def reason_in_words(facts: Mapping[str, Any]) -> str:
    """Why the run was started."""
    reason = lenient.text(facts.get("reason")) or "upload"
    return REASONS.get(reason, reason)


def prepared_at(history: History, run_id: str) -> tuple[str, str] | None:
    """The folder of the prepared data below runs/ and the digest of its summary; None before they exist."""
    found: tuple[str, str] | None = None
    for call in history.calls:
        reused = lenient.mapping(call.answer.get("found"))
        if call.request.get("step") == "preprocess" and reused:
            found = f"runs/{reused.get('run_id')}/prepared", lenient.text(reused.get("digest"))
        elif call.resource == "describeProcessingJob" and "-preprocess-" in str(call.request):
            found = f"runs/{run_id}/prepared", lenient.text(call.answer.get("ExitMessage"))
    return found


def _said_by(call: Call, reused: Mapping[str, str]) -> dict[str, Any]:
    """What a task's request or answer adds."""
    answer, found = call.answer, lenient.mapping(call.answer.get("found"))
    if found:
        kept = {
            name: found[name] for name in ("trials", "best_hyperparameters", "training_job") if name in found
        }
        return {**kept, "reused": {**reused, str(call.request.get("step")): str(found.get("run_id"))}}
    if "metrics" in answer and "gate" in answer:
        return {"evaluation": answer}
    if "suffix" in answer:
        return {"workload": answer.get("workload"), "checked": {"rows": answer.get("rows")}}
    if call.resource == "describeTrainingJob":
        tuned = lenient.mapping(answer.get("HyperParameters"))
        shown = {name: value for name, value in tuned.items() if not name.startswith(("_", "sagemaker_"))}
        return {"best_hyperparameters": shown, "training_job": answer.get("TrainingJobName")}
    if call.resource == "createModelPackage" and "ModelPackageArn" in answer:
        return {"model_package_arn": answer["ModelPackageArn"]}
    if call.waits_for_a_person:
        return {name: value for name, value in call.request.items() if name != "execution_arn"}
    counts = lenient.mapping(answer.get("TrainingJobStatusCounters"))
    return {"trials": counts.get("Completed", 0) + counts.get("Stopped", 0)} if counts else {}


def _upload(execution_input: Mapping[str, Any], ending: Ending) -> dict[str, Any]:
    detail = lenient.mapping(execution_input.get("detail"))
    reason = lenient.text(detail.get("reason"))
    return {
        "key": ending.upload,
        "bytes": lenient.mapping(detail.get("object")).get("size"),
        "uploaded_at": lenient.text(execution_input.get("time")),
        "uploaded_by": lenient.text(detail.get("requester")),
        "source_ip": lenient.text(detail.get("source-ip-address")),
        # S3's own reason is the operation, such as PutObject.
        "reason": reason if reason in REASONS else "upload",
    }
