"""Runs the real definition on the embedded Step Functions, with fakes for its tasks."""

import copy
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.embedded import seams
from local.embedded.optimized import unknown_fields
from local.embedded.task_errors import TaskError
from local.embedded.tasks import TaskCall

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "processing"))

from workload_files import read_workloads  # noqa: E402 - it lies flat in processing/, as in its package

DEFINITION = (ROOT / "statemachine/pipeline.asl.json").read_text()
# As EventBridge names an execution: two UUIDs, 73 characters, an underscore.
EXECUTION_NAME = "0a1b2c3d-1111-2222-3333-444455556666_0a1b2c3d-7777-8888-9999-aaaabbbbcccc"
EXECUTION = f"arn:aws:states:us-east-1:000000000000:execution:pipeline:{EXECUTION_NAME}"
ROLE = "arn:aws:iam::000000000000:role/mpg-pipeline-StateMachineRole"
PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline-auto-mpg/1"
CHAMPION = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline-auto-mpg/7"
BUCKET = "mpg-pipeline-bucket"

SUBSTITUTIONS = {
    "BucketName": BUCKET,
    "TableName": "mpg-pipeline-table",
    "CodePrefix": "code/0123456789abcdef/",
    "CheckUploadFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:check-upload",
    "FindResultFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:find-result",
    "RememberResultsFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:remember-results",
    "KeepModelFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:keep-model",
    "RequestApprovalFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:request-approval",
    "PreprocessingRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-PreprocessingRole",
    "TrainingRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-TrainingRole",
    "EvaluationRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-EvaluationRole",
    "ModelRoleArn": "arn:aws:iam::000000000000:role/mpg-pipeline-ModelRole",
    "ScikitLearnImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
    "XGBoostImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0",
    "PyTorchTrainingImageUri": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker",
    "PyTorchInferenceImageUri": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker",
    "ProcessingInstanceType": "ml.m5.large",
    "TrainingInstanceType": "ml.m5.large",
    "TransformInstanceType": "ml.m5.large",
    "ProcessingInstanceCount": "1",
    "ProcessingNetworkIsolation": "true",
    "TrainingInstanceCount": "1",
    "TransformInstanceCount": "1",
    "MaxRunsPerDay": "100",
    "MaxTrials": "10",
    "MaxParallelTrials": "3",
    "DefaultWorkload": "auto_mpg",
    "ApprovalTimeoutSeconds": "604800",
    "UseSpot": "false",
    "DriftSignificance": "0.001",
    "DriftDistance": "0.1",
    "ModelPackageGroupPrefix": "mpg-pipeline",
    "StackName": "mpg-pipeline",
    "KmsKeyArn": "",
}


# As the deployment publishes them, with the template's defaults.
WORKLOADS = read_workloads(ROOT / "processing", {"MseThreshold": "46.0"})


CODE_DIGESTS = {step: f"{number:064x}" for number, step in enumerate(("preprocess", "tune", "evaluate"))}


def workload(name: str = "auto_mpg", **changes: Any) -> dict[str, Any]:
    """What the state `Load workload` finds: a published workload.json with changes; None takes a field out."""
    settings = copy.deepcopy(WORKLOADS[name]) | {"digests": CODE_DIGESTS}
    for place, change in changes.items():
        changed = {**settings[place], **change}
        settings[place] = {field: value for field, value in changed.items() if value is not None}
    return {"Body": json.dumps(settings)}


# A script of the workload trains; a model must be better than a number, not below it.
SCRIPT_MODE = workload(
    training={
        "image": "pytorch-training",
        "program": "auto_mpg/train.py",
        "metric_definitions": [{"Name": "validation:score", "Regex": "score=([0-9.]+)"}],
        "checkpoints": True,
    },
    tuning={"objective": {"Type": "Maximize", "MetricName": "validation:score"}},
    gate={"at_most": None, "at_least": 0.95},
)


