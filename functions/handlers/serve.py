"""Answer with the approved model that a release gave to this version of the function."""

import os
from functools import cache

from serving.answering import answer
from serving.model import ServedModel, load
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed

prepare("s3")


@cache
def model() -> ServedModel:
    """The model, read once for the life of the execution environment."""
    variables = (os.environ.get(name, "") for name in ("MODEL_KEY", "MODEL_DIGEST", "WORKLOAD"))
    return load(os.environ["BUCKET_NAME"], *variables)


# While the execution environment starts, a Lambda has a whole CPU.
if os.environ.get("MODEL_KEY"):
    model()


@observed
def handler(event: Event) -> Answer:
    return answer(model(), event)
