"""The endpoint of a workload as a test sees it: what is live, and other versions to approve."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from local.cli.deploy import set_parameter
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

ENDPOINT = "mpg-local-auto-mpg"
# The function, and the workload's alias.
FUNCTION = {"FunctionName": "mpg-local-serve", "Name": "auto-mpg"}
ROW = "4,91,68,1970,17.6,82,3,a car"
KEPT = {"Image", "ModelDataUrl", "Environment"}


class Releases:
    """The endpoint of a workload, with a model that is live, and ways to approve others."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._sagemaker = pipeline.client("sagemaker")

    @property
    def live(self) -> dict[str, str]:
        """The item about what is live, without its types."""
        item = self.pipeline.item("live#auto_mpg")
        return {name: str(next(iter(value.values()))) for name, value in item.items()}

    @classmethod
    @contextmanager
    def on(cls, pipeline: Pipeline, endpoint_type: str) -> Iterator[Self]:
        """While entered, releases are on, and a model is live."""
        set_parameter(pipeline.endpoint, "EndpointType", endpoint_type)
        found = cls(pipeline)
        [newest, *_] = pipeline.client("sagemaker").list_model_packages(
            ModelPackageGroupName="mpg-local--auto-mpg", ModelApprovalStatus="Approved", SortBy="CreationTime"
        )["ModelPackageSummaryList"]
        first = found.register(newest["ModelPackageArn"])
        found.approve(first)
        assert found.ended(first)["status"] == "live"
        yield found
        set_parameter(pipeline.endpoint, "EndpointType", "none")

    @property
    def config(self) -> str:
        """The configuration that answers."""
        return str(self._sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"])

    def answer(self) -> str:
        """The endpoint's answer for a row."""
        runtime = self.pipeline.client("sagemaker-runtime")
        answered = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=ROW.encode())
        return str(answered["Body"].read().decode())

    def register(self, of: str, environment: dict[str, str] | None = None, **metadata: str) -> str:
        """Another version of a package, with changes, that waits for approval."""
        found = self._sagemaker.describe_model_package(ModelPackageName=of)
        container = {k: v for k, v in found["InferenceSpecification"]["Containers"][0].items() if k in KEPT}
        container["Environment"] |= environment or {}
        if "run_id" in metadata:
            run_id = found["CustomerMetadataProperties"]["run_id"]
            container["ModelDataUrl"] = container["ModelDataUrl"].replace(run_id, metadata["run_id"])
        made = self._sagemaker.create_model_package(
            ModelPackageGroupName=found["ModelPackageGroupName"],
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={**found["InferenceSpecification"], "Containers": [container]},
            CustomerMetadataProperties={**found["CustomerMetadataProperties"], **metadata},
        )
        return str(made["ModelPackageArn"])

    def approve(self, package: str) -> None:
        self._sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")

    def record(self, package: str) -> dict[str, str]:
        """The item about a package's release, without its types; empty before it started."""
        item = self.pipeline.item(f"release#{package}")
        return {name: str(next(iter(value.values()))) for name, value in item.items()}

    def ended(self, package: str) -> dict[str, str]:
        """Wait until the release of a package has ended and is reported; returns its record."""

        def closed() -> dict[str, str] | None:
            found = self.record(package)
            return found if found.get("status", "started") != "started" else None

        found: dict[str, str] = eventually(closed, RUN_SECONDS)
        eventually(lambda: self.pipeline.was_reported(found["execution_arn"]), RUN_SECONDS)
        self.pipeline.until_functions_end()
        return found

    def mail(self, execution_arn: str) -> str:
        """The text of the one mail about an execution."""
        [found] = [mail for mail in self.pipeline.mails() if execution_arn in mail.text]
        return f"{found.subject}\n{found.text}"

    def fails(self, package: str) -> str:
        """Approve a package whose release fails and leaves everything as it was; returns the mail."""
        with self.stays_as_it_is():
            self.approve(package)
            ended = self.ended(package)
            assert ended["status"] == "failed", ended
        mail = self.mail(ended["execution_arn"])
        assert f"Version {self.live['version']} is still live" in mail
        return mail

    @contextmanager
    def stays_as_it_is(self) -> Iterator[None]:
        """What is live, its configuration and its answer are the same afterwards."""
        before = (self.live, self.config, self.answer())
        yield
        eventually(lambda: self.config == before[1], RUN_SECONDS)
        assert (self.live, self.config, self.answer()) == before

    def start(self, package: str, reason: str = "") -> str:
        """An execution as EventBridge starts it for an approval, or as somebody asks for it; returns its ARN."""
        detail = {"ModelPackageArn": package, **({"reason": reason} if reason else {})}
        started = self.pipeline.client("stepfunctions").start_execution(
            stateMachineArn=self.pipeline.stack["ReleaseStateMachineArn"],
            input=json.dumps({"detail": detail}),
        )
        return str(started["executionArn"])


class FunctionReleases(Releases):
    """The same where a version of the function answers."""

    @property
    def config(self) -> str:
        """The versions that answer, with their weights."""
        alias = self.pipeline.client("lambda").get_alias(**FUNCTION)
        return json.dumps([alias["FunctionVersion"], alias.get("RoutingConfig")])

    def answer(self) -> str:
        """The live version's answer for a row."""
        request = {"content_type": "text/csv", "body": ROW}
        answered = self.pipeline.client("lambda").invoke(
            FunctionName=":".join(FUNCTION.values()), Payload=json.dumps(request)
        )
        return str(json.load(answered["Payload"])["body"])
