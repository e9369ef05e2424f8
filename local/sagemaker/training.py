"""Training jobs: channels from S3, the algorithm, `model.tar.gz` to S3."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter

from local.sagemaker.container import pack
from local.sagemaker.engines.images import Image, Program, find_image
from local.sagemaker.engines.toolkit.settings import decode
from local.sagemaker.errors import InstanceReclaimed, JobStopped
from local.sagemaker.hosts import Host, resource_config
from local.sagemaker.jobs import Job, Work
from local.sagemaker.kinds import Json
from local.sagemaker.metrics import Metrics
from local.sagemaker.mirror import Mirror
from local.sagemaker.storage import Kept, join_uri
from local.sagemaker.submitted import archive_of

_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Interrupted": "Training job was interrupted: its spot instance was reclaimed",
    "MaxWaitTimeExceeded": "Training job exceeded MaxWaitTimeInSeconds provided",
}


def training_work(metrics: Metrics | None = None, kept: Kept | None = None) -> Work:
    """How to train. A tuning job passes its own `metrics` to watch and `kept` to read its data only once."""
    watched = metrics or Metrics()

    def run(job: Job) -> None:
        watched.definitions = job.fields["AlgorithmSpecification"].get("MetricDefinitions", [])
        job.on_line = watched.read
        while True:
            try:
                return _train(job, kept)
            except InstanceReclaimed:
                watched.values.clear()
                _wait_for_instance(job)

    def last_fields(job: Job, status: str, timed_out: bool) -> Json:
        limit = "MaxRuntimeExceeded" if _wait_left(job) > 0 else "MaxWaitTimeExceeded"
        return _last_fields(job, limit if timed_out else status, watched)

    return Work(run, last_fields)


def first_fields() -> Json:
    """The fields of a training job as soon as it exists."""
    return {"SecondaryStatus": "Starting", "SecondaryStatusTransitions": [_transition("Starting")]}


def move_to(job: Job, secondary: str) -> None:
    """Enter the next secondary status."""
    with job.backend.store.lock:
        job.update(_moved(job, secondary), event=True)


def _transition(secondary: str) -> Json:
    return {"Status": secondary, "StartTime": time.time(), "StatusMessage": _MESSAGES[secondary]}


def _moved(job: Job, secondary: str) -> Json:
    *earlier, current = job.fields["SecondaryStatusTransitions"]
    next_one = _transition(secondary)
    ended = current | {"EndTime": next_one["StartTime"]}
    return {"SecondaryStatus": secondary, "SecondaryStatusTransitions": [*earlier, ended, next_one]}


def _wait_left(job: Job) -> float:
    """Seconds that a job on spot instances has left, for waiting and running; infinite for others."""
    limit = job.fields["StoppingCondition"].get("MaxWaitTimeInSeconds", math.inf)
    left: float = job.fields["CreationTime"] + limit - time.time()
    return round(max(0.0, left), 2)


def _wait_for_instance(job: Job) -> None:
    """Move from one spot instance to the next. Only checkpoints are kept."""
    move_to(job, "Interrupted")
    away, left = job.leave_instance(), _wait_left(job)
    if job.stopping.wait(min(away, left)):
        raise JobStopped
    if away > left:
        raise JobStopped(timed_out=True)
    move_to(job, "Starting")


def _train(job: Job, kept: Kept | None) -> None:
    fields = job.fields
    move_to(job, "Downloading")
    started = time.time()
    job.update({"TrainingStartTime": started})
    image = find_image(fields["AlgorithmSpecification"]["TrainingImage"], job.backend.store.region)
    changes = not _is_built_in(fields, image)
    for channel in fields.get("InputDataConfig", []):
        folders = [host.container.root / "input/data" / channel["ChannelName"] for host in job.hosts]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        job.storage.download(channel["DataSource"]["S3DataSource"], folders, kept, changes=changes)
        job.check()
    for host in job.hosts:
        _write_configs(job, host)
        for empty in ("model", "output/data"):
            (host.container.root / empty).mkdir()
    with contextlib.ExitStack() as until_it_ends:
        if checkpoints := fields.get("CheckpointConfig"):
            for host in job.hosts:
                until_it_ends.enter_context(_checkpoints(job, host, checkpoints))
        move_to(job, "Training")
        try:
            _run_algorithm(job, image)
        except JobStopped:
            _upload_model(job)
            raise
    _upload_model(job)


def _checkpoints(job: Job, host: Host, config: Json) -> Mirror:
    """Restores the checkpoints of an earlier job or instance from S3, and uploads new ones from now on."""
    folder = host.container.path(config["LocalPath"])
    folder.mkdir(parents=True, exist_ok=True)
    job.storage.restore(config["S3Uri"], folder)
    return Mirror(job.storage, folder, config["S3Uri"])


def _program(job: Job, image: Image, host: Host) -> Program:
    """The request's own entrypoint, or else the image's: for a script if there is one."""
    fields = job.fields
    algorithm = fields["AlgorithmSpecification"]
    if "ContainerEntrypoint" in algorithm:
        return (*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", ()))
    if image.algorithm and _is_built_in(fields, image):
        return image.algorithm
    isolated = fields.get("EnableNetworkIsolation", False)
    submitted = decode(fields.get("HyperParameters", {})).get("sagemaker_submit_directory", "")
    archive = "" if isolated else archive_of(job, host, str(submitted))
    return (*(image.script or ()), "/opt/ml", archive, "isolated" if isolated else "connected")


def _is_built_in(fields: Json, image: Image) -> bool:
    own = "ContainerEntrypoint" in fields["AlgorithmSpecification"]
    return image.algorithm is not None and not own and not names_script(fields)


def names_script(definition: Json) -> bool:
    """Whether a training job, or the trials of a tuning job, run a script of the request (script mode)."""
    named = (definition.get(name, {}) for name in ("HyperParameters", "StaticHyperParameters"))
    variables = definition.get("Environment", {})
    return any("sagemaker_program" in each for each in named) or "SAGEMAKER_PROGRAM" in variables


def _run_algorithm(job: Job, image: Image) -> None:
    fields = job.fields
    names = {"TRAINING_JOB_NAME": job.record.key, "TRAINING_JOB_ARN": job.record.arn}
    variables = names | fields.get("Environment", {})
    isolated = fields.get("EnableNetworkIsolation", False)
    built_in = _is_built_in(fields, image)
    failed = job.run(
        lambda host: (_program(job, image, host), variables),
        image=image,
        instance_type=fields["ResourceConfig"].get("InstanceType", ""),
        timeout=min(fields["StoppingCondition"]["MaxRuntimeInSeconds"], _wait_left(job)),
        # The hosts of the built-in algorithm need nobody else, and would listen on all of this machine's
        # addresses.
        isolated=isolated or (len(job.hosts) > 1 and built_in),
        together=True,
        frugal=built_in,
    )
    if failed:
        said = failed.host.container.message("output/failure")
        raise failed.host.failure("AlgorithmError: ", said, f", exit code: {failed.exit_code}")


def _upload_model(job: Job) -> None:
    """Upload the model, and the files that a custom program leaves in /opt/ml/output/data."""
    if model := _upload_archive(job, "model", "model.tar.gz"):
        job.update({"ModelArtifacts": {"S3ModelArtifacts": model}})
    _upload_archive(job, "output/data", "output.tar.gz")


def _upload_archive(job: Job, folder: str, name: str) -> str:
    """The URI of a folder's uploaded content; "" if the folder is empty."""
    folders = [host.container.root / folder for host in job.hosts]
    names = Counter(path.name for each in folders for path in each.iterdir())
    if not names:
        return ""
    if clashes := [each for each, count in names.items() if count > 1]:
        job.say(
            f"Several hosts wrote /opt/ml/{folder}/{clashes[0]}. The files of the first are kept here; "
            "which of them AWS keeps is not documented."
        )
    if job.fields["SecondaryStatus"] != "Uploading":
        move_to(job, "Uploading")
    output = job.fields["OutputDataConfig"]
    uri = join_uri(output["S3OutputPath"], f"{job.record.key}/output/{name}")
    job.storage.upload(pack(folders), uri, output.get("KmsKeyId"))
    return uri


