"""Multipart uploads with S3's rules for parts and their checksums; the parts are joined on disk.

Parts are stored and copied side by side, and others are answered meanwhile.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from local.embedded.disk_bytes import DiskBytes
from local.embedded.seams.objects import LARGEST_IN_MEMORY, Body, keep

# Of all parts but the last.
SMALLEST_PART = 5 * 1024**2
_ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


class _Refused(Exception):
    """S3's error code and message, and what else the error names."""

    def __init__(self, code: str, message: str, **extra: str) -> None:
        super().__init__(message)
        self.code, self.extra = code, extra


@dataclass(frozen=True)
class _Named:
    """A part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]


def install_multipart(folder: Path) -> None:
    """Keep large parts in files of this folder, and complete uploads by S3's rules."""
    from ministack.services import s3

    upload_part, original = s3._upload_part, s3._complete_multipart_upload

    def upload(bucket_name: str, key: str, body: bytes, query_params: Any, headers: Any) -> Any:
        found = s3._multipart_uploads.get(s3._qp(query_params, "uploadId"))
        try:
            _check_algorithm(found or {}, headers)
        except _Refused as refused:
            return s3._error(refused.code, str(refused), 400)
        answer = upload_part(bucket_name, key, body, query_params, headers)
        if answer[0] == 200:
            part = found["parts"][int(s3._qp(query_params, "partNumber"))]
            part["body"] = keep(part["body"], folder)
        return answer

    def complete(bucket_name: str, key: str, body: bytes, query_params: Any, headers: Any = None) -> Any:
        upload_id = s3._qp(query_params, "uploadId")
        found = s3._multipart_uploads.get(upload_id)
        if found is None or (found["bucket"], found["key"]) != (bucket_name, key):
            # It was completed before, or never existed.
            return original(bucket_name, key, body, query_params, headers)
        if problem := s3._check_put_preconditions(
            headers or {}, s3._buckets[bucket_name]["objects"].get(key)
        ):
            return problem
        try:
            obj = _joined(found, list(_named(body)), headers or {}, folder)
        except _Refused as refused:
            return s3._error(refused.code, str(refused), 400, f"/{bucket_name}/{key}", refused.extra)
        del s3._multipart_uploads[upload_id]
        answer = _stored(bucket_name, key, obj, headers or {})
        s3._completed_multipart_uploads[upload_id] = {"key": key, "response": answer}
        return answer

    s3._upload_part, s3._complete_multipart_upload = upload, complete
    store_parts_in_threads()


def store_parts_in_threads() -> None:
    """Digests of a part take up to a second, in which ministack's event loop would answer nobody."""
    from ministack.services import s3

    original = s3.handle_request

    async def handle_request(
        method: str, path: str, headers: Any, body: bytes, query_params: Any, **more: Any
    ) -> Any:
        answer = original(method, path, headers, body, query_params, **more)
        if method == "PUT" and "partNumber" in query_params:
            # It needs no event loop, but is a coroutine.
            return await asyncio.to_thread(asyncio.run, answer)
        return await answer

    s3.handle_request = handle_request


