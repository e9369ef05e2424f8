"""S3's objects: large ones live on disk and are sent in pieces, so that they need no memory."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.embedded.disk_bytes import DiskBytes

Response = tuple[int, dict[str, Any], Any]
Body = bytes | DiskBytes

# Smaller objects stay in memory.
LARGEST_IN_MEMORY = 1 << 20
_HASHES: Mapping[str, Callable[[], Any]] = {"SHA256": hashlib.sha256, "SHA1": hashlib.sha1}


def install_objects(folder: Path) -> None:
    """Keep large objects in files of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _keep_on_disk(folder)
    _digest_from_disk()
    _send_from_disk()
    _read_ranges_of_versions()


def keep(body: Body, folder: Path) -> Body:
    """The body as it is stored: on disk if it is large."""
    if isinstance(body, DiskBytes) or len(body) <= LARGEST_IN_MEMORY:
        return body
    return DiskBytes.write(body, folder)


def _keep_on_disk(folder: Path) -> None:
    from ministack.services import s3

    original, whole = s3._record_object_version, s3._get_object_data

    def record(bucket_name: str, key: str, prior_obj: Any, obj: dict[str, Any], data: Body) -> Any:
        obj["body"] = kept = keep(data, folder)
        return original(bucket_name, key, prior_obj, obj, kept)

    def get_object_data(*args: Any, **kwargs: Any) -> bytes | None:
        # For other services, such as Lambda, which unpack it.
        found = whole(*args, **kwargs)
        return bytes(found) if isinstance(found, DiskBytes) else found

    s3._record_object_version, s3._get_object_data = record, get_object_data


def _digest_from_disk() -> None:
    from ministack.services import s3

    original_md5, original_checksum = s3.md5_hash, s3._compute_s3_checksum

    def md5_hash(body: Body) -> str:
        if isinstance(body, DiskBytes):
            return str(_updated(hashlib.md5(usedforsecurity=False), body).hexdigest())
        return str(original_md5(body))

    def checksum(algorithm: str, body: Body) -> Any:
        if not isinstance(body, DiskBytes):
            return original_checksum(algorithm, body)
        name = (algorithm or "").upper()
        if name in _HASHES:
            return base64.b64encode(_updated(_HASHES[name](), body).digest()).decode()
        if name == "CRC32":
            crc = 0
            for chunk in body.chunks():
                crc = zlib.crc32(chunk, crc)
            return base64.b64encode(crc.to_bytes(4, "big")).decode()
        return original_checksum(algorithm, bytes(body))

    s3.md5_hash, s3._compute_s3_checksum = md5_hash, checksum


def _updated(digest: Any, body: DiskBytes) -> Any:
    for chunk in body.chunks():
        digest.update(chunk)
    return digest


def _send_from_disk() -> None:
    from ministack import app
    from ministack.core.responses import StreamingResponse

    original = app._send_response

    async def send_response(send: Any, status: int, headers: Any, body: Any, *, head: bool = False) -> None:
        if not isinstance(body, DiskBytes):
            await original(send, status, headers, body, head=head)
            return

        async def chunks(send: Any, _: Any) -> None:
            for chunk in body.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await app._send_streaming_response(send, None, status, headers, StreamingResponse(chunks))

    app._send_response = send_response


def _read_ranges_of_versions() -> None:
    """Answer a range of a named version, of which ministack returns everything."""
    from ministack.services import s3

    original = s3._get_object

    def get_object(bucket_name: str, key: str, headers: Mapping[str, str], query_params: Any = None) -> Any:
        answer = original(bucket_name, key, headers, query_params)
        asked = headers.get("range", "")
        if answer[0] != 200 or not asked or not (query_params or {}).get("versionId"):
            return answer
        return _part_of(answer, s3._parse_range(asked, len(answer[2])))

    s3._get_object = get_object


def _part_of(answer: Response, found: tuple[int, int] | None) -> Response:
    from ministack.services import s3

    _, headers, body = answer
    size = len(body)
    if found is None:
        error: Response = s3._error("InvalidRange", "The requested range is not satisfiable", 416)
        return error[0], {**error[1], "Content-Range": f"bytes */{size}"}, error[2]
    start, end = found
    # The checksums are those of the whole object.
    kept = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
    about = {"Content-Length": str(end - start + 1), "Content-Range": f"bytes {start}-{end}/{size}"}
    return 206, {**kept, **about}, body[start : end + 1]
