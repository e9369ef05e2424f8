"""One uploaded file, and everything that the pipeline did with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.cli import browser
from shared.jobs import LARGEST_PAGES
from tests.conftest import eventually
from tests.faults.calls import TASKS
from tests.faults.tally import Ending, Mail, Tally

if TYPE_CHECKING:
    from tests.faults.pipeline import Pipeline

# A run takes a few seconds; the machine may be busy with something else.
RUN_SECONDS = 240.0
_LINK = re.compile(r"^http://\S+/review/\S+$", re.MULTILINE)


class Run:
    """One uploaded version of a file, and everything that the pipeline did with it."""

    def __init__(self, pipeline: Pipeline, key: str, version_id: str) -> None:
        self.pipeline = pipeline
        self.key = key
        self.version_id = version_id
        # Set by a test in which a mail is sent twice, which is better than not at all.
        self.expects_a_mail_twice = False

    @cached_property
    def arn(self) -> str:
        """The execution that claimed the upload or, if none could, the first one about it."""
        return str(eventually(self._find, RUN_SECONDS))

    @cached_property
    def _started(self) -> datetime:
        return self.pipeline.describe(self.arn)["startDate"].astimezone()  # type: ignore[no-any-return]

    @cached_property
    def run_id(self) -> str:
        started = self._started.utctimetuple()
        moment = f"{started.tm_year}{started.tm_mon:02}{started.tm_mday:02}-{started.tm_hour:02}{started.tm_min:02}"
        return f"mpg-{moment}-{hashlib.sha256(self.arn.encode()).hexdigest()[:8]}"

    def ends(self, seconds: float = RUN_SECONDS) -> Ending:
        """Wait for the end of the execution, or until it waits for a requested approval."""
        return eventually(self._ending, seconds)  # type: ignore[no-any-return]

    def is_over(self, seconds: float = RUN_SECONDS) -> Ending:
        """Wait for the end of the execution, because nobody is asked or somebody has decided."""
        return eventually(lambda: self._ending(or_waits=False), seconds)  # type: ignore[no-any-return]

    def approve(self) -> Ending:
        """Approve the model in SageMaker, and wait for the end."""
        self.decide("Approved")
        return self.is_over()

    def decide(self, status: str) -> None:
        """Set the approval status of the package: `Approved` or `Rejected`."""
        (package,) = self.packages()
        self.pipeline.client("sagemaker").update_model_package(
            ModelPackageArn=package, ModelApprovalStatus=status, ApprovalDescription="by the test"
        )

    def open_link(self) -> browser.Page:
        """The review page, by the newest mailed link."""
        return self.open_links()[-1]

    def open_links(self) -> list[browser.Page]:
        """The review page, by each mailed link, oldest first."""
        links = [_LINK.search(mail.text) for mail in self._mails("ApprovalTopic", [self.run_id])]
        return [browser.get(link.group()) for link in links if link]

    def approve_by_mail(self, button: tuple[str, str] = ("decision", "approve")) -> int:
        """Approve the model through the newest mailed link; the status of the page that answers."""
        return self._submit(button)

    def reject_by_mail(self, comment: str) -> int:
        """Reject it in the same way."""
        return self._submit(("decision", "reject"), comment=comment)

    def _submit(self, button: tuple[str, str], **entry: str) -> int:
        page = self.open_link()
        form = page.form_with_button(*button)
        return browser.submit(page, form, form.filled({"reviewer": "Ada", **entry}, button)).status

    def stop(self) -> None:
        """Stop the execution by hand."""
        self.pipeline.client("stepfunctions").stop_execution(
            executionArn=self.arn, error="Stopped", cause="by hand"
        )

    def resume(self) -> None:
        """Redrive the execution."""
        self.pipeline.client("stepfunctions").redrive_execution(executionArn=self.arn)

    def redrive(self) -> Ending:
        """Redrive the execution, and wait for its end or its request for approval."""
        before = len(self.questions())
        self.resume()
        return eventually(lambda: self._ending(asked_before=before), RUN_SECONDS)  # type: ignore[no-any-return]

    def end_event(self) -> dict[str, Any]:
        """Step Functions' event about the end of the execution."""
        found = self.pipeline.describe(self.arn)
        names = ("executionArn", "stateMachineArn", "name", "status", "input", "output", "error", "cause")
        detail = {name: found.get(name) for name in names} | {
            "redriveCount": found.get("redriveCount", 0),
            "startDate": int(found["startDate"].timestamp() * 1000),
        }
        return {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": detail,
        }

    def decision_event(self) -> dict[str, Any]:
        """SageMaker's event about the decision on the package."""
        (package,) = self.packages()
        found = self.pipeline.client("sagemaker").describe_model_package(ModelPackageName=package)
        names = ("ModelPackageArn", "ModelPackageGroupName", "ModelApprovalStatus")
        detail = {name: found[name] for name in names}
        return {
            "source": "aws.sagemaker",
            "detail-type": "SageMaker Model Package State Change",
            "detail": detail,
        }

    def entered(self) -> list[str]:
        """The names of the states that the execution entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history()
            if event["type"].endswith("StateEntered")
        ]

    def times_entered(self) -> Counter[str]:
        """How often the execution entered each of the state machine's tasks."""
        return Counter(state for state in self.entered() if state in TASKS)

    def history(self) -> list[dict[str, Any]]:
        pages = (
            self.pipeline.client("stepfunctions")
            .get_paginator("get_execution_history")
            .paginate(executionArn=self.arn, PaginationConfig={"PageSize": 1000})
        )
        return [event for page in pages for event in page["events"]]

    def claim(self) -> dict[str, Any]:
        """The item with which an execution claimed the upload; empty before that."""
        return self.pipeline.item(f"upload#{self.pipeline.stack['BucketName']}/{self.key}#{self.version_id}")

    def until_in(self, state: str) -> None:
        """Wait until the execution is in this state, or was."""
        eventually(lambda: state in self.entered(), RUN_SECONDS)

    def questions(self, mails: list[Mail] | None = None) -> list[Mail]:
        """The mails that asked for an approval, among these or in the mailbox."""
        asked = self._mails("ApprovalTopic", [self.run_id], mails)
        return [mail for mail in asked if not mail.subject.startswith("Reminder")]

    def reminders(self, mails: list[Mail] | None = None) -> list[Mail]:
        """The mails that reminded of it, among these or in the mailbox."""
        asked = self._mails("ApprovalTopic", [self.run_id], mails)
        return [mail for mail in asked if mail.subject.startswith("Reminder")]

    def endings(self, mails: list[Mail] | None = None) -> list[Mail]:
        """The mails about the end of any of its executions, among these or in the mailbox."""
        return self._mails("NotificationTopic", self.pipeline.executions_of(self), mails)

    def reported(self) -> Mail:
        """Wait until the end of each of its executions is reported and recorded; returns the newest mail.

        That there is no second mail shows nothing while the event of another execution's end is under way.
        """
        eventually(
            lambda: all(map(self.pipeline.was_reported, self.pipeline.executions_of(self))), RUN_SECONDS
        )
        self.pipeline.until_functions_end()
        return self.endings()[-1]

    def packages(self) -> list[str]:
        """The model packages that were registered for it."""
        pages = (
            self.pipeline.client("sagemaker")
            .get_paginator("list_model_packages")
            .paginate(
                ModelPackageGroupName=f"{self.pipeline.stack['ModelPackageGroupPrefix']}-auto-mpg",
                CreationTimeAfter=self._started,
                PaginationConfig=LARGEST_PAGES,
            )
        )
        return [
            package["ModelPackageArn"]
            for page in pages
            for package in page["ModelPackageSummaryList"]
            if self.run_id in package.get("ModelPackageDescription", "")
        ]

    def jobs(self) -> dict[str, str]:
        """Name and status of each processing, tuning and transform job."""
        sagemaker = self.pipeline.client("sagemaker")
        found: dict[str, str] = {}
        for kind, operation in (
            ("ProcessingJob", "list_processing_jobs"),
            ("HyperParameterTuningJob", "list_hyper_parameter_tuning_jobs"),
            ("TransformJob", "list_transform_jobs"),
        ):
            for page in sagemaker.get_paginator(operation).paginate(
                NameContains=self.run_id, PaginationConfig=LARGEST_PAGES
            ):
                summaries = page[f"{kind}Summaries"]
                found |= {summary[f"{kind}Name"]: summary[f"{kind}Status"] for summary in summaries}
        return found

    def trials(self) -> dict[str, str]:
        """Name and status of each training job."""
        pages = (
            self.pipeline.client("sagemaker")
            .get_paginator("list_training_jobs")
            .paginate(NameContains=self.run_id, PaginationConfig=LARGEST_PAGES)
        )
        return {
            job["TrainingJobName"]: job["TrainingJobStatus"]
            for page in pages
            for job in page["TrainingJobSummaries"]
        }

    @cached_property
    def redrives(self) -> int:
        """The number of redrives of the execution when this is first called."""
        return int(self.pipeline.describe(self.arn).get("redriveCount", 0))

    def settle(self, tally: Tally) -> None:
        """Count this upload as lost or duplicated, if it is."""
        executions = self.pipeline.executions_of(self)
        if not executions or not self._ending():
            tally.lost.add(self.key)
            return
        working = [arn for arn in executions if "already_processed" not in str(self._output(arn))]
        packages = self.packages()
        if len(working) > 1 or len(packages) > 1:
            tally.doubled.add(f"{self.key}: {len(working)} executions, {len(packages)} packages")
        self.settle_mails(tally, self.pipeline.mails())
        for package in packages:
            self.pipeline.forget(f"package#{package}")

    def settle_mails(self, tally: Tally, mails: list[Mail]) -> None:
        """Count this upload if one of its mails was sent twice. May be called again, for late mails."""
        expected = 1 + self.redrives
        kinds = (self.questions(mails), self.reminders(mails), self.endings(mails))
        if max(map(len, kinds)) > expected:
            knowingly = tally.mails_doubled_knowingly if self.expects_a_mail_twice else tally.mails_doubled
            knowingly.add(self.key)

    def _find(self) -> str | None:
        if claim := self.claim():
            return str(claim["execution_arn"]["S"])
        started = self.pipeline.executions_of(self)
        return started[0] if started else None

    def _ending(self, *, or_waits: bool = True, asked_before: int = 0) -> Ending | None:
        mails = self.pipeline.mails()
        found = self.pipeline.describe(self.arn)
        output = json.loads(found.get("output") or "{}")
        if found["status"] == "RUNNING":
            if or_waits and len(self.questions(mails)) > asked_before:
                return Ending("pending", "", "", {})
            # Whatever it is waited for here comes with a mail.
            self.pipeline.until_a_mail(1, after=len(mails))
            return None
        outcome = output.get("outcome", found["status"].lower())
        return Ending(outcome, found.get("error") or "", found.get("cause") or "", output)

    def _output(self, arn: str) -> dict[str, Any]:
        return dict(json.loads(self.pipeline.describe(arn).get("output") or "{}"))

    def _mails(self, topic: str, marks: list[str], mails: list[Mail] | None = None) -> list[Mail]:
        name = self.pipeline.stack[topic].rpartition(":")[2]
        found = self.pipeline.mails() if mails is None else mails
        return [mail for mail in found if mail.topic == name and any(map(mail.is_about, marks))]
