"""One file from the upload to the last mail, with a person's decision in between."""

import getpass
import re
import time
from collections.abc import Mapping
from pathlib import Path

from common.workload import Workload
from deploy.problems import Trouble
from local.cli import browser, deploy
from local.cli.answer import show_answer
from local.cli.endpoint import Endpoint, Mail
from local.cli.history import Ended
from local.cli.outcome import Result, exit_message
from local.cli.predictions import show_predictions
from local.cli.release import follow, show
from local.cli.report import show_drift, show_end, show_mail, show_model
from local.cli.screen import Screen
from local.cli.upload import find_execution, upload
from local.cli.watch import Watch
from local.cli.workloads import WrongWorkload, choose, key_of, tuned_names

_LINK = re.compile(r"^https?://\S+$", re.MULTILINE)


class Drive:
    """Drives one run.

    `result` collects everything along the way, so it is valid even if the run breaks off.
    `stays` says whether the embedded AWS keeps running afterwards, so that somebody can decide later.
    """

    def __init__(self, endpoint: Endpoint, result: Result, screen: Screen, *, stays: bool) -> None:
        self._endpoint = endpoint
        self._result = result
        self._screen = screen
        self._stays = stays

    def run(self, file: Path, name: str | None, decision: str, *, reuse: bool = True) -> None:
        """Upload the file, follow it, decide (approve, reject or none), follow to the end.

        `name` is the workload that was asked for; `reuse`, whether the run may reuse earlier results. Raises
        Trouble.
        """
        stack = deploy.outputs(self._endpoint)
        default = deploy.parameters(self._endpoint)["DefaultWorkload"]
        try:
            workload = choose(file, name, default)
        except WrongWorkload as wrong:
            raise Trouble(str(wrong)) from None
        key = key_of(file, workload, default)
        uploaded = upload(self._endpoint, file, stack["BucketName"], key, self._screen.progress, reuse=reuse)
        self._screen.heading(f"Uploaded to s3://{uploaded.bucket}/{uploaded.key}")
        arn = find_execution(self._endpoint, uploaded, stack["TableName"], stack["StateMachineArn"])
        self.follow(arn, workload, uploaded.at, decision)

    def follow(self, arn: str, workload: Workload, began: float, decision: str) -> None:
        """Follow an execution that began at that moment, decide, follow to the end. Raises Trouble."""
        stack, parameters = deploy.outputs(self._endpoint), deploy.parameters(self._endpoint)
        self._result.take_workload(workload, parameters)
        self._result.execution_arn = arn
        watch = Watch(self._endpoint, arn, self._result, self._screen)
        try:
            found = watch.until_mail(_topic(stack["ApprovalTopicArn"]))
            moment = found.sent_at.timestamp() if isinstance(found, Mail) else time.time()
            self._result.seconds["total"] = round(moment - began, 3)
            watch.take_cost()
            show_model(self._screen, self._result, tuned_names(workload))
            show_drift(self._screen, self._result)
            end = self._ask(watch, found, decision) if isinstance(found, Mail) else found
            self._finish(watch, end, _topic(stack["NotificationTopicArn"]))
            if self._result.outcome == "approved":
                self._release(watch, workload, stack, parameters)
        finally:
            self._result.mails = [{"subject": mail.subject, "text": mail.text} for mail in watch.mails()]

    def _ask(self, watch: Watch, mail: Mail, decision: str) -> Ended | None:
        show_mail(self._screen, mail)
        link = _LINK.search(mail.text)
        if link is None:
            raise Trouble("The approval mail has no link on a line of its own")
        if decision == "none":
            self._leave_open(link.group())
            return None
        self._screen.heading(f"Decision: {decision}, through the link in the mail")
        self._decide(link.group(), decision)
        return watch.until_end()

    def _leave_open(self, link: str) -> None:
        self._result.outcome = "pending"
        self._screen.heading("Decision: left open")
        self._screen.line(f"  {link}")
        if not self._stays:
            self._screen.line(
                "  The link ends with this command. With `mpg up` in another terminal it would keep working."
            )

    def _decide(self, link: str, decision: str) -> None:
        entries = {
            "reviewer": f"{getpass.getuser()} (mpg run)",
            "comment": f"Decided by mpg run --decision {decision}",
        }
        try:
            page = browser.get(link)
            form = page.form_with_button("decision", decision)
            answer = browser.submit(page, form, form.filled(entries, ("decision", decision)))
        except LookupError as error:
            raise Trouble(f"The decision could not be made on the page behind the link: {error}") from error
        if answer.status != 200:
            raise Trouble(f"The page answered {answer.status}", "The page says what to do.", answer.text)
        self._screen.line(
            f"  GET {page.status}, form filled in, POST {answer.status}: {_first_words(answer.text)}"
        )

    def _finish(self, watch: Watch, end: Ended | None, topic: str) -> None:
        if end is not None:
            self._result.take_end(end, exit_message(self._endpoint.client("sagemaker"), end))
            # The daily limit on runs is mailed once a day.
            if self._result.outcome not in ("already_processed", "over_limit"):
                self._show_notification(watch, topic)
        show_predictions(self._screen, self._endpoint, self._result)
        show_end(self._screen, self._result)

    def _release(
        self, watch: Watch, workload: Workload, stack: Mapping[str, str], parameters: Mapping[str, str]
    ) -> None:
        """Follow the release that the approval started, and ask the endpoint about one row."""
        arn, table = self._result.model_package_arn, stack["TableName"]
        # Without endpoints, the rule that starts releases is disabled.
        if arn is None or parameters[deploy.ENDPOINT_TYPE] == deploy.NO_ENDPOINT:
            return
        self._screen.heading("Release")
        release = follow(self._endpoint, self._screen, table, workload.name, arn)
        self._result.take_release(release)
        show(self._screen, release)
        if execution_arn := release.record.execution_arn:
            watch.take_release(execution_arn)
            self._show_notification(watch, _topic(stack["NotificationTopicArn"]), execution_arn)
        if release.succeeded and release.live:
            show_answer(self._screen, self._endpoint, release.live, workload)

    def _show_notification(self, watch: Watch, topic: str, naming: str = "") -> None:
        mail = watch.wait_for_mail(topic, naming)
        if mail is None:
            self._screen.failure("No mail reported how it ended.")
        else:
            show_mail(self._screen, mail)


def _topic(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _first_words(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
