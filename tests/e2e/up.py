"""A running `mpg up`, and requests for approval on it: real runs of the pipeline, up to the mail."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from local.cli import deploy
from local.cli.endpoint import STACK, Endpoint, Mail
from tests.conftest import eventually, free_port
from tests.e2e.mpg import MPG_WITHOUT_SDK, ROOT, Place, listens, wait_for

# Most tests only need a model; each trial more would be a third of a run's CPU time.
TRIALS = "1"
SAMPLE = ROOT / "data" / "auto-mpg.csv"
NOTHING: dict[str, list[str]] = {"processes": [], "temporary files": [], "unfinished state": []}
_LINK = re.compile(r"^http://\S+/review/([A-Za-z0-9_-]{43})$", re.MULTILINE)


@dataclass(frozen=True)
class Up:
    """A running `mpg up`."""

    place: Place
    port: int
    printed: str
    process: "subprocess.Popen[bytes]"

    @cached_property
    def endpoint(self) -> Endpoint:
        return self.place.endpoint

    @cached_property
    def _mails(self) -> list[Mail]:
        """What was in the mailbox when somebody looked last."""
        return []

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return deploy.outputs(self.endpoint)

    @cached_property
    def resources(self) -> dict[str, str]:
        """The physical id of everything in the stack by its logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = [entry for page in pages for entry in page["StackResourceSummaries"]]
        return {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in found}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call the function with this logical id and wait for its response."""
        answer = self.client("lambda").invoke(
            FunctionName=self.resources[function], Payload=json.dumps(event)
        )
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def call(self, output: str, **event: Any) -> Any:
        """The same for the function that the stack has as this output."""
        answer = self.client("lambda").invoke(FunctionName=self.outputs[output], Payload=json.dumps(event))
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def client(self, service: str) -> Any:
        return self.endpoint.client(service)

    def threshold(self) -> str:
        return deploy.parameters(self.endpoint)["MseThreshold"]

    def mails(self, topic: str, about: str) -> list[Mail]:
        """The mails of the topic with this logical id that contain a text, oldest first."""
        self._mails.extend(self.endpoint.mails(after=len(self._mails)))
        return self._found(topic, about)

    def mail(self, topic: str, about: str) -> Mail:
        """The only such mail, once it has arrived."""

        def arrived() -> list[Mail]:
            if not (found := self._found(topic, about)):
                self._mails.extend(self.endpoint.mails(after=len(self._mails), wait=5))
            return found

        eventually(arrived)
        (mail,) = self.mails(topic, about)
        return mail

    def _found(self, topic: str, about: str) -> list[Mail]:
        return [mail for mail in self._mails if f"-{topic}-" in mail.topic and mail.is_about(about)]

    def records(self) -> list[dict[str, Any]]:
        """Every item of the table, in the JSON of DynamoDB."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs["TableName"])
        return [item for page in pages for item in page["Items"]]


@contextmanager
def running(folder: Path) -> Iterator[Up]:
    """Starts `mpg up`; afterwards `mpg down` must leave nothing behind."""
    place, log, port = Place.under(folder), folder / "log", free_port()
    process = place.start("up", "--port", str(port), log=log, mpg=MPG_WITHOUT_SDK)
    try:
        wait_for(log, r"Ctrl-C stops it", process)
        yield Up(place, port, log.read_text(), process)
        down = place.call("down")
        assert (down.returncode, process.wait(30)) == (0, 0), down.stdout + log.read_text()
        assert not listens(port)
        assert place.leftovers() == NOTHING
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


