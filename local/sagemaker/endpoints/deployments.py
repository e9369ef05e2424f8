"""Creates, updates and deletes endpoints: each deployment runs on its own thread."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.endpoints.fleet import Fleet, deployed_image
from local.sagemaker.endpoints.hosted import host
from local.sagemaker.endpoints.live import Live
from local.sagemaker.endpoints.shifting import steps_of
from local.sagemaker.endpoints.variant import Variant
from local.sagemaker.errors import JobFailed
from local.sagemaker.jobs import Backend
from local.sagemaker.kinds import MODEL, Json
from local.sagemaker.registry import Registry, image_digest
from local.sagemaker.store import Record

_log = logging.getLogger(__name__)

# How often the alarms of a deployment are read.
_LOOK_SECONDS = 1.0


class Deployments:
    """Changes what endpoints run. Every method but `close` returns at once.

    A step of a deployment waits `wait_scale` of the time that it asks for.
    """

    def __init__(self, backend: Backend, registry: Registry, wait_scale: float = 1.0) -> None:
        self._backend = backend
        self._store = backend.store
        self._registry = registry
        self._wait_scale = wait_scale
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()

    def create(self, live: Live, config: Json) -> None:
        """Start the containers of a new endpoint, which is `Creating`."""
        self._run(live.record, lambda: self._create(live, config))

    def update(self, live: Live, config: Json, deployment: Json, kept: Mapping[str, Json]) -> None:
        """Replace the containers of an endpoint, which is `Updating`; `kept` are the properties of variants
        that override the configuration's."""
        self._run(live.record, lambda: self._update(live, config, deployment, kept))

    def rescale(self, live: Live, wanted: Mapping[str, Json]) -> None:
        """Change weights and capacities, by variant, of an endpoint, which is `Updating`."""
        self._run(live.record, lambda: self._rescale(live, wanted))

    def delete(self, live: Live) -> None:
        """Stop the containers of an endpoint, which is `Deleting`, and remove it."""
        self._run(live.record, lambda: self._delete(live))

    def begin_close(self) -> None:
        """Break off every deployment; returns at once. Idempotent."""
        self._closing.set()

    def close(self) -> None:
        """Wait for that, ten seconds at most. Idempotent."""
        for thread in list(self._threads):
            thread.join(timeout=10)

    def _run(self, record: Record, deploy: Callable[[], None]) -> None:
        def carry_out() -> None:
            try:
                deploy()
            except JobFailed as failed:
                self._settle(record, "Failed", str(failed))
            except Exception as error:
                if not self._closing.is_set():
                    _log.exception("endpoint %s", record.key)
                self._settle(record, "Failed", f"{type(error).__name__}: {error}")
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=carry_out, name=record.arn, daemon=True)
        self._threads.add(thread)
        self._backend.events.tell(record)
        thread.start()

    def _create(self, live: Live, config: Json) -> None:
        fleet = self._start(live, config, {})
        live.traffic = ((fleet, 1.0),)
        self._in_service(live, fleet)

    def _start(self, live: Live, config: Json, kept: Mapping[str, Json]) -> Fleet:
        """A healthy fleet. Raises `JobFailed`, and leaves nothing behind then."""
        fleet = self._new_fleet(live, config, kept)
        try:
            fleet.wait_until_healthy()
        except JobFailed:
            fleet.stop()
            raise
        return fleet

    def _new_fleet(self, live: Live, config: Json, kept: Mapping[str, Json]) -> Fleet:
        name = live.record.name
        folder = self._backend.folder / f"endpoint-{live.record.key}-{secrets.token_hex(4)}"
        hosted, images = [], {}
        for variant in config["ProductionVariants"]:
            model = self._store.read(self._store.get(MODEL, variant["ModelName"]))
            container = self._registry.container(model)
            hosted.append(host(self._backend, name, variant, model, container, folder))
            digest = image_digest(container["Image"])
            images[variant["VariantName"]] = deployed_image(container["Image"], digest)
        variants = []
        for each in hosted:
            asked = {**each.variant, **kept.get(each.name, {})}
            instances = 1 if each.serverless else asked["InitialInstanceCount"]
            weight = float(asked.get("InitialVariantWeight", 1.0))
            variants.append(Variant(self._backend, each, folder / each.name, weight, instances))
        return Fleet(config, variants, images, folder)

    def _in_service(self, live: Live, fleet: Fleet, reason: str = "") -> None:
        capture = fleet.config.get("DataCaptureConfig")
        self._store.update(
            live.record,
            {
                "EndpointConfigName": fleet.config["EndpointConfigName"],
                "ProductionVariants": fleet.summaries(),
                "DataCaptureConfig": capture and _capture_summary(capture),
                "PendingDeploymentSummary": None,
            },
        )
        self._settle(live.record, "InService", reason)

    def _settle(self, record: Record, status: str, reason: str = "") -> None:
        self._store.update(record, {"EndpointStatus": status, "FailureReason": reason[:1024] or None})
        self._backend.events.tell(record)

    def _update(self, live: Live, config: Json, deployment: Json, kept: Mapping[str, Json]) -> None:
        ((old, _),) = live.traffic
        policy = deployment.get("BlueGreenUpdatePolicy", {})
        limit = time.monotonic() + policy.get("MaximumExecutionTimeoutInSeconds", 28_800)
        alarms = [
            each["AlarmName"] for each in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        ]
        try:
            new = self._start(live, config, kept)
        except JobFailed as failed:
            self._roll_back(live, old, None, str(failed))
            return
        for step in steps_of(deployment, new.instances):
            live.traffic = ((new, 1.0),) if step.share >= 1 else ((old, 1 - step.share), (new, step.share))
            if problem := self._watch(new.role_arn, alarms, self._wait_scale * step.seconds, limit):
                self._roll_back(live, old, new, problem)
                return
        self._store.update(live.record, {"LastDeploymentConfig": deployment or None})
        self._in_service(live, new)
        old.stop()

    def _roll_back(self, live: Live, old: Fleet, new: Fleet | None, reason: str) -> None:
        live.traffic = ((old, 1.0),)
        self._settle(live.record, "RollingBack", reason)
        if new is not None:
            new.stop()
        self._in_service(live, old, reason)

    def _watch(self, role_arn: str, alarms: list[str], seconds: float, limit: float) -> str:
        """Wait, and look at the alarms; why to roll back, or an empty text."""
        until = time.monotonic() + seconds
        while True:
            if alarms and (problem := self._alarmed(role_arn, alarms)):
                return problem
            if time.monotonic() > limit:
                return "The deployment took longer than MaximumExecutionTimeoutInSeconds."
            if (left := until - time.monotonic()) <= 0:
                return ""
            if self._closing.wait(min(left, _LOOK_SECONDS)):
                return "The local SageMaker is shutting down."

    def _alarmed(self, role_arn: str, alarms: list[str]) -> str:
        client: Any = self._backend.clients.client("cloudwatch", role_arn)
        try:
            found = client.describe_alarms(AlarmNames=alarms, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        except (ClientError, BotoCoreError) as error:
            return f"The alarms of the deployment could not be read: {error}"
        listed = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
        ringing = [each["AlarmName"] for each in listed if each["StateValue"] == "ALARM"]
        return f"One or more alarms are in state ALARM: {', '.join(ringing)}." if ringing else ""

    def _rescale(self, live: Live, wanted: Mapping[str, Json]) -> None:
        ((fleet, _),) = live.traffic
        for name, change in wanted.items():
            variant = fleet.variants[name]
            if "DesiredInstanceCount" in change:
                variant.scale(change["DesiredInstanceCount"])
            variant.wait_until_healthy()
            variant.weight = float(change.get("DesiredWeight", variant.weight))
        self._in_service(live, fleet)

    def _delete(self, live: Live) -> None:
        traffic, live.traffic = live.traffic, ()
        for fleet, _ in traffic:
            fleet.stop()
        self._store.remove(live.record)


def _capture_summary(capture: Json) -> Json:
    return {
        "EnableCapture": capture.get("EnableCapture", True),
        "CaptureStatus": "Started" if capture.get("EnableCapture", True) else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        **({"KmsKeyId": capture["KmsKeyId"]} if "KmsKeyId" in capture else {}),
    }
