"""S3 as jobs use it: prefixes and manifests to folders, and folders back to prefixes."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.copies import Copies
from local.sagemaker.errors import JobFailed
from local.sagemaker.kinds import Json
from local.sagemaker.manifests import BadManifest, Manifest, read_manifest

_NOTHING_FOUND = (
    'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that '
    "the bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and that "
    'the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
)
# A larger file is uploaded in parts, which need little memory here and in S3.
LARGEST_PUT = 64 * 1024**2
_IN_PARTS = TransferConfig(
    multipart_threshold=LARGEST_PUT,
    multipart_chunksize=16 * 1024**2,
    max_concurrency=2,
    preferred_transfer_client="classic",
)


@dataclass(frozen=True)
class S3Object:
    """One object of an input; `relative` is its path below the input's or manifest's prefix."""

    bucket: str
    key: str
    relative: str
    etag: str


@dataclass(frozen=True)
class Kept:
    """Downloaded objects, so that jobs with the same input read each version only once, and jobs that start
    within so many seconds look for it only once."""

    folder: Path
    seconds: float = 1.0
    files: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    found: dict[str, tuple[float, list[S3Object]]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, source: Json, look: Callable[[], list[S3Object]]) -> list[S3Object]:
        """The objects of a data source."""
        name = json.dumps(source, sort_keys=True)
        # Held while looking: other jobs that need the same objects wait instead of looking, too.
        with self.lock:
            at, objects = self.found.get(name, (-math.inf, []))
            if time.monotonic() - at >= self.seconds:
                objects = look()
                self.found[name] = time.monotonic(), objects
            return objects


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri, re.DOTALL)
    if match is None:
        raise JobFailed(f"ClientError: {uri} is not an S3 URI.")
    return match[1], match[2]


def join_uri(uri: str, relative: str) -> str:
    """The URI of something under another URI."""
    return f"{uri.rstrip('/')}/{relative}"


def relative_key(key: str, prefix: str) -> str:
    """The path at which SageMaker puts the object `key` of an input with this prefix.

    A prefix is the beginning of a key, not a folder: `a/b` matches `a/b`, `a/b/c` and `a/b.csv`. The path of
    the first and third begins with the last part of the prefix, that of the second after it.
    """
    if prefix and not prefix.endswith("/") and not key.startswith(f"{prefix}/"):
        return key[prefix.rfind("/") + 1 :]
    return key[len(prefix) :].lstrip("/")


def _download_failed(bucket: str, key: str, why: str) -> JobFailed:
    found = f"s3://{bucket}/{key} {why}"
    return JobFailed(f"ClientError: Data download failed:Failed to download data. S3 key: {found}")


def _place(item: S3Object, folder: Path) -> Path:
    """Where an object belongs below a folder. Raises `JobFailed` if its key leads out of it."""
    path = folder / item.relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise JobFailed(f"ClientError: Data download failed: the key {item.key} leaves its folder.")
    return path


class Storage:
    """S3 with the rights of one role. Every failure is a `JobFailed`, with AWS's `FailureReason`."""

    def __init__(self, client: Any, role_arn: str, region: str, copies: Copies | None = None) -> None:
        """`copies` has those of objects that jobs with any role have downloaded."""
        self._s3 = client
        self._role_arn = role_arn
        self._region = region
        self._copies = copies

    def find(self, uri: str) -> list[S3Object]:
        """The objects under an `S3Prefix`, in the order of their keys, without empty folder markers."""
        found = self._found(uri)
        if not found:
            raise self._nothing_found(uri)
        return found

    def _found(self, uri: str) -> list[S3Object]:
        bucket, prefix = split_uri(uri)
        try:
            items = [item for item in self._list(bucket, prefix) if not item["Key"].endswith("/")]
        except ClientError:
            return []
        return [
            S3Object(bucket, item["Key"], relative_key(item["Key"], prefix), item["ETag"]) for item in items
        ]

    def _nothing_found(self, uri: str) -> JobFailed:
        bucket, _ = split_uri(uri)
        return JobFailed(
            _NOTHING_FOUND.format(uri=uri, bucket=bucket, role=self._role_arn, region=self._region)
        )

    def find_input(self, source: Json, kept: Kept | None = None) -> list[S3Object]:
        """The objects of a data source: all under its `S3Prefix`, or those in its `ManifestFile`."""
        if kept is not None:
            return kept.find(source, lambda: self._find_input(source, kept))
        return self._find_input(source, None)

    def _find_input(self, source: Json, kept: Kept | None) -> list[S3Object]:
        uri = source["S3Uri"]
        if source.get("S3DataType") != "ManifestFile":
            return self.find(uri)
        manifest = self._read_manifest(uri, kept)
        bucket, prefix = split_uri(manifest.prefix)
        return [self._find_named(bucket, prefix + name, name.lstrip("/")) for name in manifest.names]

    def _read_manifest(self, uri: str, kept: Kept | None) -> Manifest:
        _, key = split_uri(uri)
        found = [item for item in self._found(uri) if item.key == key]
        if not found:
            raise self._nothing_found(uri)
        content = self._kept(found[0], kept).read_bytes() if kept else self.read(found[0])
        try:
            return read_manifest(content)
        except BadManifest as error:
            raise JobFailed(f"ClientError: The manifest {uri} is invalid: {error}.") from None

    def _find_named(self, bucket: str, key: str, relative: str) -> S3Object:
        try:
            etag = self._s3.head_object(Bucket=bucket, Key=key)["ETag"]
        except (ClientError, BotoCoreError) as error:
            raise _download_failed(bucket, key, str(error)) from error
        return S3Object(bucket, key, relative, etag)

    def _list(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            page = self._s3.list_objects_v2(**request)
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def download(
        self, source: Json, folders: Sequence[Path], kept: Kept | None = None, *, changes: bool = True
    ) -> None:
        """Put the objects of a data source into the folders of a job's hosts: all of them into each, or
        `ShardedByS3Key`, each into one. Objects already in `kept` are not read again; a job that never
        `changes` its data shares their files."""
        sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
        for number, item in enumerate(self.find_input(source, kept)):
            if "//" in item.key:
                raise _download_failed(item.bucket, item.key, "has an illegal char sub-sequence '//' in it")
            own = [folders[number % len(folders)]] if sharded else folders
            try:
                self._put(item, [_place(item, folder) for folder in own], kept, changes=changes)
            except (FileExistsError, IsADirectoryError, NotADirectoryError):
                why = "cannot be a file: another key has a file or folder there"
                raise _download_failed(item.bucket, item.key, why) from None

    def keep(self, source: Json, kept: Kept) -> None:
        """Read the objects of a data source, so that later downloads do not."""
        for item in self.find_input(source, kept):
            self._kept(item, kept)

    def _put(self, item: S3Object, paths: Sequence[Path], kept: Kept | None, *, changes: bool) -> None:
        for number, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            if kept is not None and not changes:
                if path.is_file():  # a manifest may name an object twice
                    path.unlink()
                path.hardlink_to(self._kept(item, kept))
            elif kept is not None:
                shutil.copyfile(self._kept(item, kept), path)
            elif number > 0:
                shutil.copyfile(paths[0], path)
            else:
                self.download_object(item, path)

    def _kept(self, item: S3Object, kept: Kept) -> Path:
        version = (item.bucket, item.key, item.etag)
        # Held while reading: other jobs that need the same object wait instead of reading it too.
        with kept.lock:
            if version not in kept.files:
                kept.folder.mkdir(parents=True, exist_ok=True)
                path = kept.folder / str(len(kept.files))
                self.download_object(item, path)
                kept.files[version] = path
            return kept.files[version]

    def download_object(self, item: S3Object, path: Path) -> None:
        """Write the content of one object to a file."""
        name = item.bucket, item.key
        with self._copies.find(name) if self._copies else nullcontext() as copy, path.open("wb") as file:
            found = self._get(*name, unless=copy and copy[0])
            if copy and found is None:
                # In small pieces: each of a megabyte would be new memory, which takes twice as long.
                shutil.copyfileobj(copy[1], file, 1 << 16)
            else:
                shutil.copyfileobj(found["Body"], file, 1 << 20)
        if self._copies and found is not None:
            self._copies.keep(name, found["ETag"], path)

    def restore(self, uri: str, folder: Path) -> None:
        """Copy a folder of S3, which may be empty, into a folder of this machine."""
        bucket, prefix = split_uri(join_uri(uri, ""))
        try:
            items = [item for item in self._list(bucket, prefix) if not item["Key"].endswith("/")]
        except ClientError as error:
            raise JobFailed(f"ClientError: Data download failed: {uri}: {error}") from error
        for item in items:
            found = S3Object(bucket, item["Key"], item["Key"].removeprefix(prefix), item["ETag"])
            path = _place(found, folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.download_object(found, path)

    def read(self, item: S3Object) -> bytes:
        """The content of one object."""
        content: bytes = self._body(item.bucket, item.key).read()
        return content

    def read_uri(self, uri: str) -> bytes:
        """The content of the one object with this URI."""
        content: bytes = self._body(*split_uri(uri)).read()
        return content

    def _body(self, bucket: str, key: str) -> Any:
        return self._get(bucket, key)["Body"]

    def _get(self, bucket: str, key: str, unless: str | None = None) -> Any:
        """The object; None if it still has that ETag."""
        try:
            return self._s3.get_object(Bucket=bucket, Key=key, **{"IfNoneMatch": unless} if unless else {})
        except (ClientError, BotoCoreError) as error:
            if unless and isinstance(error, ClientError) and error.response["Error"]["Code"] == "304":
                return None
            raise _download_failed(bucket, key, str(error)) from error

    def upload(self, content: Any, uri: str, kms_key: str | None = None) -> None:
        """Write one object, with a KMS key if given; `content` is bytes or a binary file."""
        bucket, key = split_uri(uri)
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        try:
            if isinstance(content, bytes) or os.fstat(content.fileno()).st_size <= LARGEST_PUT:
                self._s3.put_object(Bucket=bucket, Key=key, Body=content, **under)
            else:
                self._s3.upload_fileobj(content, bucket, key, ExtraArgs=under, Config=_IN_PARTS)
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise JobFailed(f"ClientError: Artifact upload failed: {uri}: {error}") from error

    def upload_folder(self, folder: Path, uri: str, kms_key: str | None = None) -> None:
        """Write every file below a folder under a prefix, with a KMS key if given."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                self.upload(file, join_uri(uri, path.relative_to(folder).as_posix()), kms_key)
