"""Serves a model behind an endpoint: ``("-m", "local.sagemaker.engines.serving.endpoint", "<server>",
"<root>", "isolated" or "connected", "instance" or "serverless")``.

The server starts as in its image. Requests come over the standard input, which is a socket, one at a time,
as ``frames``: a head with ``method``, ``path`` and ``headers``, and the body. The first frame that goes back
says that the container is healthy; each of the others is an answer, with ``status`` and ``headers``. If the
server does not start or its ping is not 200, the exit code is 1 and nothing goes back.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

from local.sagemaker.engines.serving import frames
from local.sagemaker.engines.serving.server import begin
from local.sagemaker.engines.serving.wsgi_client import answer_to
from local.sagemaker.engines.warm.hiding import hide

_NGINX = "/etc/sagemaker-nginx.conf"
_NO = {"false", "f", "no", "n", "off", "0"}


def main(server: str, root: Path, connection: socket.socket, *, isolated: bool, serverless: bool) -> int:
    """Serve until the connection ends; returns the exit code."""
    if serverless and server == "gunicorn" and (refused := nginx_configuration()):
        print(refused, file=sys.stderr)
        return 1
    application = begin(server, root, isolated=isolated)
    if application is None:
        return 1
    frames.send(connection, {"healthy": True})
    while (request := frames.receive(connection)) is not None:
        head, body = request
        status, headers, answer = answer_to(application, head["method"], head["path"], body, head["headers"])
        frames.send(connection, {"status": status, "headers": dict(headers)}, answer)
    return 0


def nginx_configuration() -> OSError | None:
    """The image's toolkit writes it before it starts; why it cannot where only /tmp is writable."""
    if os.environ.get("SAGEMAKER_USE_NGINX", "true").lower() in _NO:
        return None
    return OSError(errno.EROFS, os.strerror(errno.EROFS), _NGINX)


def take_connection() -> socket.socket:
    """The socket that is the standard input, which from now on is empty for the model's own code."""
    connection = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return connection


if __name__ == "__main__":
    hide(["local"])
    server, ml, network, kind = sys.argv[1:]
    isolated, serverless = network == "isolated", kind == "serverless"
    sys.exit(main(server, Path(ml), take_connection(), isolated=isolated, serverless=serverless))
