"""Remembers what a run got in each step, once its model is registered."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reuse.entries import Entry, write
from reuse.files import fingerprint

# A run that reuses a file must end before the file expires; for so long, a failed run can be redriven.
_MARGIN = timedelta(days=14)


def remember(request: Mapping[str, Any]) -> list[str]:
    """Store the results that the run did not take from another one; returns their steps.

    A step without a key is left out. A second call stores the same again.
    """
    started = datetime.fromisoformat(request["started_at"])
    expires = started + timedelta(days=int(os.environ["EXPIRE_RUNS_AFTER_DAYS"])) - _MARGIN
    keys, reused = request["keys"], request["reused"]
    steps = [step for step in request["results"] if step in keys and step not in reused]
    for step in steps:
        result = request["results"][step]
        entry = Entry(
            step=step,
            run_id=request["run_id"],
            execution_arn=request["execution_arn"],
            result=result,
            fingerprint=fingerprint(result["uri"]),
            expires_at=int(expires.timestamp()),
        )
        write(keys[step], entry)
    return steps
