"""Batch transform: a model's answers to every record under a prefix."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass

from local.sagemaker.engines.images import find_image
from local.sagemaker.errors import JobFailed
from local.sagemaker.jobs import Job, Work
from local.sagemaker.kinds import Json
from local.sagemaker.records import Batching, join, select, split_lines
from local.sagemaker.storage import S3Object, join_uri


@dataclass
class Input:
    """One object to transform: its records, and which requests they went into."""

    source: S3Object
    records: list[bytes]
    requests: list[str]


def _run(job: Job, container: Json, isolated: bool) -> None:
    job.update({"TransformStartTime": time.time()})
    inputs = _make_requests(job)
    if "ModelDataUrl" in container:
        for item in job.storage.find(container["ModelDataUrl"])[:1]:
            job.container.unpack_model(job.storage.read(item))
    if any(each.requests for each in inputs):
        _serve(job, container, isolated)
    output = job.fields["TransformOutput"]
    for each in inputs:
        uri = join_uri(output["S3OutputPath"], f"{each.source.relative}.out")
        job.storage.upload(_output(job, each), uri, output.get("KmsKeyId"))


def _make_requests(job: Job) -> list[Input]:
    source = job.fields["TransformInput"]
    folder = job.container.folder / "requests"
    folder.mkdir()
    batching = Batching(
        lines=source.get("SplitType", "None") == "Line",
        many=job.fields["BatchStrategy"] == "MultiRecord",
        # 0 means no limit.
        max_bytes=(job.fields["MaxPayloadInMB"] or 100) << 20,
    )
    inputs: list[Input] = []
    number = 0
    for item in job.storage.find(source["DataSource"]["S3DataSource"]["S3Uri"]):
        content = job.storage.read(item)
        content = gzip.decompress(content) if source.get("CompressionType") == "Gzip" else content
        records = split_lines(content) if batching.lines else [content]
        filtered = select(records, job.fields["DataProcessing"]["InputFilter"]) if batching.lines else records
        each = Input(item, records, [])
        for body in batching.payloads(filtered):
            name = f"{number:08}"
            (folder / name).write_bytes(body)
            each.requests.append(name)
            number += 1
        inputs.append(each)
        job.check()
    return inputs


def _serve(job: Job, container: Json, isolated: bool) -> None:
    image = find_image(container["Image"], job.backend.store.region)
    source = job.fields["TransformInput"]
    ended = job.run(
        (
            "-m",
            "local.sagemaker.engines.serving",
            "/opt/ml",
            str(job.container.folder / "requests"),
            str(job.container.folder / "responses"),
            source.get("ContentType", ""),
            job.fields["TransformOutput"].get("Accept", ""),
        ),
        {"SAGEMAKER_BATCH": "true", **container.get("Environment", {}), **job.fields.get("Environment", {})},
        hidden_modules=image.hidden_modules,
        instance_type=job.fields["TransformResources"]["InstanceType"],
        timeout=None,
        isolated=isolated,
    )
    if ended.code != 0:
        message = job.container.message("output/failure")
        raise JobFailed(f"AlgorithmError: See job logs for more information: {message}")


def _output(job: Job, each: Input) -> bytes:
    responses = [(job.container.folder / "responses" / name).read_bytes() for name in each.requests]
    if job.fields["TransformOutput"].get("AssembleWith", "None") != "Line":
        return b"".join(responses)
    lines = [line for response in responses for line in split_lines(response)]
    processing = job.fields["DataProcessing"]
    if processing["JoinSource"] == "Input":
        lines = join(each.records, lines, each.source.key)
    return b"".join(line + b"\n" for line in select(lines, processing["OutputFilter"]))


def transform_work(container: Json, isolated: bool) -> Work:
    """How to transform with a model's container definition (`Image`, `ModelDataUrl`, `Environment`)."""
    return Work(run=lambda job: _run(job, container, isolated))
