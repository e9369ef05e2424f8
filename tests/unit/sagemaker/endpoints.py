"""Endpoints whose containers are functions."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.sagemaker import Invocation, SageMaker
from local.sagemaker.engines.serving import frames
from tests.conftest import eventually
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import MODEL

Json = dict[str, Any]
Serve = Callable[[Running, bytes], tuple[int, bytes]]

INSTANCES: Json = {
    "VariantName": "blue",
    "ModelName": "model",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}
SERVERLESS: Json = {
    "VariantName": "blue",
    "ModelName": "model",
    "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2},
}


def archive(name: str = "xgboost-model", content: bytes = b"trees") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def model_and_body(running: Running, body: bytes) -> tuple[int, bytes]:
    return 200, (running.root / "model/xgboost-model").read_bytes() + b" " + body


@dataclass
class Hosting:
    """A SageMaker with a model, and what its containers do."""

    sagemaker: SageMaker
    aws: FakeAws
    workers: FakeWorkers
    healthy: bool = True
    serve: Serve = model_and_body
    # Set to let containers begin.
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()
        self.workers.program = self.run
        self.aws.s3.put("s3://bucket/models/model.tar.gz", archive())
        self.sagemaker.call("CreateModel", MODEL)

    def run(self, running: Running) -> int:
        connection = running.connection
        assert connection is not None
        self.open.wait(10)
        if not self.healthy:
            running.print("no such file: weights")
            return 1
        frames.send(connection, {"healthy": True})
        while (request := frames.receive(connection)) is not None:
            try:
                status, answer = self.serve(running, request[1])
            except ChildProcessError:
                return 1
            frames.send(connection, {"status": status, "headers": {"Content-Type": "text/csv"}}, answer)
        return 0

    def configure(self, name: str = "first", *variants: Json, **more: Any) -> None:
        request = {"EndpointConfigName": name, "ProductionVariants": list(variants or [INSTANCES]), **more}
        self.sagemaker.call("CreateEndpointConfig", request)

    def create(self, name: str = "Cars", config: str = "first") -> Json:
        self.sagemaker.call("CreateEndpoint", {"EndpointName": name, "EndpointConfigName": config})
        return self.settled(name)

    def update(self, config: str, name: str = "Cars", **more: Any) -> None:
        self.sagemaker.call("UpdateEndpoint", {"EndpointName": name, "EndpointConfigName": config, **more})

    def describe(self, name: str = "Cars") -> Json:
        return self.sagemaker.call("DescribeEndpoint", {"EndpointName": name})

    def settled(self, name: str = "Cars") -> Json:
        """The endpoint's description, once nothing changes it any more."""
        ended = ("InService", "Failed")
        found: Json = eventually(lambda: (seen := self.describe(name))["EndpointStatus"] in ended and seen)
        return found

    def ask(self, body: bytes = b"1", name: str = "Cars", **more: Any) -> bytes:
        answer, _ = self.sagemaker.invoke(name, Invocation(body, {"Content-Type": "text/csv"}, **more))
        return answer.body

    def logged(self) -> list[str]:
        self.sagemaker.close()
        return [line for lines in self.aws.logs.lines.values() for line in lines]
