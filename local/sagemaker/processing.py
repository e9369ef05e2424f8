"""Processing jobs: inputs from S3, a program, outputs to S3."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from local.sagemaker.engines.images import find_image
from local.sagemaker.jobs import Job, Work, exit_code
from local.sagemaker.kinds import Json
from local.sagemaker.mirror import Mirror
from local.sagemaker.storage import Storage


def _run(job: Job) -> None:
    fields = job.fields
    for each in fields.get("ProcessingInputs", []):
        source = each["S3Input"]
        folder = job.container.path(source["LocalPath"])
        folder.mkdir(parents=True, exist_ok=True)
        job.storage.download(source, folder)
        job.check()
    outputs = [each["S3Output"] for each in fields.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        job.container.path(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as continuous:
        for output in outputs:
            if output["S3UploadMode"] == "Continuous":
                continuous.enter_context(Mirror(*_target(job, output)))
        _run_program(job)
    for output in outputs:
        if output["S3UploadMode"] == "EndOfJob":
            job.storage.upload_folder(*_target(job, output)[1:])


def _target(job: Job, output: Json) -> tuple[Storage, Path, str, str | None]:
    """From where an output is uploaded, to which URI, under which key."""
    key = job.fields.get("ProcessingOutputConfig", {}).get("KmsKeyId")
    return job.storage, job.container.path(output["LocalPath"]), output["S3Uri"], key


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
        image=image,
        instance_type=cluster["InstanceType"],
        timeout=fields["StoppingCondition"]["MaxRuntimeInSeconds"],
        isolated=fields.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )
    if ended.code != 0:
        said = job.container.message("output/message")
        raise job.failure("AlgorithmError: ", said, f", exit code: {exit_code(ended)}")


def _last_fields(job: Job, status: str, timed_out: bool) -> Json:
    return {"ExitMessage": job.container.message("output/message") or None}


WORK = Work(_run, _last_fields)