@dataclass(frozen=True)
class Asked:
    """A run that waits for its approval, and the mail that was sent about it."""

    up: Up
    key: str
    execution_arn: str
    mail: Mail

    @property
    def run_id(self) -> str:
        return self.mail.subject.split()[4].rstrip(",")

    @property
    def link(self) -> str:
        """The mailed link, alone on its line."""
        return link_in(self.mail)

    @property
    def link_id(self) -> str:
        """The secret in it."""
        return self.link.rsplit("/", 1)[1]

    @property
    def package_arn(self) -> str:
        return self.mail.text.split()[-1]

    @property
    def record(self) -> dict[str, str]:
        """The request's record in the table."""
        answer = self.up.client("dynamodb").get_item(
            TableName=self.up.outputs["TableName"], Key={"pk": {"S": f"package#{self.package_arn}"}}
        )
        return {name: str(next(iter(value.values()))) for name, value in answer["Item"].items()}

    @property
    def package(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.up.client("sagemaker").describe_model_package(
            ModelPackageName=self.package_arn
        )
        return answer

    @property
    def execution(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.up.client("stepfunctions").describe_execution(
            executionArn=self.execution_arn
        )
        return answer

    @property
    def standing(self) -> tuple[str, str, str]:
        """The state of the table, of SageMaker and of Step Functions."""
        return self.record["status"], self.package["ModelApprovalStatus"], self.execution["status"]

    def end(self) -> dict[str, Any]:
        """The execution's output, once it has succeeded."""
        eventually(lambda: self.execution["status"] != "RUNNING")
        execution = self.execution
        assert execution["status"] == "SUCCEEDED", execution
        output: dict[str, Any] = json.loads(execution["output"])
        return output

    def final_mail(self, subject: str) -> Mail:
        """The only mail about this run's end, once it has arrived; its subject begins as given."""
        mail = self.up.mail("NotificationTopic", self.run_id)
        assert mail.subject.startswith(subject), mail
        return mail

    def decide_in_sagemaker(self, status: str, why: str = "") -> None:
        """Decide as somebody with AWS credentials does, in Studio, with the AWS CLI or with boto3."""
        self.up.client("sagemaker").update_model_package(
            ModelPackageArn=self.package_arn, ModelApprovalStatus=status, ApprovalDescription=why
        )

    def move_in_time(self, asked: datetime, until: datetime) -> None:
        """Change the start and the deadline of the request. The execution still waits as before."""
        moment = asked.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.up.client("dynamodb").update_item(
            TableName=self.up.outputs["TableName"],
            Key={"pk": {"S": f"package#{self.package_arn}"}},
            UpdateExpression="SET requested_at = :asked, decide_before = :until",
            ExpressionAttributeValues={
                ":asked": {"S": moment},
                ":until": {"N": str(int(until.timestamp()))},
            },
        )

    def let_expire(self) -> None:
        """Move the deadline of the request into the past."""
        now = datetime.now(UTC)
        self.move_in_time(asked=now - timedelta(days=7, minutes=1), until=now - timedelta(minutes=1))

    @contextmanager
    def expired(self) -> Iterator[None]:
        """While entered, the deadline of the request is in the past. Nothing else of the request may change."""
        before = self.record
        self.let_expire()
        yield
        self.move_in_time(
            asked=datetime.fromisoformat(before["requested_at"]),
            until=datetime.fromtimestamp(int(before["decide_before"]), UTC),
        )
        assert self.record == before


def link_in(mail: Mail) -> str:
    """The link to the review page, alone on a line of the mail."""
    found = _LINK.search(mail.text)
    assert found is not None, mail.text
    return found.group()


UNDECIDED = ("PENDING", "PendingManualApproval", "RUNNING")


def start_run(up: Up, name: str = "cars.csv") -> tuple[str, str]:
    """Upload the sample under a name. Returns its key and the ARN of the execution that it started."""
    bucket, key = up.outputs["BucketName"], f"incoming/{name}"
    version = up.client("s3").put_object(Bucket=bucket, Key=key, Body=SAMPLE.read_bytes())["VersionId"]
    item = eventually(
        lambda: (
            up.client("dynamodb")
            .get_item(
                TableName=up.outputs["TableName"], Key={"pk": {"S": f"upload#{bucket}/{key}#{version}"}}
            )
            .get("Item")
        )
    )
    return key, item["execution_arn"]["S"]


def ask(up: Up, name: str = "cars.csv") -> Asked:
    """Run the pipeline on the sample up to the mail that asks for a decision."""
    return asked_by(up, *start_run(up, name))


def asked_by(up: Up, key: str, execution_arn: str) -> Asked:
    """What a run asks, once its mail has arrived."""
    # A run's id ends with the beginning of this hash.
    run = f"-{hashlib.sha256(execution_arn.encode()).hexdigest()[:8]}, "
    return Asked(up, key, execution_arn, up.mail("ApprovalTopic", run))
