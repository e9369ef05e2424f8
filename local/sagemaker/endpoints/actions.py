"""The actions on endpoints and their configurations."""

from __future__ import annotations

from collections.abc import Mapping

from local.sagemaker.autoscaling import Autoscaling
from local.sagemaker.endpoints.capture import Captures
from local.sagemaker.endpoints.deployments import Deployments
from local.sagemaker.endpoints.live import Invocation, Live, not_found
from local.sagemaker.endpoints.measures import Measures, PublishMetrics
from local.sagemaker.endpoints.variant import Answer
from local.sagemaker.errors import ServiceError, invalid
from local.sagemaker.jobs import Backend
from local.sagemaker.kinds import ENDPOINT, ENDPOINT_CONFIG, Json
from local.sagemaker.quotas import check_endpoint_quota
from local.sagemaker.registry import Registry
from local.sagemaker.store import Record
from local.sagemaker.tags import tags_of


class Endpoints:
    """Create, update, invoke and delete endpoints. Thread-safe."""

    def __init__(
        self,
        backend: Backend,
        registry: Registry,
        quotas: Mapping[str, int],
        autoscaling: Autoscaling,
        publish: PublishMetrics,
        wait_scale: float = 1.0,
    ) -> None:
        self._backend = backend
        self._store = backend.store
        self._quotas = quotas
        self._autoscaling = autoscaling
        self._deployments = Deployments(backend, registry, wait_scale)
        self._measures = Measures(publish)
        self._captures = Captures(backend.clients, backend.store.region)
        self._live: dict[str, Live] = {}
        self._closed = False

    def create_config(self, request: Json) -> Json:
        """CreateEndpointConfig."""
        fields = {name: value for name, value in request.items() if name != "Tags"}
        record = self._store.add(ENDPOINT_CONFIG, request["EndpointConfigName"], fields, tags_of(request))
        self._backend.events.tell(record)
        return {"EndpointConfigArn": record.arn}

    def delete_config(self, request: Json) -> Json:
        """DeleteEndpointConfig; allowed even if an endpoint uses it."""
        record = self._store.get(ENDPOINT_CONFIG, request["EndpointConfigName"])
        self._store.remove(record)
        self._backend.events.tell(record)
        return {}

    def create(self, request: Json) -> Json:
        """CreateEndpoint; it is `Creating` when this returns."""
        with self._store.lock:
            if self._closed:
                raise ServiceError("ServiceUnavailable", "The local SageMaker is shutting down.", 503)
            config = self._store.get(ENDPOINT_CONFIG, request["EndpointConfigName"])
            if self._store.find(ENDPOINT, request["EndpointName"]) is None:
                check_endpoint_quota(config.fields, self._store, self._quotas)
            fields = {name: request[name] for name in ("EndpointName", "EndpointConfigName")}
            record = self._store.add(
                ENDPOINT, request["EndpointName"], fields | {"EndpointStatus": "Creating"}, tags_of(request)
            )
            live = Live(record, self._store.account_id, self._store.region, self._measures, self._captures)
            self._live[record.key] = live
            self._deployments.create(live, self._store.read(config))
        return {"EndpointArn": record.arn}

    def update(self, request: Json) -> Json:
        """UpdateEndpoint; it is `Updating` when this returns."""
        with self._store.lock:
            live = self._changeable(request)
            fields = live.record.fields
            # SageMaker needs the configuration that the endpoint has as well.
            before = self._store.get(ENDPOINT_CONFIG, fields["EndpointConfigName"])
            config = self._store.get(ENDPOINT_CONFIG, request["EndpointConfigName"])
            _refuse_to_serverless(live.record, before, config)
            deployment = request.get("DeploymentConfig", {})
            if request.get("RetainDeploymentConfig"):
                deployment = fields.get("LastDeploymentConfig", {})
            wanted, kept = _retain(request, fields, self._store.read(before), self._store.read(config))
            pending = {"EndpointConfigName": config.name, "StartTime": fields["LastModifiedTime"]}
            self._begin(live, {"PendingDeploymentSummary": pending})
            self._deployments.update(live, wanted, deployment, kept)
        return {"EndpointArn": live.record.arn}

    def update_weights(self, request: Json) -> Json:
        """UpdateEndpointWeightsAndCapacities."""
        with self._store.lock:
            live = self._changeable(request)
            known = {each["VariantName"]: each for each in live.record.fields["ProductionVariants"]}
            wanted = {each["VariantName"]: each for each in request["DesiredWeightsAndCapacities"]}
            for name in wanted:
                if name not in known:
                    raise invalid(f'Variant(s) "{name}" not found in endpoint "{live.record.arn}".')
            self._begin(live, {})
            self._deployments.rescale(live, wanted)
        return {"EndpointArn": live.record.arn}

    def delete(self, request: Json) -> Json:
        """DeleteEndpoint; it is `Deleting` when this returns, and gone soon after."""
        with self._store.lock:
            record = self._store.get(ENDPOINT, request["EndpointName"])
            _refuse_in_progress(record)
            self._autoscaling.forget(record.name)
            self._store.update(record, {"EndpointStatus": "Deleting"})
            self._deployments.delete(self._live.pop(record.key))
        return {}

    def invoke(self, name: str, call: Invocation) -> tuple[Answer, str]:
        """InvokeEndpoint: the container's answer and the variant's name. Blocks; raises `ServiceError`."""
        return self.find(name).invoke(call)

    def find(self, name: str) -> Live:
        """The endpoint that an invocation names. Raises `ServiceError`."""
        live = self._live.get(name.lower())
        # The case of a name is ignored in all other actions.
        if live is None or live.record.name != name:
            raise not_found(name, self._store.account_id)
        return live

    def begin_close(self) -> None:
        """Start and restart nothing from now on; returns at once. Idempotent."""
        with self._store.lock:
            self._closed = True
            live = list(self._live.values())
        self._deployments.begin_close()
        for each in live:
            for fleet, _ in each.traffic:
                fleet.retire()

    def close(self) -> None:
        """After the end of all containers: remove their files, and send the remaining metrics and captured
        data. Idempotent."""
        self._deployments.close()
        for live in self._live.values():
            for fleet, _ in live.traffic:
                fleet.stop()
        self._measures.close()
        self._captures.close()

    def _changeable(self, request: Json) -> Live:
        record = self._store.get(ENDPOINT, request["EndpointName"])
        _refuse_in_progress(record)
        if record.status != "InService":
            raise invalid(f'Cannot update endpoint "{record.arn}" in status {record.status}.')
        return self._live[record.key]

    def _begin(self, live: Live, changes: Json) -> None:
        changes = changes | {"EndpointStatus": "Updating", "FailureReason": None}
        self._store.update(live.record, changes)