def _write_configs(job: Job, host: Host) -> None:
    fields, container = job.fields, host.container
    instance_type = fields["ResourceConfig"].get("InstanceType", "")
    container.write_json("input/config/hyperparameters.json", fields.get("HyperParameters", {}))
    container.write_json(
        "input/config/inputdataconfig.json",
        {each["ChannelName"]: _channel_config(each) for each in fields.get("InputDataConfig", [])},
    )
    cluster = resource_config(host, job.hosts)
    name = "homogeneousCluster"
    group = {"instance_group_name": name, "instance_type": instance_type, "hosts": cluster["hosts"]}
    container.write_json(
        "input/config/resourceconfig.json",
        cluster
        | {
            "current_instance_type": instance_type,
            "current_group_name": name,
            "instance_groups": [group],
        },
    )


def _channel_config(channel: Json) -> Json:
    source = channel["DataSource"]["S3DataSource"]
    config = {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return config | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})


def _last_fields(job: Job, secondary: str, metrics: Metrics) -> Json:
    fields = _moved(job, secondary)
    if final := metrics.final():
        fields["FinalMetricDataList"] = final
    if "TrainingStartTime" in job.fields:
        seconds = max(1, math.ceil(time.time() - job.fields["TrainingStartTime"]))
        fields |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    return fields