def upload_event(
    key: str = "incoming/cars.csv", version: str = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY", size: int = 17000
) -> dict[str, Any]:
    """S3's "Object Created" event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": "2026-11-20T11:59:58Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {
                "key": key,
                "size": size,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": version,
                "sequencer": "00617F08299329D189",
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "000000000000",
            "source-ip-address": "192.0.2.7",
            "reason": "PutObject",
        },
    }


def retraining_event(reason: str = "schedule", **detail: Any) -> dict[str, Any]:
    """What starts the pipeline for a retraining: S3's event of the newest upload, with what is different."""
    event = upload_event()
    return {**event, "id": "retrain-0a1b2c3d", "detail": {**event["detail"], "reason": reason, **detail}}


DIGESTS = {
    name: f"sha256:{number:064x}"
    for number, name in enumerate(("upload", "trained_model", "model", "model_files", "evaluation"), start=1)
}
PREPARED_DIGEST, EVALUATION_DIGEST = f"sha256:{6:064x}", f"sha256:{7:064x}"


def kept(value: float, name: str = "auto_mpg") -> dict[str, Any]:
    """What is answered when a model with this value of its gate's metric is kept: its evaluation."""
    metric = WORKLOADS[name]["gate"]["metric"]
    evaluation = {
        "workload": name,
        "title": WORKLOADS[name]["title"],
        "metrics": [
            {"name": "another", "label": "Another metric", "value": 1.0, "unit": "", "better": "lower"},
            {"name": metric, "label": "The metric", "value": value, "unit": "", "better": "lower"},
        ],
        "gate": {"metric": metric, "at_most": 46.0, "passed": value <= 46.0},
        "baseline": {"label": "a simple guess", "value": 60.8},
        "champion": None,
        "champion_problem": "",
        "rows": {"train": 278, "validation": 60, "test": 60, "batch": 60},
        "warnings": [],
        "batch_columns": ["a", "prediction"],
        "digests": DIGESTS,
    }
    return {"StatusCode": 200, "Payload": evaluation}


def failed_job(reason: str) -> TaskError:
    """The error of a .sync task whose job fails."""
    return TaskError("States.TaskFailed", json.dumps({"FailureReason": reason, "Status": "Failed"}))


def raised(error: str, message: str) -> TaskError:
    """The error of a Lambda task whose function raises."""
    cause = {"errorMessage": message, "errorType": error, "stackTrace": ["  File app.py"]}
    return TaskError(error, json.dumps(cause))


def looked_up(step: str, **more: Any) -> dict[str, Any]:
    """What is answered when a result of this step is looked for; `found` is among `more`, or there is none."""
    return {"StatusCode": 200, "Payload": {"key": f"key of {step}", **more}}


Answer = Any | TaskError | Callable[[TaskCall], Any]

# The responses of all tasks in a successful run.
GOOD_DAY: Mapping[str, Answer] = {
    "Claim upload": {},
    "Count run": {},
    "Check upload": {
        "StatusCode": 200,
        "Payload": {
            "rows": 398,
            "digest": DIGESTS["upload"],
            "workload": "auto_mpg",
            "suffix": ".csv",
            "reuse": True,
        },
    },
    "Load workload": workload(),
    "Find prepared data": looked_up("preprocess"),
    "Find tuned model": looked_up("tune"),
    "Find evaluation": looked_up("evaluate", model_digest=DIGESTS["trained_model"]),
    "Note accepted upload": {},
    "Remember results": {"StatusCode": 200, "Payload": {"remembered": []}},
    "Preprocess": {"ProcessingJobName": "preprocess", "ProcessingJobStatus": "Completed"},
    "Read prepared digest": {"ProcessingJobName": "preprocess", "ExitMessage": PREPARED_DIGEST},
    "Tune": {
        "BestTrainingJob": {"TrainingJobName": "mpg-20261120-1200-00000000-0-0-004-0a1b2c3d"},
        "TrainingJobStatusCounters": {"Completed": 9, "InProgress": 0, "Stopped": 1},
    },
    "Find best model": {
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/runs/x/tuning/best/output/model.tar.gz"},
        "HyperParameters": {
            "alpha": "0.2",
            "lambda": "3.1",
            "eta": "0.2",
            "_tuning_objective_metric": "validation:rmse",
        },
    },
    "Find champion": {"ModelPackageSummaryList": []},
    "Read champion": {
        "ModelPackageArn": CHAMPION,
        "InferenceSpecification": {
            "Containers": [{"ModelDataUrl": f"s3://{BUCKET}/models/old/model.tar.gz"}]
        },
        "CustomerMetadataProperties": {"run_id": "old", "model_digest": f"sha256:{7:064x}"},
    },
    "Find champion model": {"KeyCount": 1},
    "Evaluate": {"ProcessingJobName": "evaluate", "ProcessingJobStatus": "Completed"},
    "Read evaluation digest": {"ProcessingJobName": "evaluate", "ExitMessage": EVALUATION_DIGEST},
    "Keep model": kept(8.7),
    "Create model": {"ModelArn": "arn:aws:sagemaker:us-east-1:000000000000:model/m"},
    "Batch transform": {"TransformJobStatus": "Completed"},
    "Register model": {"ModelPackageArn": PACKAGE},
    "Ask for approval": {
        "decision": "approved",
        "reviewer": "Ada",
        "comment": "",
        "decided_at": "2026-11-20T13:00:00Z",
    },
}