def _refuse_in_progress(record: Record) -> None:
    if record.status not in ("InService", "Failed"):
        raise invalid(f'Cannot update in-progress endpoint "{record.arn}".')


def _is_serverless(config: Record) -> bool:
    return any("ServerlessConfig" in variant for variant in config.fields["ProductionVariants"])


def _refuse_to_serverless(endpoint: Record, before: Record, after: Record) -> None:
    if _is_serverless(after) and not _is_serverless(before):
        raise invalid(
            f'Cannot update endpoint "{endpoint.arn}" to a serverless endpoint: it is an instance-based '
            "endpoint."
        )


def _retain(request: Json, endpoint: Json, before: Json, after: Json) -> tuple[Json, dict[str, Json]]:
    """The new configuration, and the properties of variants that survive the update, by the names that a
    configuration has for them."""
    if not request.get("RetainAllVariantProperties"):
        return after, {}
    excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", [])}
    if "DataCaptureConfig" not in excluded and "DataCaptureConfig" in before:
        after = after | {"DataCaptureConfig": before["DataCaptureConfig"]}
    names = {"DesiredInstanceCount": "InitialInstanceCount", "DesiredWeight": "InitialVariantWeight"}
    kept = {
        variant["VariantName"]: {
            initial: variant[desired]
            for desired, initial in names.items()
            if desired in variant and desired not in excluded
        }
        for variant in endpoint["ProductionVariants"]
    }
    return after, kept
