"""The API: every supported action and its implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from local.sagemaker.autoscaling import Autoscaling
from local.sagemaker.clients import Clients, Credentials, Join
from local.sagemaker.container import keep_apart
from local.sagemaker.copies import Copies
from local.sagemaker.defaults import with_defaults
from local.sagemaker.endpoints.actions import Endpoints
from local.sagemaker.endpoints.live import Invocation
from local.sagemaker.endpoints.measures import PublishMetrics
from local.sagemaker.endpoints.variant import Answer
from local.sagemaker.engines.processes import WarmWorkers
from local.sagemaker.errors import ServiceError
from local.sagemaker.events import Events, Publish
from local.sagemaker.hosts import Addresses
from local.sagemaker.jobs import Backend
from local.sagemaker.kinds import JOBS, KINDS, PROCESSING, TRAINING, TUNING, Json, Kind
from local.sagemaker.launcher import Launcher
from local.sagemaker.listing import LISTS, list_page
from local.sagemaker.logs import Logs
from local.sagemaker.members import refuse_unsupported
from local.sagemaker.notes import Notes
from local.sagemaker.registry import Registry
from local.sagemaker.rules import check_rules
from local.sagemaker.store import Record, Store
from local.sagemaker.tags import Tags
from local.sagemaker.utilization import Utilization
from local.sagemaker.validation import check_request, output_members, service_model

JobKind = Literal["processing", "training", "tuning", "transform"]
Action = Callable[[Json], Json]


class SageMaker:
    """SageMaker's JSON API in front of jobs that run as processes of this machine.

    Jobs read and write S3, and write logs, at `endpoint_url`, each with the credentials that `credentials`
    returns for its role: boto3's names (`aws_access_key_id`, ...) to values. `publish` receives events as
    entries of PutEvents with the source aws.sagemaker, which EventBridge accepts from no client, and
    `publish_metrics` a namespace of AWS and data of PutMetricData; without them, both are lost. `folder`
    holds the files of running jobs. `quotas` are limits by their names in Service Quotas ("ml.m5.large for
    training job usage"); a missing name is unlimited. A deployment waits
    `wait_scale` of its intervals. `join` gives the sessions of boto3 another way to the endpoint than HTTP.

    ::

        sagemaker = SageMaker(account_id="000000000000", region="us-east-1", folder=Path("jobs"),
                              endpoint_url="http://127.0.0.1:4566", credentials=lambda role_arn: {...})
        sagemaker.start()
        sagemaker.call("CreateTrainingJob", {"TrainingJobName": "first", ...})
        sagemaker.wait("training", "first")["TrainingJobStatus"]      # "Completed"

    `autoscaling` answers requests to Application Auto Scaling about variants of endpoints.
    """

    def __init__(
        self,
        *,
        account_id: str,
        region: str,
        endpoint_url: str,
        folder: Path,
        credentials: Credentials,
        publish: Publish = lambda entries: None,
        publish_metrics: PublishMetrics = lambda namespace, data: None,
        quotas: Mapping[str, int] = {},
        wait_scale: float = 1.0,
        join: Join = lambda session, seconds: None,
    ) -> None:
        self._store = Store(account_id, region)
        clients = Clients(endpoint_url, region, credentials, join)
        events = Events(publish, self._store)
        folder.mkdir(parents=True, exist_ok=True)
        keep_apart(folder)
        self._backend = Backend(
            self._store,
            WarmWorkers(),
            clients,
            Logs(clients),
            events,
            folder,
            Notes(),
            Addresses(),
            Utilization(publish_metrics),
            Copies(folder / "copies"),
        )
        registry = Registry(self._store, events)
        self._launcher = Launcher(self._backend, registry, quotas)
        self.autoscaling = Autoscaling(self._store)
        self._endpoints = Endpoints(
            self._backend, registry, quotas, self.autoscaling, publish_metrics, wait_scale
        )
        self._actions = self._all_actions(registry, Tags(self._store))

    def start(self) -> None:
        """Start the warm processes in the background; returns at once."""
        self._backend.workers.start()
        threading.Thread(target=self._warm_up, name="sagemaker-warm-up", daemon=True).start()

    def call(self, action: str, request: Mapping[str, Any]) -> Json:
        """Answer one request: JSON in, JSON out, timestamps as epoch seconds. Raises `ServiceError`.

        Never waits for a job, and calls no other service. Thread-safe.
        """
        answer = self._actions.get(action)
        if answer is None:
            known = action in service_model().operation_names
            reason = "is not served by the local SageMaker" if known else "is no action of SageMaker"
            raise ServiceError("UnknownOperationException", f"{action} {reason}.")
        asked = check_request(action, request)
        refuse_unsupported(action, asked)
        checked = with_defaults(action, asked)
        check_rules(action, checked, self._store)
        return answer(checked)

    def wait(self, kind: JobKind, name: str, timeout: float | None = None) -> Json:
        """Block until a job has ended; returns its Describe response.

        Raises `TimeoutError`, and `ServiceError` if there is no such job.
        """
        return self._described(self._wait(kind, name, timeout))

    def wait_for_event(self, kind: JobKind, name: str, timeout: float | None = None) -> Json:
        """Like `wait`, but returns the detail of the event that reports the end."""
        return self._backend.events.detail(self._wait(kind, name, timeout))

    def _wait(self, kind: JobKind, name: str, timeout: float | None) -> Record:
        record = self._store.get(JOBS[kind], name)
        if not self._store.wait_until(lambda: record.ended, timeout):
            raise TimeoutError(f"{record.kind.label} {name} is still {record.status} after {timeout} seconds")
        return record

    def invoke(self, endpoint_name: str, invocation: Invocation) -> tuple[Answer, str]:
        """InvokeEndpoint: a container's answer and the name of its variant.

        Blocks until then, for a minute at most. Thread-safe. Raises `ServiceError`; its code is `ModelError`
        if the container answered with an error.
        """
        return self._endpoints.invoke(endpoint_name, invocation)

    def refuse_missing_endpoint(self, endpoint_name: str) -> None:
        """Raise the `ServiceError` that every invocation of a missing endpoint gets."""
        self._endpoints.find(endpoint_name)

    def notes(self) -> list[str]:
        """What a person should know of the jobs so far that AWS would not say, oldest first."""
        return self._backend.notes.texts()

    def reclaim(self, training_job: str, seconds: float = 0.0) -> None:
        """Reclaim the spot instance of a training job; another one is available after `seconds`.

        The job then restarts, unless that is beyond its `MaxWaitTimeInSeconds`. Raises `ServiceError` if
        there is no such job, or it is not on a spot instance.
        """
        self._launcher.reclaim(training_job, seconds)

    def kill(self, job: str, host: str, *, children: bool = False) -> None:
        """Kill the program of one host (`algo-2`) of a running job, or only the processes
        that it has started, as memory or hardware may end them on AWS.

        Raises `ServiceError` if none runs there.
        """
        self._launcher.kill(job, host, children=children)

    def close(self) -> None:
        """Stop every job and process, and send the remaining logs and events. Idempotent."""
        self._launcher.close()
        self._endpoints.begin_close()
        self._backend.workers.close()
        self._endpoints.close()
        self._backend.utilization.close()
        self._backend.logs.close()
        self._backend.events.close()

    def _warm_up(self) -> None:
        """Do the slow work of the first requests now: read botocore's models, create clients."""
        service_model()
        self._backend.clients.warm_up("s3", "logs")

    def _all_actions(self, registry: Registry, tags: Tags) -> dict[str, Action]:
        actions: dict[str, Action] = {
            "CreateProcessingJob": self._launcher.create_processing,
            "CreateTrainingJob": self._launcher.create_training,
            "CreateHyperParameterTuningJob": self._launcher.create_tuning,
            "CreateTransformJob": self._launcher.create_transform,
            "CreateModel": registry.create_model,
            "DeleteModel": registry.delete_model,
            "CreateModelPackageGroup": registry.create_group,
            "DeleteModelPackageGroup": registry.delete_group,
            "CreateModelPackage": registry.create_package,
            "UpdateModelPackage": registry.update_package,
            "DeleteModelPackage": registry.delete_package,
            "BatchDescribeModelPackage": registry.batch_describe,
            "CreateEndpointConfig": self._endpoints.create_config,
            "DeleteEndpointConfig": self._endpoints.delete_config,
            "CreateEndpoint": self._endpoints.create,
            "UpdateEndpoint": self._endpoints.update,
            "UpdateEndpointWeightsAndCapacities": self._endpoints.update_weights,
            "DeleteEndpoint": self._endpoints.delete,
            "AddTags": tags.add,
            "ListTags": tags.list,
            "DeleteTags": tags.delete,
        }
        actions |= {f"Describe{kind.stem}": partial(self._describe, kind) for kind in KINDS}
        actions |= {f"Stop{kind.stem}": partial(self._launcher.stop, kind) for kind in JOBS.values()}
        actions |= {
            f"Delete{k.stem}": partial(self._launcher.delete, k) for k in (PROCESSING, TRAINING, TUNING)
        }
        return actions | {action: partial(self._list, action) for action in LISTS}

    def _describe(self, kind: Kind, request: Json) -> Json:
        return self._described(self._store.get(kind, request[kind.name_field]))

    def _described(self, record: Record) -> Json:
        members = output_members(f"Describe{record.kind.stem}")
        fields = self._store.read(record)
        return {name: fields[name] for name in members if name in fields}

    def _list(self, action: str, request: Json) -> Json:
        if "HyperParameterTuningJobName" in request:
            self._store.get(TUNING, request["HyperParameterTuningJobName"])
        with self._store.lock:
            return list_page(action, self._store.all(LISTS[action][0]), request)
