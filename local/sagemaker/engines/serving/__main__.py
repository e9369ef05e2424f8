from __future__ import annotations

import json
import sys
from pathlib import Path

from local.sagemaker.engines.serving.server import begin
from local.sagemaker.engines.serving.wsgi_client import answer_to
from local.sagemaker.engines.warm.hiding import hide

REFUSED = "refused.json"
# An answer may be long, but SageMaker's reasons are short.
LONGEST_BODY = 1000


def main(
    server: str, root: Path, requests: Path, responses: Path, headers: dict[str, str], *, isolated: bool
) -> int:
    """Start the server and send every request; returns the exit code."""
    responses.mkdir(parents=True, exist_ok=True)
    application = begin(server, root, isolated=isolated)
    if application is None:
        return refuse(responses, None, None, None)
    for request in sorted(path for path in requests.iterdir() if path.is_file()):
        status, _, body = answer_to(application, "POST", "/invocations", request.read_bytes(), headers)
        if not 200 <= status < 300:
            return refuse(responses, request.name, status, body[:LONGEST_BODY].decode(errors="replace"))
        write_whole(responses / request.name, body)
    return 0


def refuse(responses: Path, request: str | None, status: int | None, body: str | None) -> int:
    (responses / REFUSED).write_text(json.dumps({"request": request, "status": status, "body": body}))
    return 1


def write_whole(path: Path, body: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(body)
    unfinished.replace(path)


if __name__ == "__main__":
    hide(["local"])
    server, ml, requests, responses, content_type, accept, network = sys.argv[1:]
    given = {"Content-Type": content_type, "Accept": accept}
    present = {name: value for name, value in given.items() if value}
    folders = Path(ml), Path(requests), Path(responses)
    sys.exit(main(server, *folders, present, isolated=network == "isolated"))