def _check_algorithm(upload: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    expected = upload.get("checksum_algorithm")
    given = [name for name in _ALGORITHMS if headers.get(f"x-amz-checksum-{name.lower()}")]
    if expected and given and expected not in given:
        raise _Refused(
            "InvalidRequest",
            "Checksum Type mismatch occurred, expected checksum Type: "
            f"{expected.lower()}, actual checksum Type: {given[0].lower()}",
        )


def _named(body: bytes) -> Iterator[_Named]:
    from ministack.services import s3

    malformed = "The XML you provided was not well-formed or did not validate against our published schema"
    try:
        root = s3.fromstring(body)
        for element in root:
            fields = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
            checksums = {
                name.removeprefix("Checksum").upper(): value
                for name, value in fields.items()
                if name.startswith("Checksum")
            }
            yield _Named(int(fields["PartNumber"]), fields["ETag"].strip('"'), checksums)
        if not len(root):
            raise _Refused("MalformedXML", malformed)
    except (s3.ParseError, KeyError, ValueError):
        raise _Refused("MalformedXML", malformed) from None


def _joined(
    upload: Mapping[str, Any], named: Sequence[_Named], headers: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """The object that the parts make. Raises _Refused."""
    from ministack.services import s3

    numbers = [part.number for part in named]
    if any(number >= following for number, following in pairwise(numbers)):
        raise _Refused(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    parts = [_part(upload, part) for part in named]
    for part, stored in list(zip(named, parts, strict=True))[:-1]:
        if stored["size"] < SMALLEST_PART:
            raise _Refused(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=str(stored["size"]),
                MinSizeAllowed=str(SMALLEST_PART),
                PartNumber=str(part.number),
                ETag=part.etag,
            )
    algorithm = _composed(upload)
    composite = s3._composite_checksum(algorithm, [part["checksums"].get(algorithm) for part in parts])
    _check_whole(headers, algorithm, composite, sum(part["size"] for part in parts))
    etags = b"".join(bytes.fromhex(part["etag"].strip('"')) for part in parts)
    return {
        "body": _join([part["body"] for part in parts], folder),
        "content_type": upload["content_type"],
        "content_encoding": upload.get("content_encoding"),
        "etag": f'"{hashlib.md5(etags, usedforsecurity=False).hexdigest()}-{len(parts)}"',
        "last_modified": s3.now_iso(),
        "size": sum(part["size"] for part in parts),
        "metadata": upload["metadata"],
        "preserved_headers": upload.get("preserved_headers", {}),
        "storage_class": upload.get("storage_class") or "STANDARD",
        "parts": [{"PartNumber": n, "Size": part["size"]} for n, part in zip(numbers, parts, strict=True)],
        "checksums": {algorithm: composite} if composite else {},
        "checksum_type": "COMPOSITE" if composite else None,
    }


def _composed(upload: Mapping[str, Any]) -> str | None:
    """The algorithm whose checksums of the parts make the object's checksum.

    CRC64NVME is only of whole objects; that of a joined object is not computed here.
    """
    algorithm: str | None = upload.get("checksum_algorithm")
    return None if algorithm == "CRC64NVME" else algorithm


def _part(upload: Mapping[str, Any], named: _Named) -> Mapping[str, Any]:
    """The stored part that is named. Raises _Refused unless it is exactly that one."""
    stored: Mapping[str, Any] | None = upload["parts"].get(named.number)
    algorithm = _composed(upload)
    if stored is None or stored["etag"].strip('"') != named.etag:
        raise _Refused(
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been uploaded, "
            "or the specified entity tag may not match the part's entity tag.",
        )
    if algorithm and algorithm not in named.checksums:
        raise _Refused(
            "InvalidRequest",
            f"The upload was created using a {algorithm.lower()} checksum. The complete request must include "
            f"the checksum for each part. It was missing for part {named.number} in the request.",
        )
    known = stored.get("checksums") or {}
    if any(known.get(name) != value for name, value in named.checksums.items() if name in _ALGORITHMS):
        raise _Refused(
            "InvalidPart",
            "One or more of the specified parts could not be found. "
            f"The following part numbers are invalid: {named.number}",
        )
    return {**stored, "checksums": known}


def _check_whole(headers: Mapping[str, str], algorithm: str | None, composite: str | None, size: int) -> None:
    if (given := headers.get("x-amz-mp-object-size")) is not None and given != str(size):
        raise _Refused(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {given} does not match "
            f"what was computed: {size}",
        )
    named = headers.get(f"x-amz-checksum-{(algorithm or '').lower()}")
    # The number of parts after the dash may be left out.
    if named and composite and named not in (composite, composite.partition("-")[0]):
        raise _Refused("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _join(bodies: Sequence[Body], folder: Path) -> Body:
    if sum(map(len, bodies)) <= LARGEST_IN_MEMORY:
        return b"".join(map(bytes, bodies))
    return DiskBytes.join(
        body if isinstance(body, DiskBytes) else DiskBytes.write(body, folder) for body in bodies
    )


def _stored(bucket_name: str, key: str, obj: dict[str, Any], headers: Mapping[str, str]) -> Any:
    """Put the object into its bucket; S3's answer."""
    from ministack.services import s3

    objects = s3._buckets[bucket_name]["objects"]
    prior, objects[key] = objects.get(key), obj
    version_id = s3._record_object_version(bucket_name, key, prior, obj, obj["body"])
    s3._fire_s3_event_async(
        bucket_name,
        key,
        "s3:ObjectCreated:CompleteMultipartUpload",
        size=obj["size"],
        etag=obj["etag"],
        version_id=version_id,
    )
    root = Element("CompleteMultipartUploadResult", xmlns=s3.S3_NS)
    fields = {
        "Location": f"http://{headers.get('host', 'localhost')}/{bucket_name}/{key}",
        "Bucket": bucket_name,
        "Key": key,
        "ETag": obj["etag"],
    }
    for algorithm, checksum in obj["checksums"].items():
        fields |= {f"Checksum{algorithm}": checksum, "ChecksumType": "COMPOSITE"}
    for name, value in fields.items():
        SubElement(root, name).text = value
    answered = {"Content-Type": "application/xml", **s3._stored_sse_headers(obj)}
    if version_id:
        answered["x-amz-version-id"] = version_id
    return 200, answered, s3._xml_body(root)
