"""X-Ray without any traces, because the embedded AWS collects none."""

import json
import time
from collections.abc import Mapping
from typing import Any

Response = tuple[int, dict[str, str], bytes]


async def answer_xray(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    """Answers the reads of `sam logs --include-traces` and `sam traces`; anything else is refused."""
    asked = json.loads(body or b"{}")
    answers: dict[str, dict[str, Any]] = {
        "/TraceSummaries": {"TraceSummaries": [], "TracesProcessedCount": 0, "ApproximateTime": time.time()},
        "/Traces": {"Traces": [], "UnprocessedTraceIds": asked.get("TraceIds", [])},
        "/ServiceGraph": {"Services": [], "ContainsOldGroupVersions": False},
    }
    if path not in answers:
        refused = {"Message": f"{path} of X-Ray is not served by the embedded AWS."}
        return (
            400,
            {"content-type": "application/json", "x-amzn-errortype": "InvalidRequestException"},
            _json(refused),
        )
    return 200, {"content-type": "application/json"}, _json(answers[path])


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode()
