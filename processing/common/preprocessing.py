"""The processing job that prepares an upload for training, evaluation and batch prediction, for any workload.

The workload's `preprocess.py` reads the file and writes the tables. This module does what is common to all
workloads: it verifies that the upload is the one that was checked, and writes manifests and digests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from common import job
from common.cluster import Cluster
from common.digests import ChangedFile, check, file_digest
from common.text import shown_name
from common.uploads import LIST, REFUSED, BadUpload
from common.workload import Workload

# Training and batch transform read the files that a manifest names, and nothing else in the folder.
CHANNELS = ("train", "validation", "batch")
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Prepared:
    """The result of a workload's `prepare`.

    `rows` counts at least uploaded, labelled, unlabelled, train, validation, test and batch; of several
    uploads, also those of REPLACED, which are uploaded and nothing else. `warnings` are sentences for the
    reviewer; `report` holds anything else for evaluation or a person. `digests` has at least the files that
    other machines wrote, by their names below the output folder.
    """

    rows: Mapping[str, int]
    warnings: Sequence[str] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def preprocess(
    workload: Workload, upload: Path, digest: str, output: Path, uri: str, name: str, cluster: Cluster
) -> str:
    """Write `prepared/` for an upload with this digest, and return the digest of its `summary.json`.

    Raises BadUpload and ChangedFile, whose messages call the upload `name`. `uri` is the output folder's
    future address in S3. If the upload is a list of several, they are prepared together.
    """
    uploads = find_uploads(upload, digest, name)
    module = workload.module("preprocess")
    prepared: Prepared = (
        module.prepare_all(uploads, output, cluster)
        if upload.name == LIST
        else module.prepare(upload, name, output, cluster)
    )
    digests = dict(prepared.digests)
    for channel in CHANNELS:
        _write_manifest(output, channel, uri, digests)
    for path in output.rglob("*"):
        if path.is_file() and path != output / SUMMARY:
            digests.setdefault(path.relative_to(output).as_posix(), file_digest(path))
    summary = {
        "workload": workload.name,
        "rows": prepared.rows,
        "warnings": list(prepared.warnings),
        "report": prepared.report,
        "upload_digest": digest,
        "digests": dict(sorted(digests.items())),
    }
    (output / SUMMARY).write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print("rows:", ", ".join(f"{count} {name}" for name, count in prepared.rows.items()))
    return file_digest(output / SUMMARY)


def find_uploads(upload: Path, digest: str, name: str) -> list[tuple[Path, str]]:
    """The files with their names, the earliest first, that this is or lists. Raises ChangedFile."""
    check(upload, digest, shown_name(name))
    if upload.name != LIST:
        return [(upload, name)]
    found = []
    for each in json.loads(upload.read_text(encoding="utf-8"))["files"]:
        path = upload.with_name(each["file"])
        check(path, each["digest"], shown_name(each["name"]))
        found.append((path, each["name"]))
    return found


def main(workload: Workload, arguments: Sequence[str]) -> int:
    """Run the job; returns its exit code."""
    parser = argparse.ArgumentParser(prog="preprocess", description=__doc__)
    parser.add_argument("--upload", type=Path, required=True, help="the file that was uploaded")
    parser.add_argument("--upload-digest", required=True, help="its digest (common/digests.py)")
    parser.add_argument("--output", type=Path, required=True, help="folder for what is prepared")
    parser.add_argument("--output-uri", required=True, help="where in S3 that folder will be")
    parser.add_argument("--exit-message", type=Path, required=True, help="file for a digest or a failure")
    parser.add_argument("--training-hosts", type=int, default=1, help="machines that training will have")
    parser.add_argument("--file-name", default="the upload", help="what messages call the upload")
    args = parser.parse_args(arguments)
    work = partial(
        _preprocess_or_refuse,
        workload,
        args.upload,
        args.upload_digest,
        args.output,
        args.output_uri,
        args.file_name,
    )
    verify = partial(find_uploads, args.upload, args.upload_digest, args.file_name)
    return job.run(work, args.exit_message, (BadUpload, ChangedFile), verify, args.training_hosts)


def _preprocess_or_refuse(
    workload: Workload, upload: Path, digest: str, output: Path, uri: str, name: str, cluster: Cluster
) -> str:
    try:
        return preprocess(workload, upload, digest, output, uri, name, cluster)
    except BadUpload as problem:
        raise BadUpload(f"{REFUSED}: {problem}") from None


def _write_manifest(output: Path, channel: str, uri: str, digests: Mapping[str, str]) -> None:
    """Write a manifest as API_S3DataSource describes it: a prefix, and the keys below it.

    The files may be here or, if they have digests, on another machine.
    """
    folder = output / channel
    manifest = folder / f"{channel}.manifest"
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    elsewhere = {name.removeprefix(f"{channel}/") for name in digests if name.startswith(f"{channel}/")}
    content = [{"prefix": f"{uri.rstrip('/')}/{channel}/"}, *sorted((here | elsewhere) - {manifest.name})]
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps(content) + "\n", encoding="utf-8")
