"""The catalogue's paths as its function serves them, and a bucket with the models, each on a port of its own."""

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SITE = Path(__file__).parents[2] / "functions" / "catalogue_site"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' {bucket}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Catalogue:
    """What there is to serve, and how it fares. Tests change it while a browser looks."""

    models: list[dict[str, Any]]
    evaluations: dict[tuple[str, int], dict[str, Any]]
    files: dict[tuple[str, int], bytes]
    link_id: str = "A" * 43
    origin: str = ""
    bucket: str = ""
    state: str = "open"
    page_size: int = 50
    expires_at: str = ""

    @property
    def link(self) -> str:
        return f"{self.origin}/catalogue/{self.link_id}/"

    def get(self, path: str, query: str) -> Answer:
        """The answer of the catalogue's function."""
        if path.startswith("/assets/"):
            return _asset(path.removeprefix("/assets/"), "default-src 'none'")
        folder, rest = path[: len("/catalogue/") + 44], path[len("/catalogue/") + 44 :]
        if folder != f"/catalogue/{self.link_id}/" or self.state == "revoked":
            if rest and rest != "worker.js":
                return _json(410, {"error": "This link has expired."})
            return (
                410,
                {"Content-Type": TYPES[".html"]},
                b"<!doctype html><h1>This link is no longer valid</h1>",
            )
        if rest in ("", "worker.js"):
            return _asset(rest or "index.html", POLICY.format(bucket=self.bucket))
        if self.state == "busy":
            status, headers, body = _json(429, {"error": "Too many requests."})
            return status, {**headers, "Retry-After": "30"}, body
        return self._data(rest.removesuffix(".json").split("/"), query)

    def _data(self, path: list[str], query: str) -> Answer:
        match path:
            case ["models"]:
                return self._list(int(query.partition("=")[2] or 0))
            case ["models", workload, version, *format_]:
                key = workload, int(version)
                model = next((m for m in self.models if (m["workload"], m["version"]) == key), None)
                if model and not format_:
                    return _json(200, {**model, "evaluation": self.evaluations.get(key, {})})
                if model:
                    url = f"{self.bucket}/{workload}/{version}"
                    return _json(200, {"url": url, **model["formats"][format_[0]], "filename": "model.onnx"})
        return _json(404, {"error": "There is no such version."})

    def _list(self, start: int) -> Answer:
        end = start + self.page_size
        expires = self.expires_at or (datetime.now(UTC) + timedelta(days=7)).isoformat()
        page = {"generated_at": datetime.now(UTC).isoformat(), "expires_at": expires}
        return _json(
            200,
            {**page, "next": str(end) if end < len(self.models) else None, "models": self.models[start:end]},
        )

    def get_file(self, path: str, query: str) -> Answer:
        """The answer of the bucket."""
        _, workload, version = path.split("/")
        headers = {"Access-Control-Allow-Origin": self.origin, "Content-Type": "application/octet-stream"}
        return 200, headers, self.files[workload, int(version)]


def _json(status: int, content: object) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return status, headers, json.dumps(content).encode()


# Every test's browser asks for all of them again.
@cache
def _packed(name: str) -> tuple[bytes, str]:
    """A file of the site, compressed, and its tag; empty if there is none."""
    path, zipped = SITE / name, SITE / f"{name}.gz"
    if not path.is_file() and not zipped.is_file():
        return b"", ""
    content = zipped.read_bytes() if zipped.is_file() else gzip.compress(path.read_bytes(), 1)
    return content, f'"{hashlib.sha256(content).hexdigest()}"'


def _asset(name: str, policy: str) -> Answer:
    content, tag = _packed(name)
    if not content:
        return 404, {"Content-Type": "text/plain"}, b"no such file"
    caching = "public, max-age=31536000, immutable" if "1.30.0" in name else "no-cache"
    return 200, {
        "Content-Type": TYPES[Path(name).suffix],
        "Content-Encoding": "gzip",
        "Cache-Control": caching,
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": tag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }, content  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, catalogue: Catalogue, get: Callable[[str, str], Answer], *arguments: Any) -> None:
        self.catalogue, self.get = catalogue, get
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self.catalogue.state == "unreachable":
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        status, headers, body = self.get(path, query)
        if headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving(catalogue: Catalogue) -> Iterator[Catalogue]:
    """Serve a catalogue and its bucket."""
    servers = [
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, catalogue, get))
        for get in (catalogue.get, catalogue.get_file)
    ]
    catalogue.origin, catalogue.bucket = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield catalogue
    for server in servers:
        server.shutdown()
        server.server_close()
