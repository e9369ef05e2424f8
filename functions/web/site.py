"""The catalogue's static files, from `catalogue_site/`.

A file `x.gz` is served as `x`, compressed already: a function may answer 6 MB, and some files are larger.
Browsers keep a file whose name has a hash or a version for good, and ask about any other each time, by its
ETag.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.refusals import Refused
from web.http import Request, Response

FOLDER = Path(__file__).parents[1] / "catalogue_site"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_COMPRESSED_BY_ITSELF = {".png", ".woff2"}
# `app.3f9a1c27.js`, `ort-1.30.0.wasm`, `ort-1.30.0/ort.wasm`
_NEVER_CHANGES = re.compile(r"[.-](?:[0-9a-f]{8,64}|\d+\.\d+\.\d+)(?:[./]|$)")
# Below this size, compressing gains nothing.
_SMALL = 1024


@dataclass(frozen=True)
class Content:
    """A file's bytes, as they are and compressed; only one of them for some files."""

    plain: bytes | None
    zipped: bytes | None
    etag: str


def serve(request: Request, name: str, headers: Mapping[str, str]) -> Response:
    """The file of this name with these headers, unless the browser has it. Raises Refused."""
    if name not in _files(FOLDER):
        raise Refused(404, "There is no such file.")
    content = _read(FOLDER, name)
    caching = "public, max-age=31536000, immutable" if _NEVER_CHANGES.search(name) else "no-cache"
    own = {
        "Cache-Control": caching,
        "Content-Type": _TYPES.get(Path(name).suffix, "application/octet-stream"),
        "ETag": content.etag,
        "Vary": "Accept-Encoding",
    }
    if _has(request.headers.get("if-none-match", ""), content.etag):
        return Response(304, headers={**own, **headers})
    if content.zipped and (_takes_gzip(request) or content.plain is None):
        return Response(200, content.zipped, {**own, "Content-Encoding": "gzip", **headers})
    return Response(200, content.plain or b"", {**own, **headers})


@cache
def _files(folder: Path) -> Mapping[str, Path]:
    """What is served, by name. No other path is ever opened, whatever a request asks for."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name.removesuffix(".gz"): path for name, path in found.items()}


@cache
def _read(folder: Path, name: str) -> Content:
    path = _files(folder)[name]
    stored = path.read_bytes()
    etag = f'W/"{hashlib.sha256(stored).hexdigest()[:32]}"'
    if path.suffix == ".gz":
        return Content(None, stored, etag)
    compress = len(stored) > _SMALL and path.suffix not in _COMPRESSED_BY_ITSELF
    return Content(stored, gzip.compress(stored, mtime=0) if compress else None, etag)


def _takes_gzip(request: Request) -> bool:
    encodings = request.headers.get("accept-encoding", "").lower().split(",")
    asked = (encoding.replace(" ", "").partition(";") for encoding in encodings)
    return any(name in ("gzip", "*") and weight not in ("q=0", "q=0.0") for name, _, weight in asked)


def _has(if_none_match: str, etag: str) -> bool:
    return if_none_match.strip() == "*" or etag in (tag.strip() for tag in if_none_match.split(","))
