"""Calls a WSGI application in this process, with the environment that the images' gunicorn passes."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Start = Callable[..., Callable[[bytes], object]]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
# Status, headers and body.
Answer = tuple[int, Mapping[str, str], bytes]


def answer_to(
    application: Application, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}
) -> Answer:
    """The answer that gunicorn would give: an exception of the application is logged and becomes a 500."""
    try:
        return ask(application, method, path, body, headers)
    except (Exception, SystemExit):
        traceback.print_exc()
        return 500, {"Content-Type": "text/html"}, b"Internal Server Error"


def ask(
    application: Application, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}
) -> Answer:
    """The application's answer. Raises its exceptions."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))
        return written.append

    written: list[bytes] = []
    chunks = application(_environ(method, path, body, headers), start_response)
    try:
        written.extend(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, answered = started[-1]
    return int(status.split()[0]), dict(answered), b"".join(written)


def _environ(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    names = {name: name.upper().replace("-", "_") for name in headers}
    return environ | {
        names[name] if name == "Content-Type" else f"HTTP_{names[name]}": value
        for name, value in headers.items()
    }
