"""Batch transform: a model's predictions for every record of an input."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from local.sagemaker.engines.images import Program, find_image
from local.sagemaker.errors import JobFailed
from local.sagemaker.hosts import Host
from local.sagemaker.jobs import Job, Work
from local.sagemaker.kinds import Json
from local.sagemaker.records import Batching, is_json, join_csv, join_json, select, split_lines
from local.sagemaker.storage import S3Object, join_uri
from local.sagemaker.submitted import archive_of

_NO_PING = (
    "AlgorithmError: Model container failed to respond to ping. "
    "Please ensure /ping endpoint is implemented and responds with an HTTP 200 status code: "
)


@dataclass
class Input:
    """One object to transform on a host: its copy there, and the requests that contain its records."""

    host: Host
    source: S3Object
    copy: Path
    is_compressed: bool
    requests: list[str]

    def open(self) -> BinaryIO:
        """The content."""
        return cast(BinaryIO, gzip.open(self.copy)) if self.is_compressed else self.copy.open("rb")


def _run(job: Job, container: Json, *, isolated: bool) -> None:
    job.update({"TransformStartTime": time.time()})
    job.log(_settings(job.fields))
    inputs = _make_requests(job)
    # Other hosts have nothing to do.
    hosts = list(dict.fromkeys(each.host for each in inputs if each.requests))
    if hosts and "ModelDataUrl" in container:
        model = job.storage.read_uri(container["ModelDataUrl"])
        for host in hosts:
            host.container.unpack_model(model)
    if hosts:
        _serve(job, container, inputs, hosts, isolated=isolated)
    output = job.fields["TransformOutput"]
    for each in inputs:
        uri = join_uri(output["S3OutputPath"], f"{each.source.relative}.out")
        with tempfile.TemporaryFile(dir=each.host.container.folder) as file:
            file.writelines(_output(job.fields, each))
            file.seek(0)
            job.storage.upload(file, uri, output.get("KmsKeyId"))


def _settings(fields: Json) -> str:
    """The line with which SageMaker begins the log of every transform job."""
    strategy = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}[fields["BatchStrategy"]]
    return (
        f"[sagemaker logs]: MaxConcurrentTransforms={fields.get('MaxConcurrentTransforms', 1)}, "
        f"MaxPayloadInMB={fields['MaxPayloadInMB']}, BatchStrategy={strategy}"
    )


def _make_requests(job: Job) -> list[Input]:
    source = job.fields["TransformInput"]
    hosts = job.hosts
    for host in hosts:
        (host.container.folder / "requests").mkdir()
        (host.container.folder / "inputs").mkdir()
    batching = Batching(
        lines=source.get("SplitType", "None") == "Line",
        many=job.fields["BatchStrategy"] == "MultiRecord",
        # 0 means no limit.
        max_bytes=(job.fields["MaxPayloadInMB"] or 100) << 20,
    )
    inputs: list[Input] = []
    number = 0
    for place, item in enumerate(job.storage.find_input(source["DataSource"]["S3DataSource"])):
        host = hosts[place % len(hosts)]
        copy = host.container.folder / "inputs" / f"{place:08}"
        job.storage.download_object(item, copy)
        each = Input(host, item, copy, source.get("CompressionType") == "Gzip", [])
        for body in batching.payloads(_records(job.fields, each, batching)):
            name = f"{number:08}"
            (host.container.folder / "requests" / name).write_bytes(body)
            each.requests.append(name)
            number += 1
        inputs.append(each)
        job.check()
    return inputs


def _records(fields: Json, each: Input, batching: Batching) -> Iterator[bytes]:
    """What the model gets of an object: one record after the other, or the object as it is."""
    with each.open() as content:
        if batching.lines:
            yield from select(split_lines(content), fields["DataProcessing"]["InputFilter"])
        else:
            batching.check(content.seek(0, os.SEEK_END))
            content.seek(0)
            yield content.read()


def _serve(job: Job, container: Json, inputs: list[Input], hosts: list[Host], *, isolated: bool) -> None:
    image = find_image(container["Image"], job.backend.store.region)
    own = container.get("Environment", {}) | job.fields.get("Environment", {})
    named = own.get("SAGEMAKER_SUBMIT_DIRECTORY", "")

    def server(host: Host) -> tuple[Program, Json]:
        submitted = "" if isolated else archive_of(job, host, named)
        brought = {"SAGEMAKER_SUBMIT_DIRECTORY": submitted} if submitted else {}
        argv = (
            *(image.server or ()),
            "/opt/ml",
            str(host.container.folder / "requests"),
            str(host.container.folder / "responses"),
            job.fields["TransformInput"].get("ContentType", ""),
            job.fields["TransformOutput"].get("Accept", ""),
            "isolated" if isolated else "connected",
        )
        return argv, {**image.variables, "SAGEMAKER_BATCH": "true", **own, **brought}

    failed = job.run(
        server,
        image=image,
        instance_type=job.fields["TransformResources"]["InstanceType"],
        timeout=None,
        isolated=isolated,
        hosts=hosts,
    )
    if failed:
        raise _failure(failed.host, inputs)


def _failure(host: Host, inputs: list[Input]) -> JobFailed:
    """The server's refusal. SageMaker reports it in the job's data log and hardly at all in the reason,
    to which the local one adds the server's message."""
    file = host.container.folder / "responses/refused.json"
    if not file.exists():
        return host.failure("AlgorithmError: Unable to get response from algorithm: ", "")
    refused = json.loads(file.read_text())
    if refused["request"] is None:
        return host.failure(_NO_PING, "")
    (source,) = (each.source for each in inputs if refused["request"] in each.requests)
    status = refused["status"]
    said = f"ClientError: {status}" if status < 500 else f"Bad HTTP status received from algorithm: {status}"
    for line in (said, "", "Message:", *refused["body"].splitlines()):
        host.log(f"[sagemaker logs]: {source.bucket}/{source.key}: {line}", "/data-log")
    whose = "ClientError" if status < 500 else "AlgorithmError"
    return host.failure(
        f"{whose}: See job logs for more information: ", refused["body"] if status < 500 else ""
    )


def _output(fields: Json, each: Input) -> Iterator[bytes]:
    """The content of the output, in pieces."""
    folder = each.host.container.folder / "responses"
    responses = ((folder / name).read_bytes() for name in each.requests)
    if fields["TransformOutput"].get("AssembleWith", "None") != "Line":
        yield from responses
        return
    lines = split_lines(line for response in responses for line in response.split(b"\n"))
    processing = fields["DataProcessing"]
    with each.open() as content:
        if processing["JoinSource"] == "Input":
            joined = join_json if is_json(fields["TransformInput"].get("ContentType", "")) else join_csv
            lines = joined(split_lines(content), lines, each.source.key)
        for line in select(lines, processing["OutputFilter"]):
            yield line + b"\n"


def transform_work(container: Json, *, isolated: bool) -> Work:
    """How to transform with a model's container definition (`Image`, `ModelDataUrl`, `Environment`), which
    has no network if it is `isolated`."""
    return Work(run=lambda job: _run(job, container, isolated=isolated))
