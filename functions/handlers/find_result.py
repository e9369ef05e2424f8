"""Look for a finished run that did a step with the same data, code and settings.

Reads only, so it answers any caller. Where the stack's parameter switches reuse off, it finds nothing and
gives no key, so that nothing is remembered either.
"""

import os

from reuse.finding import find
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed

prepare("s3", "stepfunctions")


@observed
def handler(event: Event) -> Answer:
    return find(event) if os.environ["REUSE"] == "true" else {}
