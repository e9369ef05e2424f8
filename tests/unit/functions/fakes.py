"""Fakes for what moto only pretends to do (task tokens) and for what cannot fail in moto (the registry)."""

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

Call = dict[str, Any]
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


def service_error(code: str, operation: str, text: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text or code}}, operation)


class FakeStepFunctions:
    """Executions that wait behind task tokens. A token's result is taken once."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}  # token -> execution
        self.executions: dict[str, Call] = {}
        self.results: list[str] = []
        self.histories: dict[str, list[Call]] = {}
        self.stale_reads = 0  # so many more reads of a history do not show its last two events yet
        self.broken = ""

    def schedule(self, request: Call) -> None:
        """The execution that the request names has scheduled a task with it, and waits."""
        self.wait(request.get("task_token", ""), request["execution_arn"])
        parameters = json.dumps({"FunctionName": "arn:function", "Payload": request})
        details = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken", "parameters": parameters}
        scheduled = {"type": "TaskScheduled", "taskScheduledEventDetails": details}
        self.histories.setdefault(request["execution_arn"], [{"type": "TaskStateEntered"}])
        self.histories[request["execution_arn"]] += [scheduled, {"type": "TaskStarted"}]

    def get_execution_history(self, *, executionArn: str, reverseOrder: bool, maxResults: int) -> Call:  # noqa: N803
        assert reverseOrder
        if executionArn not in self.histories:
            raise service_error("ExecutionDoesNotExist", "GetExecutionHistory")
        shown = self.histories[executionArn]
        if self.stale_reads:
            self.stale_reads -= 1
            shown = shown[:-2]
        return {"events": shown[::-1][:maxResults]}

    def wait(self, token: str, execution_arn: str) -> None:
        self.waiting[token] = execution_arn
        self.executions[execution_arn] = _execution(execution_arn, "RUNNING")

    def end(self, execution_arn: str, status: str, *, hours_ago: float = 0, **fields: Any) -> None:
        self.histories.setdefault(execution_arn, []).append({"type": f"Execution{status.title()}"})
        ended = {"stopDate": datetime.now(UTC) - timedelta(hours=hours_ago), **fields}
        self.executions[execution_arn] = {**_execution(execution_arn, status), **ended}
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

    def get_paginator(self, operation: str) -> "Pages":
        if operation == "get_execution_history":
            return Pages(lambda request: {"events": self._whole_history(**request)})
        assert operation == "list_executions"
        return Pages(lambda request: {"executions": self._newest_first(**request)})

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Call:  # noqa: A002, N803
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        known = self.executions.get(arn, {})
        if known.get("status") == "RUNNING" and known.get("input") == input:
            return {"executionArn": arn}
        if known:
            raise service_error("ExecutionAlreadyExists", "StartExecution")
        self.executions[arn] = {**_execution(arn, "RUNNING"), "input": input}
        return {"executionArn": arn}

    def _whole_history(self, *, executionArn: str, **_: Any) -> list[Call]:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "GetExecutionHistory")
        return [{"timestamp": datetime.now(UTC), **event} for event in self.histories[executionArn]]

    def _newest_first(self, *, stateMachineArn: str, statusFilter: str = "") -> list[Call]:  # noqa: N803
        listed = ("executionArn", "status", "startDate", "stopDate", "redriveCount")
        others = ("-release", "-monitor")
        own = next((kind for kind in others if stateMachineArn.endswith(kind)), "")
        found = [
            {k: v for k, v in e.items() if k in listed}
            for e in self.executions.values()
            if next((kind for kind in others if f"{kind}:" in e["executionArn"]), "") == own
            and statusFilter in ("", e["status"])
        ]
        return sorted(found, key=lambda e: e["startDate"], reverse=True)

    def describe_execution(self, *, executionArn: str) -> Call:  # noqa: N803
        try:
            return self.executions[executionArn]
        except KeyError:
            raise service_error("ExecutionDoesNotExist", "DescribeExecution") from None


def _execution(arn: str, status: str) -> Call:
    return {"executionArn": arn, "status": status, "startDate": datetime.now(UTC), "redriveCount": 0}


class Pages:
    """A paginator that gives each item of its one list a page of its own."""

    def __init__(self, answer: Callable[[Call], Call]) -> None:
        self._answer = answer

    def paginate(self, **request: Any) -> Iterator[Call]:
        ((name, items),) = self._answer(request).items()
        yield from ({name: [item]} for item in items)


class FilteredPages(Pages):
    """The same, behind a page of which the service's filter left nothing."""

    def paginate(self, **request: Any) -> Iterator[Call]:
        ((name, items),) = self._answer(request).items()
        yield from ({name: page} for page in [[], *([item] for item in items)])