@dataclass
class FakeTasks:
    """Answers each task by its state's name; a list has one answer per attempt and repeats its last one."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    calls: list[TaskCall] = field(default_factory=list)

    def answer(self, answers: Mapping[str, Answer]) -> None:
        """Reset, and use these answers."""
        self.answers, self.calls = answers, []

    def call(self, call: TaskCall) -> Any:
        self.calls.append(call)
        service, _, action = call.resource.removeprefix("arn:aws:states:::").partition(":")
        if service in {"sagemaker", "dynamodb"}:
            assert unknown_fields(service, action.split(".")[0], call.arguments) == []
        answer = self.answers[call.state]
        if isinstance(answer, list):
            attempt = sum(made.state == call.state for made in self.calls)
            answer = answer[min(attempt, len(answer)) - 1]
        if isinstance(answer, TaskError):
            raise answer
        return answer(call) if callable(answer) else answer


# The instance that the embedded Step Functions uses in this process.
TASKS = FakeTasks()


@dataclass(frozen=True)
class Ending:
    """How an execution ended."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    states: list[str]
    calls: list[TaskCall]

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Ending":
        """The result from the record of an ended execution."""
        events = [
            event["stateEnteredEventDetails"]
            for event in record["events"]
            if "stateEnteredEventDetails" in event
        ]
        return Ending(
            status=record["status"],
            output=json.loads(record["output"]) if record["status"] == "SUCCEEDED" else None,
            error=record.get("error"),
            cause=record.get("cause"),
            states=[event["name"] for event in events],
            calls=list(TASKS.calls),
        )

    def arguments(self, state: str, attempt: int = 0) -> Any:
        """The arguments of the state's task."""
        return [call.arguments for call in self.calls if call.state == state][attempt]


def run(
    answers: Mapping[str, Answer] | None = None,
    *,
    event: dict[str, Any] | None = None,
    substitutions: Mapping[str, str] | None = None,
    name: str = EXECUTION_NAME,
) -> Ending:
    """Run the pipeline with these answers instead of the successful ones."""
    TASKS.answer({**GOOD_DAY, **(answers or {})})
    definition = rendered({**SUBSTITUTIONS, **(substitutions or {})})
    return execute(definition, name, event or upload_event())


def execute(definition: str, name: str, event: Mapping[str, Any]) -> Ending:
    """Run an execution of a definition to its end."""
    return Ending.of(seams.run_execution(definition, name, json.dumps(event), ROLE))


def redrive(
    answers: Mapping[str, Answer] | None = None, *, count: int = 1, name: str = EXECUTION_NAME
) -> Ending:
    """Redrive the last execution of `run`, with these answers instead of the successful ones."""
    TASKS.answer({**GOOD_DAY, **(answers or {})})
    return Ending.of(
        seams.redrive_execution(f"arn:aws:states:us-east-1:000000000000:execution:pipeline:{name}", count)
    )


def rendered(substitutions: Mapping[str, str], definition: str = DEFINITION) -> str:
    """A definition as CloudFormation passes it to Step Functions; every substitution must be known."""
    return re.sub(r"\$\{(\w+)\}", lambda found: substitutions[found.group(1)], definition)
