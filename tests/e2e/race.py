"""Fifty people decide at the same instant: the functions' own code, in one process, against a running stack.

    python -m tests.e2e.race PATH_OF_THE_LINK

Prints a JSON list of [status, heading]. Separate processes would start one after the other and hardly meet;
here everyone has passed every check before anyone writes.
"""

import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

PEOPLE = 50
HEADERS = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


def entries(number: int) -> dict[str, str]:
    """The decision of the person with this number: every second one approves."""
    decision = "reject" if number % 2 else "approve"
    return {"decision": decision, "reviewer": f"Person {number}", "comment": f"Reason {number}"}


def main(path: str) -> list[list[Any]]:
    from approval import deciding
    from approval import records as approvals
    from web import review
    from web.http import Request

    at_the_write = threading.Barrier(PEOPLE, timeout=60)

    def decide_together(*arguments: Any) -> bool:
        at_the_write.wait()
        return approvals.decide_by_link(*arguments)

    def send(number: int) -> list[Any]:
        request = Request("POST", path, HEADERS, urlencode(entries(number)), False, "127.0.0.1", "race")
        answer = review.respond(request)
        heading = re.search("<h1>(.*?)</h1>", str(answer.body))
        return [answer.status, heading[1] if heading else ""]

    # Somebody has opened the page before. Without clients, each of fifty threads would make its own.
    review.respond(Request("GET", path, HEADERS, "", False, "127.0.0.1", "race"))
    with patch.object(deciding, "decide_by_link", decide_together), ThreadPoolExecutor(PEOPLE) as people:
        return list(people.map(send, range(PEOPLE)))


if __name__ == "__main__":
    sys.path[:0] = ["functions", "processing"]
    print(json.dumps(main(sys.argv[1])))
