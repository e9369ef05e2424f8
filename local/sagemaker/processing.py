"""Processing jobs: inputs from S3, a program, outputs to S3."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from local.sagemaker.engines.images import find_image
from local.sagemaker.hosts import resource_config
from local.sagemaker.jobs import Job, Work
from local.sagemaker.kinds import Json
from local.sagemaker.mirror import Mirror
from local.sagemaker.storage import Storage


def _run(job: Job) -> None:
    fields = job.fields
    for each in fields.get("ProcessingInputs", []):
        source = each["S3Input"]
        job.storage.download(source, _folders(job, source["LocalPath"]))
        job.check()
    outputs = [each["S3Output"] for each in fields.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        _folders(job, output["LocalPath"])
    with contextlib.ExitStack() as continuous:
        for output in outputs:
            if output["S3UploadMode"] == "Continuous":
                for target in _targets(job, output):
                    continuous.enter_context(Mirror(*target))
        _run_program(job)
    for output in outputs:
        if output["S3UploadMode"] == "EndOfJob":
            for _, folder, uri, key in _targets(job, output):
                job.storage.upload_folder(folder, uri, key)


def _folders(job: Job, inside: str) -> list[Path]:
    """A folder of every host, made if it is missing."""
    folders = [host.container.path(inside) for host in job.hosts]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _targets(job: Job, output: Json) -> list[tuple[Storage, Path, str, str | None]]:
    """The storage, folder, URI and key of an output's upload, for every host."""
    key = job.fields.get("ProcessingOutputConfig", {}).get("KmsKeyId")
    return [(job.storage, folder, output["S3Uri"], key) for folder in _folders(job, output["LocalPath"])]


def _run_program(job: Job) -> None:
    fields = job.fields
    specification = fields["AppSpecification"]
    config = {
        name: value for name, value in fields.items() if name not in ("CreationTime", "LastModifiedTime")
    }
    for host in job.hosts:
        host.container.write_json("config/processingjobconfig.json", config)
        host.container.write_json("config/resourceconfig.json", resource_config(host, job.hosts))
    image = find_image(specification["ImageUri"], job.backend.store.region)
    job.update({"ProcessingStartTime": time.time()})
    argv = (*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", ()))
    variables = {"PROCESSING_JOB_NAME": job.record.key, **fields.get("Environment", {})}
    failed = job.run(
        lambda host: (argv, variables),
        image=image,
        instance_type=fields["ProcessingResources"]["ClusterConfig"]["InstanceType"],
        timeout=fields["StoppingCondition"]["MaxRuntimeInSeconds"],
        isolated=fields.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )
    if failed:
        said = failed.host.container.message("output/message")
        raise failed.host.failure("AlgorithmError: ", said, f", exit code: {failed.exit_code}")


def _last_fields(job: Job, status: str, timed_out: bool) -> Json:
    speakers = [host for host in (job.failed, job.hosts[0]) if host is not None]
    messages = (host.container.message("output/message") for host in speakers)
    return {"ExitMessage": next(filter(None, messages), None)}


WORK = Work(_run, _last_fields)
