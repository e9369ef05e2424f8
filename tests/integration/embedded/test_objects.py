"""Large objects of the embedded S3: parts, copies, ranges and digests, within S3's limits."""

import base64
import hashlib
import http.client
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws

MIB = 1024**2
BIG = hashlib.shake_256(b"big").digest(12 * MIB)
FIRST, LAST = BIG[: 6 * MIB], BIG[6 * MIB :]


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    name = f"objects-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    for version in s3.list_object_versions(Bucket=name).get("Versions", []):
        s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def put(s3: Any, bucket: str, body: bytes = BIG, key: str = "big") -> str:
    version: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version


def begin(s3: Any, bucket: str, **arguments: Any) -> dict[str, Any]:
    created = s3.create_multipart_upload(Bucket=bucket, Key="parts", **arguments)
    return {"Bucket": bucket, "Key": "parts", "UploadId": created["UploadId"]}


def copy_part(s3: Any, to: dict[str, Any], number: int, version: str, first: int, last: int) -> Any:
    source = {"Bucket": to["Bucket"], "Key": "big", "VersionId": version}
    asked = {"CopySource": source, "CopySourceRange": f"bytes={first}-{last}"}
    return s3.upload_part_copy(**to, PartNumber=number, **asked)["CopyPartResult"]


def named(number: int, part: Any) -> dict[str, Any]:
    return {"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}


def test_a_large_object_lies_on_disk_and_goes_with_its_last_version(aws: Aws, s3: Any, bucket: str) -> None:
    folder = aws.folder / "objects"
    before = set(folder.iterdir())
    version = put(s3, bucket)
    (file,) = set(folder.iterdir()) - before
    assert file.read_bytes() == BIG
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == BIG
    s3.delete_object(Bucket=bucket, Key="big", VersionId=version)
    assert not file.exists()


@pytest.mark.parametrize("size", [100, 12 * MIB])
def test_a_range_of_a_version_is_read_and_nothing_more(s3: Any, bucket: str, size: int) -> None:
    version = put(s3, bucket, BIG[:size])
    put(s3, bucket, b"newer")
    answer = s3.get_object(Bucket=bucket, Key="big", VersionId=version, Range="bytes=10-19")
    assert (answer["ContentLength"], answer["ContentRange"]) == (10, f"bytes 10-19/{size}")
    assert answer["Body"].read() == BIG[10:20]
    code, _ = refusal(
        s3.get_object, Bucket=bucket, Key="big", VersionId=version, Range=f"bytes={size}-{size + 1}"
    )
    assert code == "InvalidRange"


def test_a_copy_in_parts_has_the_digest_of_the_parts_digests(s3: Any, bucket: str) -> None:
    version = put(s3, bucket)
    put(s3, bucket, b"newer")
    to = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    parts = [
        copy_part(s3, to, 1, version, 0, 6 * MIB - 1),
        copy_part(s3, to, 2, version, 6 * MIB, 12 * MIB - 1),
    ]
    assert [part["ChecksumSHA256"] for part in parts] == [text(sha256(FIRST)), text(sha256(LAST))]
    made = {"Parts": [named(number, part) for number, part in enumerate(parts, start=1)]}
    answer = s3.complete_multipart_upload(**to, MultipartUpload=made)
    composite = f"{text(sha256(sha256(FIRST) + sha256(LAST)))}-2"
    assert (answer["ChecksumSHA256"], answer["ChecksumType"]) == (composite, "COMPOSITE")
    # A repeated request is answered as before.
    assert s3.complete_multipart_upload(**to, MultipartUpload=made)["VersionId"] == answer["VersionId"]
    found = s3.head_object(Bucket=bucket, Key="parts", ChecksumMode="ENABLED")
    assert (found["ContentLength"], found["ChecksumSHA256"]) == (len(BIG), composite)
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == BIG


def test_an_upload_is_completed_only_by_the_rules(s3: Any, bucket: str) -> None:
    to = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    one, two = (
        s3.upload_part(**to, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        for number, body in [(1, b"small"), (2, FIRST)]
    )
    first, second = named(1, one), named(2, two)

    def completing(*parts: dict[str, Any]) -> tuple[str, str]:
        return refusal(s3.complete_multipart_upload, **to, MultipartUpload={"Parts": list(parts)})

    without = {name: first[name] for name in ("PartNumber", "ETag")}
    assert completing(second, first)[0] == "InvalidPartOrder"
    assert completing(first, second) == (
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
    )
    assert completing(first, {**second, "PartNumber": 3})[0] == "InvalidPart"
    assert completing({**first, "ETag": second["ETag"]})[0] == "InvalidPart"
    assert completing({**first, "ChecksumSHA256": second["ChecksumSHA256"]})[0] == "InvalidPart"
    code, said = completing(without)
    assert (code, "It was missing for part 1" in said) == ("InvalidRequest", True)
    assert completing()[0] == "MalformedXML"
    s3.abort_multipart_upload(**to)
    assert completing(first)[0] == "NoSuchUpload"


def test_a_part_with_another_kind_of_checksum_is_refused(s3: Any, bucket: str) -> None:
    to = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    code, said = refusal(s3.upload_part, **to, PartNumber=1, Body=b"a", ChecksumAlgorithm="CRC32")
    expected = "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"
    assert (code, said) == ("InvalidRequest", expected)


def test_a_range_of_a_small_or_shorter_source_is_refused(s3: Any, bucket: str) -> None:
    small, large = put(s3, bucket, BIG[: 5 * MIB]), put(s3, bucket)
    to = begin(s3, bucket)
    small_source = refusal(copy_part, s3=s3, to=to, number=1, version=small, first=0, last=9)
    assert small_source == (
        "InvalidRequest",
        "The specified copy range is invalid for the source object size",
    )
    too_far = refusal(copy_part, s3=s3, to=to, number=1, version=large, first=0, last=12 * MIB)
    assert too_far[0] == "InvalidArgument"


def test_more_than_5_gib_is_refused_before_it_is_sent(aws: Aws) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=60)
    connection.putrequest("PUT", "/bucket/key")
    connection.putheader("Content-Length", str(5 * 1024**3 + 1))
    connection.putheader("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"<Code>EntityTooLarge</Code>" in answer.read()) == (400, True)
