"""Processing jobs: inputs from S3, a program, outputs to S3."""

from __future__ import annotations

import contextlib
import time

from local.sagemaker.engines.images import find_image
from local.sagemaker.errors import JobFailed, JobStopped
from local.sagemaker.jobs import Job, Work, exit_code
from local.sagemaker.kinds import Json


def _run(job: Job) -> None:
    fields = job.fields
    for each in fields.get("ProcessingInputs", []):
        source = each["S3Input"]
        folder = job.container.path(source["LocalPath"])
        folder.mkdir(parents=True, exist_ok=True)
        job.storage.download(source["S3Uri"], folder)
        job.check()
    outputs = [each["S3Output"] for each in fields.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        job.container.path(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
    try:
        _run_program(job)
    except (JobFailed, JobStopped):
        # What is uploaded continuously is there even if the job does not end well.
        with contextlib.suppress(JobFailed):
            _upload(job, [output for output in outputs if output["S3UploadMode"] == "Continuous"])
        raise
    _upload(job, outputs)


def _upload(job: Job, outputs: list[Json]) -> None:
    key = job.fields.get("ProcessingOutputConfig", {}).get("KmsKeyId")
    for output in outputs:
        job.storage.upload_folder(job.container.path(output["LocalPath"]), output["S3Uri"], key)


def _run_program(job: Job) -> None:
    fields = job.fields
    cluster = fields["ProcessingResources"]["ClusterConfig"]
    specification = fields["AppSpecification"]
    config = {
        name: value for name, value in fields.items() if name not in ("CreationTime", "LastModifiedTime")
    }
    job.container.write_json("config/processingjobconfig.json", config)
    job.container.write_json(
        "config/resourceconfig.json",
        {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
    )
    image = find_image(specification["ImageUri"], job.backend.store.region)
    job.update({"ProcessingStartTime": time.time()})
    ended = job.run(
        (*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", ())),
        {"PROCESSING_JOB_NAME": job.record.key, **fields.get("Environment", {})},
        hidden_modules=image.hidden_modules,
        instance_type=cluster["InstanceType"],
        timeout=fields["StoppingCondition"]["MaxRuntimeInSeconds"],
        isolated=fields.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )
    if ended.code != 0:
        message = job.container.message("output/message")
        raise JobFailed(f"AlgorithmError: {message}, exit code: {exit_code(ended)}")


def _last_fields(job: Job, status: str, timed_out: bool) -> Json:
    return {"ExitMessage": job.container.message("output/message") or None}


WORK = Work(_run, _last_fields)
