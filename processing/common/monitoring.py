"""The processing job that looks at what the live model was asked since the last time, for any workload.

It compares a sample of the rows and of the model's answers with the model's baseline, and measures the
model's error on rows whose labels came later. docs/monitoring.md explains it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import job
from common.baseline import Baseline
from common.captures import Window, read_time
from common.columns import row_count
from common.digests import file_digest
from common.drift import Drift, QualityChange
from common.drift_tests import compare, violations
from common.live_model import BadModel, LiveModel, live_model
from common.looking import LABELLED, Files, Look, look
from common.monitored import Monitored
from common.quality import quality_change
from common.watching import NOT_WATCHED, USUAL, Sensitivity, add_sensitivity
from common.wheels import importable
from common.workload import Workload

FINDINGS, STATISTICS = "monitoring.json", "statistics.json"
VIOLATIONS = "constraint_violations.json"


class NotWatched(Exception):
    """The workload does not say what to watch."""


def monitor(
    workload: Workload,
    archive: Path,
    digest: str,
    arn: str,
    files: Files,
    window: Window,
    output: Path,
    sensitivity: Sensitivity = USUAL,
) -> str:
    """Write the findings, and return the digest of FINDINGS. Raises BadModel and NotWatched."""
    if not workload.is_watched:
        raise NotWatched(NOT_WATCHED)
    with live_model(archive, digest, workload) as model:
        found = look(workload, model, files, window)
    drift = _drift(model, found, arn, sensitivity)
    quality, problem = _quality(model, found, sensitivity)
    findings = Monitored(
        workload=workload.name,
        model_package_arn=arn,
        since=f"{window.since:%Y-%m-%dT%H:%M:%SZ}",
        until=f"{window.until:%Y-%m-%dT%H:%M:%SZ}",
        rows=found.counts,
        drift=drift,
        quality=quality,
        problems=(*problem, *found.problems),
    )
    print(json.dumps({**findings.to_json(), "drift": drift.without_histograms().to_json()}))
    output.mkdir(parents=True, exist_ok=True)
    _write(output / STATISTICS, Baseline.of(found.sample).statistics())
    _write(output / VIOLATIONS, _violations(model, found, drift))
    return _write(output / FINDINGS, findings.to_json())


def _drift(model: LiveModel, found: Look, arn: str, sensitivity: Sensitivity) -> Drift:
    if model.baseline is None:
        rows = row_count(found.sample)
        return Drift(arn, 0, rows, sensitivity.significance, problem=model.problem)
    return compare(model.baseline.data, found.sample, arn, sensitivity.significance, sensitivity.distance)


def _violations(model: LiveModel, found: Look, drift: Drift) -> Mapping[str, Any]:
    if model.baseline is None or not row_count(found.sample):
        return {"violations": []}
    return violations(model.baseline.data, model.baseline.constraints, found.sample, drift)


def _quality(
    model: LiveModel, found: Look, sensitivity: Sensitivity
) -> tuple[QualityChange | None, Sequence[str]]:
    """The error in the wild; without it, a sentence if there were any late labels."""
    rows = found.counts[LABELLED]
    if not rows:
        return None, ()
    then = model.baseline.quality if model.baseline else None
    if then is None:
        return None, ("The model's error at its approval is not known, so its error now is not judged.",)
    change = quality_change(then, found.errors)
    few = f"{rows:,} row{'s' * (rows > 1)} with late labels are too few to judge the model's error."
    return change, () if change else (few,)


def _write(path: Path, content: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return file_digest(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="monitor", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model.tar.gz of the live model")
    parser.add_argument("--model-digest", required=True, help="digest of that file, as the package says")
    parser.add_argument("--model-arn", required=True, help="ARN of its package")
    parser.add_argument(
        "--seen",
        type=Path,
        required=True,
        help="folder with predictions, captured requests and accepted uploads of the window, by their keys",
    )
    parser.add_argument(
        "--earlier", type=Path, help="the same from before the window, for labels that came in the window"
    )
    parser.add_argument("--since", type=read_time, required=True, help="begin of the window, ISO 8601")
    parser.add_argument("--until", type=read_time, required=True, help="its end")
    parser.add_argument("--output", type=Path, required=True, help="folder for what was found")
    parser.add_argument("--exit-message", type=Path, required=True, help="file for a digest or a failure")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that the image lacks")
    add_sensitivity(parser)
    return parser


def main(workload: Workload, arguments: Sequence[str]) -> int:
    """Run the job; returns its exit code."""
    args = _parser().parse_args(arguments)

    def work(_: object) -> str:
        return monitor(
            workload,
            args.model,
            args.model_digest,
            args.model_arn,
            Files(args.seen, args.earlier),
            Window(args.since, args.until),
            args.output,
            Sensitivity.of(args),
        )

    with importable(args.wheels):
        return job.run(work, args.exit_message, (BadModel, NotWatched))
