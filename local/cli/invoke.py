"""Rows to a live model, answers back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deploy.problems import Trouble
from local.cli.endpoint import Endpoint
from local.cli.live import Live

# A serverless endpoint takes 4 MB, and answers within a minute.
LARGEST_BODY = 3_500_000
MOST_ROWS = 1000


def predict(endpoint: Endpoint, live: Live, model: Mapping[str, Any], rows: Iterable[str]) -> Iterator[str]:
    """The live model's answer to each row, in as few requests as its limits allow.

    `model` is that part of the workload's settings. Raises Trouble.
    """
    sent = 0
    for batch in batches(rows):
        answers = _ask(endpoint, live, model, batch, sent)
        if len(answers) != len(batch):
            raise Trouble(f"The endpoint answered {len(answers)} lines to {len(batch)} rows")
        sent += len(batch)
        yield from answers


def batches(rows: Iterable[str]) -> Iterator[list[str]]:
    """The rows in groups of at most MOST_ROWS and LARGEST_BODY bytes."""
    batch: list[str] = []
    size = 0
    for row in rows:
        length = len(row.encode()) + 1
        if batch and (len(batch) == MOST_ROWS or size + length > LARGEST_BODY):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def _ask(
    endpoint: Endpoint, live: Live, model: Mapping[str, Any], batch: Sequence[str], before: int
) -> list[str]:
    from botocore.exceptions import ClientError

    body = "".join(f"{row}\n" for row in batch)
    ask = _ask_function if live.endpoint_type == "function" else _ask_endpoint
    try:
        return ask(endpoint, live.endpoint_name, model, body).splitlines()
    except (ClientError, _Refused) as error:
        response = getattr(error, "response", {})
        said = response.get("OriginalMessage") or response.get("Error", {}).get("Message") or str(error)
        rows = f"row {before + 1}" if len(batch) == 1 else f"rows {before + 1} to {before + len(batch)}"
        raise Trouble(f"The endpoint {live.endpoint_name} refused {rows}: {said}") from error


class _Refused(Exception):
    """The function's own answer to rows that it cannot use."""


def _ask_endpoint(endpoint: Endpoint, name: str, model: Mapping[str, Any], body: str) -> str:
    answer = endpoint.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType=model["content_type"], Accept=model["accept"], Body=body.encode()
    )
    return str(answer["Body"].read().decode("utf-8", "replace"))


def _ask_function(endpoint: Endpoint, name: str, model: Mapping[str, Any], body: str) -> str:
    request = {"content_type": model["content_type"], "accept": model["accept"], "body": body}
    given = endpoint.client("lambda").invoke(FunctionName=name, Payload=json.dumps(request))
    answer = json.load(given["Payload"])
    if "FunctionError" in given:
        raise _Refused("the model failed; the function's log says why")
    if answer["status"] != 200:
        raise _Refused(answer["error"])
    return str(answer["body"])
