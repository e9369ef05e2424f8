"""CopyObject and UploadPartCopy within S3's limits, with the checksums that were asked for.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

# "Size of CopyObject's source", "maximum part size" in S3's quotas.
LARGEST_COPY = 5 * 1024**3
# UploadPartCopy takes a range only of a source of more than 5 MB.
SMALLEST_RANGED = 5 * 1024**2
_TOO_LARGE = (
    f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST_COPY}"
)
_BAD_RANGE = "The specified copy range is invalid for the source object size"


def install_copies() -> None:
    """Let both refuse what S3 refuses, and compute and return checksums."""
    from ministack.services import s3

    copy, copy_part = s3._copy_object, s3._upload_part_copy

    def copy_object(bucket_name: str, dest_key: str, headers: Mapping[str, str]) -> Any:
        if (_source_size(headers) or 0) > LARGEST_COPY:
            return s3._error("InvalidRequest", _TOO_LARGE, 400)
        asked = headers.get("x-amz-checksum-algorithm")
        if not asked:
            return copy(bucket_name, dest_key, headers)
        # ministack reads the header under its name in PutObject.
        answer = copy(bucket_name, dest_key, {**headers, "x-amz-sdk-checksum-algorithm": asked})
        if answer[0] != 200:
            return answer
        stored = s3._buckets[bucket_name]["objects"][dest_key]["checksums"]
        return _with_checksum(answer, "CopyObjectResult", asked, stored[asked.upper()])

    def upload_part_copy(bucket_name: str, dest_key: str, query_params: Any, headers: Any) -> Any:
        if problem := _problem_of_part(headers):
            return s3._error("InvalidRequest", problem, 400)
        answer = copy_part(bucket_name, dest_key, query_params, headers)
        if answer[0] != 200:
            return answer
        upload = s3._multipart_uploads[s3._qp(query_params, "uploadId")]
        part = upload["parts"][int(s3._qp(query_params, "partNumber"))]
        part["checksums"], _ = s3._resolve_part_checksums(part["body"], {}, upload)
        for algorithm, checksum in part["checksums"].items():
            answer = _with_checksum(answer, "CopyPartResult", algorithm, checksum)
        return answer

    s3._copy_object, s3._upload_part_copy = copy_object, upload_part_copy


def _problem_of_part(headers: Mapping[str, str]) -> str:
    size, asked = _source_size(headers), headers.get("x-amz-copy-source-range", "")
    if size is None:
        return ""
    if not asked:
        return _TOO_LARGE if size > LARGEST_COPY else ""
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if size <= SMALLEST_RANGED:
        return _BAD_RANGE
    is_too_long = first.isdigit() and last.isdigit() and int(last) - int(first) >= LARGEST_COPY
    return _TOO_LARGE if is_too_long else ""


def _source_size(headers: Mapping[str, str]) -> int | None:
    """The size of the object or version that a copy names; None if it does not exist."""
    from ministack.services import s3

    # A "?" in the key is encoded.
    path, _, query = headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    bucket, _, key = unquote(path).partition("/")
    version_id = parse_qs(query).get("versionId", [""])[0]
    if version_id:
        versions = s3._object_versions.get((bucket, key)) or []
        return next((v.get("size") for v in versions if v["version_id"] == version_id), None)
    found = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key)
    return found["size"] if found else None


def _with_checksum(answer: Any, element: str, algorithm: str, checksum: str) -> Any:
    status, headers, body = answer
    tag, end = f"Checksum{algorithm.upper()}", f"</{element}>"
    return status, headers, body.replace(end.encode(), f"<{tag}>{checksum}</{tag}>{end}".encode())
