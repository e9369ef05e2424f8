"""Starts, stops and deletes jobs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping

from local.sagemaker import processing, training
from local.sagemaker.errors import ServiceError, invalid
from local.sagemaker.jobs import Backend, Job, Work, carry_out
from local.sagemaker.kinds import MODEL, PROCESSING, TRAINING, TRANSFORM, TUNING, Json, Kind, instances_of
from local.sagemaker.metrics import Metrics
from local.sagemaker.quotas import check_quota
from local.sagemaker.registry import Registry
from local.sagemaker.storage import Kept, join_uri
from local.sagemaker.store import Record
from local.sagemaker.tags import tags_of
from local.sagemaker.training import training_work
from local.sagemaker.transform import transform_work
from local.sagemaker.tuning import counters, tuning_work


class Launcher:
    """The Create, Stop and Delete actions of jobs. Each job runs on its own thread."""

    def __init__(self, backend: Backend, registry: Registry, quotas: Mapping[str, int]) -> None:
        self._backend = backend
        self._store = backend.store
        self._registry = registry
        self._quotas = quotas
        self._running: dict[str, tuple[Job, threading.Thread]] = {}
        self._closed = False

    def create_processing(self, request: Json) -> Json:
        """CreateProcessingJob."""
        return self._create(PROCESSING, request, request["RoleArn"], processing.WORK)

    def create_training(self, request: Json) -> Json:
        """CreateTrainingJob."""
        return self._create(TRAINING, request | training.first_fields(), request["RoleArn"], training_work())

    def create_tuning(self, request: Json) -> Json:
        """CreateHyperParameterTuningJob."""
        config = request["HyperParameterTuningJobConfig"]
        # A summary shows these two outside the configuration.
        shown = {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
        work = tuning_work(self._start_trial)
        role = request["TrainingJobDefinition"]["RoleArn"]
        return self._create(TUNING, request | shown | counters([]), role, work)

    def create_transform(self, request: Json) -> Json:
        """CreateTransformJob; the job acts as the role of its model."""
        model = self._store.get(MODEL, request["ModelName"]).fields
        isolated = bool(model.get("EnableNetworkIsolation"))
        work = transform_work(self._registry.container(model), isolated=isolated)
        return self._create(TRANSFORM, request, model["ExecutionRoleArn"], work)

    def stop(self, kind: Kind, request: Json) -> Json:
        """Ask a job to stop; it is `Stopping` when this returns, and `Stopped` soon after."""
        name = request[kind.name_field]
        with self._store.lock:
            record = self._store.find(kind, name)
            if record is None:
                code, text = kind.missing
                raise kind.error((code, kind.no_job_to_stop or text), name, self._store.arn(kind, name))
            if record.ended:
                raise invalid(_wrong_status(record))
            job, _ = self._running[record.arn]
            job.stop()
            if record.status != "Stopping":
                job.update({kind.status_field: "Stopping"}, event=kind is not TRAINING)
                if kind is TRAINING:
                    training.move_to(job, "Stopping")
        return {}

    def reclaim(self, name: str, seconds: float) -> None:
        """Reclaim the spot instance of a training job."""
        with self._store.lock:
            record = self._store.get(TRAINING, name)
            if record.ended or not record.fields.get("EnableManagedSpotTraining"):
                raise invalid(f"{name} runs on no spot instance.")
            self._running[record.arn][0].reclaim(seconds)

    def kill(self, name: str, host: str, *, children: bool) -> None:
        """Kill the program of one host of a running job."""
        with self._store.lock:
            named = [job for job, _ in self._running.values() if job.record.key == name]
        if not any(job.kill(host, children=children) for job in named):
            raise invalid(f"{name} has no program that runs on {host}.")

    def delete(self, kind: Kind, request: Json) -> Json:
        """Delete a job that has ended."""
        with self._store.lock:
            record = self._store.get(kind, request[kind.name_field])
            if not record.ended:
                raise ServiceError("ResourceInUse", _wrong_status(record))
            self._store.remove(record)
        return {}

    def close(self) -> None:
        """Stop every job and wait for its end, ten seconds at most. Idempotent."""
        with self._store.lock:
            self._closed = True
            running = list(self._running.values())
            for job, _ in running:
                job.stop()
            self._store.wake()
        for _, thread in running:
            thread.join(timeout=10)

    def _create(self, kind: Kind, request: Json, role_arn: str, work: Work) -> Json:
        fields = {name: value for name, value in request.items() if name != "Tags"}
        job = self._launch(kind, request[kind.name_field], fields, tags_of(request), role_arn, work)
        return {kind.arn_field: job.record.arn}

    def _launch(
        self, kind: Kind, name: str, fields: Json, tags: Mapping[str, str], role_arn: str, work: Work
    ) -> Job:
        with self._store.lock:
            if self._closed:
                raise ServiceError("ServiceUnavailable", "The local SageMaker is shutting down.", 503)
            if "TuningJobArn" not in fields and self._store.find(kind, name) is None:
                check_quota(kind, fields, self._store, self._quotas)
            record = self._store.add(kind, name, fields | {kind.status_field: "InProgress"}, tags)
            job = Job(self._backend, record, role_arn)
            thread = threading.Thread(target=self._carry_out, args=(job, work), name=record.arn, daemon=True)
            self._running[record.arn] = job, thread
        self._backend.events.tell(record)
        thread.start()
        return job

    def _carry_out(self, job: Job, work: Work) -> None:
        carry_out(job, work)
        with self._store.lock:
            # Its name may have been freed and reused.
            if self._running.get(job.record.arn, (None,))[0] is job:
                del self._running[job.record.arn]

    def _start_trial(self, tuning: Job, trial: Json, metrics: Metrics, kept: Kept) -> Job:
        definition = tuning.fields["TrainingJobDefinition"]
        name = f"{tuning.record.key}-{trial['Number']:03}-{secrets.token_hex(4)}"
        fields = definition | trial | training.first_fields() | {"TrainingJobName": name}
        fields["ResourceConfig"] = instances_of(definition)
        if checkpoints := definition.get("CheckpointConfig"):
            own = join_uri(checkpoints["S3Uri"], name)
            fields["CheckpointConfig"] = checkpoints | {"S3Uri": own}
        work = training_work(metrics, kept)
        return self._launch(TRAINING, name, fields, tuning.record.tags, tuning.role_arn, work)


def _wrong_status(record: Record) -> str:
    return f"The request was rejected because the {record.kind.label} is in status {record.status}."
