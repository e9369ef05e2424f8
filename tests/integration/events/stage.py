"""The embedded AWS with everything that the functions need, and what tests do with it."""

import hashlib
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from tests.conftest import ROOT, Aws, eventually
from tests.evaluation import EVALUATION
from tests.integration.events.lambda_runtime import Runtime
from tests.integration.events.resources import ROLE, Json

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


@dataclass(frozen=True)
class Stage:
    """The embedded AWS with everything that the functions need, and the functions."""

    aws: Aws
    bucket: str
    table: str
    group: str
    machine: str
    releases: str
    looks: str
    topics: tuple[str, str]
    runtimes: Callable[[str], Runtime]

    def invoke(self, name: str, changes: dict[str, str] | None = None) -> Any:
        """Send an event to its function; `changes` are replacements of texts in the event."""
        text = (ROOT / "events" / f"{name}.json").read_text(encoding="utf-8")
        for old, new in {"mpg-pipeline-bucket": self.bucket, **(changes or {})}.items():
            text = text.replace(old, new)
        return self.runtimes(name.partition("-")[0]).invoke(json.loads(text))

    def upload(self, key: str, body: bytes) -> str:
        return str(self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"])

    def keep(self, run_id: str, champion: bool) -> str:
        """Store a model and an evaluation where a run's are kept; returns the digest of the evaluation."""
        digests = {**EVALUATION["digests"], "model": digest(b"a model")}
        changes = {"digests": digests} if champion else {"digests": digests, "champion": None}
        evaluation = json.dumps({**EVALUATION, **changes}).encode()
        for name, body in (("model.tar.gz", b"a model"), ("evaluation.json", evaluation)):
            place = {"Bucket": self.bucket, "Key": f"models/{run_id}/{name}"}
            self.aws.client("s3").put_object(**place, Body=body, ChecksumAlgorithm="SHA256")
        return digest(evaluation)

    def mails(self) -> list[Json]:
        with urllib.request.urlopen(f"{self.aws.pages}mails", timeout=60) as answer:
            mails: list[Json] = json.load(answer)
        names = [topic.rpartition(":")[2] for topic in self.topics]
        return [mail for mail in mails if mail["topic"] in names and "Confirm" not in mail["subject"]]

    def wait_for_a_token(self, **request: Any) -> tuple[str, str]:
        """Start an execution that waits after such a request; returns its ARN and the token."""
        with self.scheduled(**request) as waiting:
            return waiting

    @contextmanager
    def scheduled(self, **request: Any) -> Iterator[tuple[str, str]]:
        """The same; while entered, the function that received the request is running."""
        states = self.aws.client("stepfunctions")
        started = states.start_execution(stateMachineArn=self.machine, input=json.dumps(request))
        arn = str(started["executionArn"])
        table = cast(Any, self.aws.client("dynamodb"))
        key = {"pk": {"S": f"waiting#{arn}"}}
        item = eventually(lambda: table.get_item(TableName=self.table, Key=key).get("Item"))
        try:
            yield arn, str(item["token"]["S"])
        finally:
            table.delete_item(TableName=self.table, Key=key)

    def end(self, name: str) -> dict[str, str]:
        """Let an execution end as an event reports; returns the change that makes the event about it."""
        states = self.aws.client("stepfunctions")
        detail = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))["detail"]
        if detail["status"] == "TIMED_OUT":
            arn = self._time_out(detail["input"])
        else:
            arn, token = self.wait_for_a_token(**json.loads(detail["input"]))
            failure = {field: detail[field] for field in ("error", "cause") if detail[field]}
            if detail["status"] == "SUCCEEDED":
                states.send_task_success(taskToken=token, output=detail["output"])
            elif detail["status"] == "FAILED":
                states.send_task_failure(taskToken=token, **failure)
            else:
                states.stop_execution(executionArn=arn, **failure)
        status = eventually(lambda: _status_after_end(states, arn))
        assert status == detail["status"]
        return {detail["executionArn"]: arn}

    def _time_out(self, execution_input: str) -> str:
        states, wait = self.aws.client("stepfunctions"), {"Type": "Wait", "Seconds": 10_000, "End": True}
        definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": wait}}
        made = states.create_state_machine(
            name=f"{self.table}-short",
            definition=json.dumps({**definition, "TimeoutSeconds": 1}),
            roleArn=ROLE,
        )
        arn = made["stateMachineArn"]
        return str(states.start_execution(stateMachineArn=arn, input=execution_input)["executionArn"])

    def release(self, execution_arn: str, *, live: bool) -> None:
        """Store what the state machine records about a release."""
        package = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--auto-mpg/7"
        texts = {"workload": "auto_mpg", "package_arn": package, "execution_arn": execution_arn}
        items = [{"pk": f"release#{package}", "status": "started", **texts}]
        if live:
            endpoint = {"endpoint_type": "serverless", "endpoint_name": "mpg-pipeline-auto-mpg"}
            items.append({"pk": "live#auto_mpg", "since": "2026-03-01T09:46:00Z", **texts, **endpoint})
        for item in items:
            stored = {name: {"S": text} for name, text in item.items()}
            self.aws.client("dynamodb").put_item(
                TableName=self.table, Item=cast(Any, {**stored, "version": {"N": "7"}})
            )

    def register(
        self, evaluation_digest: str, group: str = "", status: str = "PendingManualApproval", **told: str
    ) -> str:
        """A new model package, which by default waits for approval."""
        made = self.aws.client("sagemaker").create_model_package(
            ModelPackageGroupName=group or self.group,
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"evaluation_digest": evaluation_digest, **told},
            InferenceSpecification={
                "Containers": [
                    {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"}
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return str(made["ModelPackageArn"])

    def start_job(self, name: str) -> str:
        """A processing job that runs until somebody stops it."""
        self.aws.client("s3").put_object(
            Bucket=self.bucket, Key="code/main.py", Body=b"import time\ntime.sleep(600)\n"
        )
        code = {
            "S3Uri": f"s3://{self.bucket}/code/",
            "LocalPath": "/opt/ml/processing/input/code",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        cluster = {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
        self.aws.client("sagemaker").create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            ProcessingResources={"ClusterConfig": cluster},
            AppSpecification={
                "ImageUri": SKLEARN,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
            },
            ProcessingInputs=[{"InputName": "code", "S3Input": code}],
        )
        return name

    def package(self, arn: str) -> Json:
        return cast(Json, self.aws.client("sagemaker").describe_model_package(ModelPackageName=arn))


@dataclass(frozen=True)
class Asked:
    """A request for approval that was mailed."""

    package_arn: str
    execution_arn: str
    changes: dict[str, str]


def ask(stage: Stage, event: str = "request_approval-first-model") -> Asked:
    """Let the function ask, and take the link from the mail."""
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    package_arn = stage.register(stage.keep(given["run_id"], champion=event.endswith("champion")))
    with stage.scheduled(**{**given, "model_package_arn": package_arn}) as (execution_arn, token):
        changes = {
            given["task_token"]: token,
            given["execution_arn"]: execution_arn,
            given["model_package_arn"]: package_arn,
        }
        assert stage.invoke(event, changes) == {"asked": True}
    (link_id,) = re.findall(r"/review/([\w-]{43})$", stage.mails()[-1]["text"], re.MULTILINE)
    mailed = json.loads((ROOT / "events" / "review-get.json").read_text(encoding="utf-8"))["rawPath"]
    return Asked(package_arn, execution_arn, {**changes, mailed: f"/review/{link_id}"})


def _status_after_end(states: Any, arn: str) -> str | None:
    status: str = states.describe_execution(executionArn=arn)["status"]
    return None if status == "RUNNING" else status


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def run_id(execution_arn: str, started: datetime) -> str:
    """As the state machine creates it."""
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()
    return f"mpg-{started.astimezone(UTC):%Y%m%d-%H%M}-{digest[:8]}"
