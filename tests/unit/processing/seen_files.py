"""Writes files as batch transforms and data capture leave them in the bucket. Standard library only."""

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CAPTURED = "captured/{workload}/mpg-pipeline-endpoint/live/2026/03/02/10/15-00-000-0.jsonl"


def write_predictions(root: Path, run: str, lines: Iterable[str], name: str = "batch.csv.out") -> Path:
    """Joined lines of a batch transform."""
    path = root / "runs" / run / "predictions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def side(mode: str, data: str, content_type: str = "text/csv", encoding: str = "CSV") -> dict[str, str]:
    """A request or an answer as data capture writes it."""
    text = base64.b64encode(data.encode()).decode() if encoding == "BASE64" else data
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def event(request: str, answer: str = "", time: str = "2026-03-02T10:15:00Z", **kinds: str) -> dict[str, Any]:
    """A captured call."""
    captured: dict[str, Any] = {"endpointInput": side("INPUT", request, **kinds)}
    if answer:
        captured["endpointOutput"] = side("OUTPUT", answer, **kinds)
    return {
        "captureData": captured,
        "eventMetadata": {"eventId": "6e3f", "inferenceTime": time},
        "eventVersion": "0",
    }


def write_captures(root: Path, workload: str, events: Iterable[Mapping[str, Any] | str]) -> Path:
    """A file of captured calls; a text is a line as it is."""
    path = root / CAPTURED.format(workload=workload)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (each if isinstance(each, str) else json.dumps(each) for each in events)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
