"""Links to the files of approved models, for a few minutes.

A link names its file by key, so that whoever downloads must compare the digest.
"""

from functools import cache
from urllib.parse import urlsplit

from catalogue.models import FILES, Json, read_kept
from catalogue.packages import find_approved, metadata
from model.kept import key_of
from shared.links import signed_link
from shared.refusals import Refused

LINK_SECONDS = 300
_ENDINGS = {"native": "tar.gz", "onnx": "onnx"}
_TYPES = {"native": "application/gzip", "onnx": "application/octet-stream"}


def link_to(workload: str, version: int, of: str) -> Json:
    """`{"url", "digest", "bytes", "filename"}` of an approved version's file. Raises Refused, in words."""
    if of not in FILES:
        raise Refused(400, f"There is no such format: choose one of {', '.join(FILES)}.")
    package = find_approved(workload, version)
    kept = read_kept(package)
    if of not in kept.files:
        raise Refused(409 if kept.problem else 404, kept.problem or f"Version {version} has no {of} file.")
    filename = f"{workload}-{version}.{_ENDINGS[of]}"
    url = signed_link(
        key_of(metadata(package)["run_id"], FILES[of]),
        LINK_SECONDS,
        ResponseContentDisposition=f'attachment; filename="{filename}"',
        ResponseContentType=_TYPES[of],
    )
    found = kept.files[of]
    return {"url": url, "digest": found.digest, "bytes": found.bytes, "filename": filename}


@cache
def bucket_origin() -> str:
    """The origin of the links, for the page's content security policy."""
    parts = urlsplit(signed_link("models/", LINK_SECONDS))
    return f"{parts.scheme}://{parts.netloc}"
