"""Looks at what the live model saw, as a test sees them: with jobs that find at once what the test says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from common.drift import Drift, FeatureTest
from runs.names import run_id
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

WORKLOAD = "auto_mpg"
REFUSED: dict[str, Any] = {"error": "AccessDenied", "status": 403, "times": None}
_DRIFT = Drift("", 300, 100, 0.001, (FeatureTest("weight", "kolmogorov_smirnov", 0.4, 0.1, drifted=True),))
# Stands for the job: tests/unit/processing and tests/e2e have the real one.
_JOB = f"""
import hashlib, json, pathlib
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
found = {{"workload": sys.argv[2], "rows": {{"batch": 100}}, "drift": json.loads({json.dumps(_DRIFT.to_json())!r})}}
found["model_package_arn"] = found["drift"]["model_package_arn"] = options["--model-arn"]
body = json.dumps(found).encode()
pathlib.Path(options["--output"], "monitoring.json").write_bytes(body)
pathlib.Path(options["--exit-message"]).write_text("sha256:" + hashlib.sha256(body).hexdigest())
"""


class Looks:
    """Executions of monitoring, which find a drift in whatever is new."""

    def __init__(self, pipeline: Pipeline, begin: datetime) -> None:
        self.pipeline = pipeline
        self._begin = begin
        self._mails = 0

    @classmethod
    @contextmanager
    def on(cls, pipeline: Pipeline) -> Iterator[Self]:
        """While entered, there is something to look at, and a look finds a drift in it."""
        begin = datetime.now(UTC).replace(microsecond=0)
        run = pipeline.upload("cars.csv", b"nothing that can be used")
        assert run.ends().error == "UploadRefused"
        run.reported()
        s3, place = pipeline.client("s3"), {"Bucket": pipeline.stack["BucketName"]}
        place["Key"] = f"runs/{run.run_id}/predictions/batch.csv.out"
        s3.put_object(**place, Body=b"1\n")
        stored = s3.head_object(**place)["LastModified"]
        # A window ends before the second in which the look begins.
        eventually(lambda: datetime.now(UTC) > stored + timedelta(seconds=1))
        with pipeline.instead_of("monitor", _JOB):
            yield cls(pipeline, begin)

    def begin_anew(self) -> None:
        """What there is was never looked at, and nobody was told of it. No two windows begin at the same time."""
        self._begin -= timedelta(seconds=1)
        self.pipeline.client("dynamodb").put_item(
            TableName=self.pipeline.stack["TableName"],
            Item={
                "pk": {"S": f"monitor#{WORKLOAD}"},
                "until": {"S": self.begin},
                "monitoring_id": {"S": "before"},
            },
        )
        self._mails = len(self.pipeline.mails())

    @property
    def begin(self) -> str:
        """Where the window begins."""
        return f"{self._begin:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def is_still_new(self) -> bool:
        """Whether the next look begins where this one did."""
        return bool(self.pipeline.item(f"monitor#{WORKLOAD}")["until"]["S"] == self.begin)

    def id_of(self, arn: str) -> str:
        """The name under which everything of a look is kept."""
        return run_id(arn, self.pipeline.describe(arn)["startDate"])

    def start(self) -> str:
        """A look as the schedule starts it, at the cars only; its ARN."""
        started = self.pipeline.client("stepfunctions").start_execution(
            stateMachineArn=self.pipeline.stack["MonitorStateMachine"],
            input=json.dumps({"reason": "schedule", "workload": WORKLOAD}),
        )
        return str(started["executionArn"])

    def ended(self, arn: str) -> dict[str, Any]:
        """The execution after its end."""

        def end() -> dict[str, Any] | None:
            found = self.pipeline.describe(arn)
            return found if found["status"] != "RUNNING" else None

        return dict(eventually(end, RUN_SECONDS))

    def outcome(self, arn: str) -> str:
        """What a look found."""
        ended = self.ended(arn)
        assert ended["status"] == "SUCCEEDED", ended
        [found] = json.loads(ended["output"])["workloads"]
        return str(found["outcome"])

    def look(self) -> str:
        """Look once more; what was found."""
        return self.outcome(self.start())

    def fails(self, arn: str) -> str:
        """Why a look failed, as it was mailed."""
        assert self.ended(arn)["status"] == "FAILED"
        eventually(lambda: self.pipeline.was_reported(arn), RUN_SECONDS)
        return self.failure_mails(arn)[-1]

    def failure_mails(self, arn: str) -> list[str]:
        """The texts of the mails that an execution failed or was stopped."""
        found = self.pipeline.mails()
        return [mail.text for mail in found if mail.subject.startswith("Monitoring") and arn in mail.text]

    def told(self) -> int:
        """How many mails about a drift there were since the window began anew."""
        return sum(mail.subject.startswith("Drift") for mail in self.pipeline.mails()[self._mails :])

    def fails_at_once(self) -> str:
        """A look that cannot even be planned, after its end; its ARN."""
        self.pipeline.fault("lambda:Invoke", containing="PlanMonitoring", **REFUSED)
        arn = self.start()
        assert self.ended(arn)["status"] == "FAILED"
        self.pipeline.heal()
        return arn

    def a_minute_passes(self) -> None:
        """Let the claims on mails about a drift lapse, whoever died with one."""
        client, place = self.pipeline.client("dynamodb"), {"TableName": self.pipeline.stack["TableName"]}
        found = client.scan(
            **place,
            FilterExpression="begins_with(pk, :told) AND attribute_not_exists(sent_at)",
            ExpressionAttributeValues={":told": {"S": "told#monitoring#"}},
        )
        for item in found["Items"]:
            client.update_item(
                **place,
                Key={"pk": item["pk"]},
                UpdateExpression="SET claimed_until = :past",
                ExpressionAttributeValues={":past": {"N": "1"}},
            )
