"""Fakes that behave: what moto answers without doing it (task tokens), or cannot be made to fail (the registry)."""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

Call = dict[str, Any]


def service_error(code: str, operation: str, text: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text or code}}, operation)


class FakeStepFunctions:
    """Executions that wait behind task tokens. A token's result is taken once."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}  # token -> execution
        self.executions: dict[str, Call] = {}
        self.results: list[str] = []
        self.broken = ""

    def wait(self, token: str, execution_arn: str) -> None:
        self.waiting[token] = execution_arn
        self.executions[execution_arn] = {"executionArn": execution_arn, "status": "RUNNING"}

    def end(self, execution_arn: str, status: str, **fields: str) -> None:
        self.executions[execution_arn] = {"executionArn": execution_arn, "status": status, **fields}
        self.waiting = {token: arn for token, arn in self.waiting.items() if arn != execution_arn}

    def send_task_success(self, *, taskToken: str, output: str) -> Call:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "SendTaskSuccess", f"cannot take {taskToken}")
        if not taskToken:
            raise ParamValidationError(report="taskToken: valid min length: 1")
        if self.waiting.pop(taskToken, None) is None:
            raise service_error("TaskTimedOut", "SendTaskSuccess", f"no task {taskToken}")
        self.results.append(output)
        return {}

    def describe_execution(self, *, executionArn: str) -> Call:  # noqa: N803
        try:
            return self.executions[executionArn]
        except KeyError:
            raise service_error("ExecutionDoesNotExist", "DescribeExecution") from None


class FakeSageMaker:
    """Model packages with an approval status. `broken` names the error that every call answers."""

    def __init__(self) -> None:
        self.packages: dict[str, Call] = {}
        self.updates: list[Call] = []
        self.broken = ""
        self.refuses_updates = ""
        self.failed_trials: list[Call] = []

    def register(self, arn: str, status: str = "PendingManualApproval") -> None:
        self.packages[arn] = {"ModelPackageArn": arn, "ModelApprovalStatus": status}

    def decide(self, arn: str, status: str, by: str, why: str = "") -> None:
        """As a person does it in Studio."""
        self.packages[arn] |= {
            "ModelApprovalStatus": status,
            "ApprovalDescription": why,
            "LastModifiedBy": {"UserProfileName": by},
            "LastModifiedTime": datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
        }

    def describe_model_package(self, *, ModelPackageName: str) -> Call:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "DescribeModelPackage")
        return self.packages[ModelPackageName]

    def update_model_package(self, **request: str) -> Call:
        if self.broken or self.refuses_updates:
            raise service_error(self.broken or self.refuses_updates, "UpdateModelPackage")
        self.updates.append(request)
        self.packages[request["ModelPackageArn"]]["ModelApprovalStatus"] = request["ModelApprovalStatus"]
        return {"ModelPackageArn": request["ModelPackageArn"]}

    def list_training_jobs_for_hyper_parameter_tuning_job(self, **request: str | int) -> Call:
        if self.broken:
            raise service_error(self.broken, "ListTrainingJobsForHyperParameterTuningJob")
        assert request["StatusEquals"] == "Failed"
        return {"TrainingJobSummaries": self.failed_trials[: int(request["MaxResults"])]}
