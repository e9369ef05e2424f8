"""An upload is copied in parts of exactly the claimed version, with the digest that a job computes."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ROOT, Aws

sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "processing")]

from common import digests  # noqa: E402
from runs import upload_copies  # noqa: E402
from shared.aws import client  # noqa: E402

BUCKET, COPY = "copies", "runs/run/input/upload.csv"
# Parts that S3 accepts; those of the product only take longer.
PART = 6 * 1024**2
CONTENT = hashlib.shake_256(b"rows").digest(2 * PART + 5)


@pytest.fixture
def version(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of an upload which is no longer the newest of its name."""
    for module in (digests, upload_copies):
        monkeypatch.setattr(module, "PART_BYTES", PART)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    client.cache_clear()
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield s3.put_object(Bucket=BUCKET, Key="incoming/a ?b.csv", Body=CONTENT)["VersionId"]
    for found in s3.list_object_versions(Bucket=BUCKET)["Versions"]:
        s3.delete_object(Bucket=BUCKET, Key=found["Key"], VersionId=found["VersionId"])
    s3.delete_bucket(Bucket=BUCKET)
    client.cache_clear()


@pytest.mark.parametrize("size", [PART, PART + 1, 2 * PART, 2 * PART + 5])
def test_the_copy_is_the_claimed_version_and_has_its_digest(
    aws: Aws, version: str, size: int, tmp_path: Path
) -> None:
    s3 = aws.client("s3")
    if size < len(CONTENT):
        answer = s3.put_object(Bucket=BUCKET, Key="incoming/a ?b.csv", Body=CONTENT[:size])
        version = answer["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="incoming/a ?b.csv", Body=b"newer")
    source = {"Bucket": BUCKET, "Key": "incoming/a ?b.csv", "VersionId": version}
    digest = upload_copies.copy_upload(source, size, BUCKET, COPY)
    copied = tmp_path / "upload.csv"
    copied.write_bytes(s3.get_object(Bucket=BUCKET, Key=COPY)["Body"].read())
    assert copied.read_bytes() == CONTENT[:size]
    assert digest.startswith("sha256:" if size <= PART else "sha256-64mib:")
    digests.check(copied, digest, "the upload")
    copied.write_bytes(CONTENT[: size - 1] + b"?")
    with pytest.raises(digests.ChangedFile, match="was changed after it was written"):
        digests.check(copied, digest, "the upload")


@pytest.mark.parametrize("asked", ["unknown version", "size"])
def test_a_copy_that_fails_leaves_nothing(aws: Aws, version: str, asked: str) -> None:
    of = "no-such-version" if asked == "unknown version" else version
    source = {"Bucket": BUCKET, "Key": "incoming/a ?b.csv", "VersionId": of}
    with pytest.raises(ClientError):
        upload_copies.copy_upload(source, len(CONTENT) + (asked == "size"), BUCKET, COPY)
    s3 = aws.client("s3")
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="runs/")["KeyCount"] == 0