class FakeEndpoints:
    """Endpoints that answer each request by a function of its body."""

    def __init__(self) -> None:
        self.answer: Callable[[str], str] = lambda body: body
        self.requests: list[Call] = []
        self.broken: ClientError | None = None

    def invoke_endpoint(self, **request: Any) -> Call:
        self.requests.append(request)
        if self.broken:
            raise self.broken
        return {"Body": io.BytesIO(self.answer(request["Body"].decode()).encode())}


class FakeFunctions:
    """Functions that answer each request by a function of it; an error's text makes them fail."""

    def __init__(self) -> None:
        self.answer: Callable[[Call], Call] = lambda request: {"status": 200, "body": request["body"]}
        self.requests: list[Call] = []
        self.error = ""

    def invoke(self, **request: Any) -> Call:
        self.requests.append(request)
        if self.error:
            return {"FunctionError": "Unhandled", "Payload": _stream({"errorMessage": self.error})}
        return {"Payload": _stream(self.answer(json.loads(request["Payload"])))}


def _stream(content: Call) -> io.BytesIO:
    return io.BytesIO(json.dumps(content).encode())


class FakeSageMaker:
    """Model packages with an approval status, and jobs. `broken` names the error that every call answers."""

    def __init__(self) -> None:
        self.packages: dict[str, Call] = {}
        self.updates: list[Call] = []
        self.broken = ""
        self.refuses_updates = ""
        self.stale_reads = 0  # so many more reads of a package do not show yet that it was decided
        self.failed_trials: list[Call] = []
        # A processing job's end in its description.
        self.last_words: Call = {}
        # What the description of a job, or the list of its trials, says of its instances and times.
        self.used: dict[str, Call] = {}
        self.trials: dict[str, list[Call]] = {}
        self.jobs: dict[str, str] = {}  # name -> status
        self.endpoints: dict[str, Call] = {}

    def register(self, arn: str, status: str = "PendingManualApproval", **metadata: str) -> None:
        self.packages[arn] = {
            "ModelPackageArn": arn,
            "ModelApprovalStatus": status,
            "CustomerMetadataProperties": metadata,
            "CreationTime": datetime(2026, 3, 1, 9, 30, tzinfo=UTC) + timedelta(minutes=len(self.packages)),
        }

    def decide(self, arn: str, status: str, by: str, why: str = "") -> None:
        """As a person does it in Studio."""
        self.packages[arn] |= {
            "ModelApprovalStatus": status,
            "ApprovalDescription": why,
            "LastModifiedBy": {"UserProfileName": by},
            "LastModifiedTime": datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
        }

    def get_paginator(self, operation: str) -> Pages:
        if operation == "list_model_package_groups":
            return Pages(lambda request: {"ModelPackageGroupSummaryList": self._groups(**request)})
        if operation == "list_model_packages":
            return FilteredPages(lambda request: {"ModelPackageSummaryList": self._versions(**request)})
        kind = {
            "list_processing_jobs": "ProcessingJob",
            "list_hyper_parameter_tuning_jobs": "HyperParameterTuningJob",
            "list_transform_jobs": "TransformJob",
            "list_training_jobs_for_hyper_parameter_tuning_job": "TrainingJob",
        }[operation]
        if kind == "TrainingJob":
            return FilteredPages(lambda request: self._trials(**request))
        return Pages(lambda request: {f"{kind}Summaries": self._jobs(kind, **request)})

    def _groups(self, *, NameContains: str, **_: Any) -> list[Call]:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "ListModelPackageGroups")
        arns = {
            arn.replace(":model-package/", ":model-package-group/").rpartition("/")[0]
            for arn in self.packages
        }
        groups = [
            {"ModelPackageGroupName": arn.rpartition("/")[2], "ModelPackageGroupArn": arn} for arn in arns
        ]
        return [group for group in groups if NameContains in group["ModelPackageGroupName"]]

    def _versions(self, **request: Any) -> list[Call]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Descending")
        found = [
            {**package, "ModelPackageVersion": int(arn.rpartition("/")[2])}
            for arn, package in self.packages.items()
            if arn.split("/")[1:2] == [request["ModelPackageGroupName"]]
            and package["ModelApprovalStatus"] == request["ModelApprovalStatus"]
            # As the SDK sends it: in whole seconds.
            and package["CreationTime"]
            < request.get("CreationTimeBefore", datetime.max.replace(tzinfo=UTC)).replace(microsecond=0)
        ]
        return sorted(found, key=lambda package: package["CreationTime"], reverse=True)

    def _jobs(self, kind: str, *, NameContains: str = "", StatusEquals: str = "", **order: Any) -> list[Call]:  # noqa: N803
        found: list[Call] = [
            {f"{kind}Name": name, f"{kind}Status": status, "CreationTime": _begun(name)}
            for name, status in self.jobs.items()
            if NameContains in name and StatusEquals in ("", status) and _kind_of(name) == kind
        ]
        if not NameContains:
            assert (order["SortBy"], order["SortOrder"]) == ("CreationTime", "Descending")
            found.sort(key=lambda job: job["CreationTime"], reverse=True)
        return found

    def stop_processing_job(self, *, ProcessingJobName: str) -> Call:  # noqa: N803
        return self._stop("ProcessingJob", ProcessingJobName)

    def stop_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> Call:  # noqa: N803
        return self._stop("HyperParameterTuningJob", HyperParameterTuningJobName)

    def stop_transform_job(self, *, TransformJobName: str) -> Call:  # noqa: N803
        return self._stop("TransformJob", TransformJobName)

    def _stop(self, kind: str, name: str) -> Call:
        if self.broken:
            raise service_error(self.broken, f"Stop{kind}")
        if _kind_of(name) != kind or self.jobs.get(name) not in ("InProgress", "Stopping"):
            raise service_error("ValidationException", f"Stop{kind}")
        self.jobs[name] = "Stopping"
        return {}

    def describe_endpoint(self, *, EndpointName: str) -> Call:  # noqa: N803
        if EndpointName not in self.endpoints:
            raise service_error("ValidationException", "DescribeEndpoint", "Could not find endpoint")
        return self.endpoints[EndpointName]

    def delete_endpoint(self, *, EndpointName: str) -> Call:  # noqa: N803
        del self.endpoints[EndpointName]
        return {}

    def describe_processing_job(self, *, ProcessingJobName: str) -> Call:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "DescribeProcessingJob")
        cluster = {"ProcessingResources": {"ClusterConfig": INSTANCE}}
        said = self.used.get(ProcessingJobName, {})
        return {"ProcessingJobName": ProcessingJobName, **cluster, **self.last_words, **said}

    def describe_transform_job(self, *, TransformJobName: str) -> Call:  # noqa: N803
        return {"TransformResources": INSTANCE, **self.used.get(TransformJobName, {})}

    def describe_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> Call:  # noqa: N803
        said = self.used.get(HyperParameterTuningJobName, {})
        return {"TrainingJobDefinition": {"ResourceConfig": INSTANCE, **said}}

    def describe_training_job(self, *, TrainingJobName: str) -> Call:  # noqa: N803
        return self.used.get(TrainingJobName, {})

    def describe_model_package(self, *, ModelPackageName: str) -> Call:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "DescribeModelPackage")
        if ModelPackageName not in self.packages:
            raise service_error("ValidationException", "DescribeModelPackage")
        if self.stale_reads:
            self.stale_reads -= 1
            return {**self.packages[ModelPackageName], "ModelApprovalStatus": "PendingManualApproval"}
        return self.packages[ModelPackageName]

    def update_model_package(self, **request: str) -> Call:
        if self.broken or self.refuses_updates:
            raise service_error(self.broken or self.refuses_updates, "UpdateModelPackage")
        self.updates.append(request)
        self.packages[request["ModelPackageArn"]]["ModelApprovalStatus"] = request["ModelApprovalStatus"]
        return {"ModelPackageArn": request["ModelPackageArn"]}

    def _trials(self, *, StatusEquals: str = "", **request: Any) -> Call:  # noqa: N803
        if self.broken:
            raise service_error(self.broken, "ListTrainingJobsForHyperParameterTuningJob")
        if not StatusEquals:
            return {"TrainingJobSummaries": self.trials.get(request["HyperParameterTuningJobName"], [])}
        assert (StatusEquals, request["SortOrder"]) == ("Failed", "Ascending")
        return {"TrainingJobSummaries": self.failed_trials}


def _begun(name: str) -> datetime:
    """A moment after the minute that the job's name has from its run."""
    found = re.search(r"-(\d{8}-\d{4})-", name)
    assert found is not None, name
    return datetime.strptime(found[1], "%Y%m%d-%H%M").replace(second=7, tzinfo=UTC)


def _kind_of(name: str) -> str:
    if "-predict-" in name:
        return "TransformJob"
    kinds = ("-preprocess-", "-evaluate-", "-monitor-")
    return "ProcessingJob" if any(kind in name for kind in kinds) else "HyperParameterTuningJob"
