"""Following a release until the model is live, or not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.problems import Trouble
from local.cli.endpoint import STACK, Endpoint
from local.cli.history import Ended, Entered, History
from local.cli.live import Live, ReleaseRecord, read_live, read_release
from local.cli.screen import Screen
from shared.text import defang

POLL_SECONDS = 0.1
START_SECONDS = 60.0
# Longer than any local release; one that hangs must not hang the terminal for good.
RELEASE_SECONDS = 900.0
NOT_STARTED = ReleaseRecord(
    "not_started", "", "No release was started: see the dead-letter queue of its rule."
)


@dataclass(frozen=True)
class Release:
    """How a release ended; `live` is the workload's live model afterwards."""

    workload: str
    package_arn: str
    record: ReleaseRecord
    live: Live | None

    @property
    def succeeded(self) -> bool:
        """Whether the package's model is live now."""
        return self.record.status == "live" and self.live is not None

    def as_json(self) -> dict[str, Any]:
        """The object `endpoint` of `mpg run --json`."""
        live = self.live if self.succeeded else None
        tested: Mapping[str, float] = live.smoke_test if live and live.smoke_test else {}
        return {
            "name": live.endpoint_name if live else f"{STACK}-{self.workload.replace('_', '-')}",
            "version": self.package_arn,
            "status": self.record.status,
            "seconds": live.seconds if live else None,
            "smoke_test": {"rows": int(tested["rows"]), "largest_difference": tested["largest_difference"]}
            if tested
            else None,
        }


def follow(
    endpoint: Endpoint,
    screen: Screen,
    table: str,
    workload: str,
    package_arn: str,
    execution_arn: str | None = None,
) -> Release:
    """Follow the release of a package to its end, and show each step.

    Without the execution's ARN, it waits for the release that the approval starts. Raises Trouble.
    """
    with screen.live():
        screen.doing("Release")
        record = wait_for_release(endpoint, table, package_arn, execution_arn)
        if record.execution_arn:
            _follow_execution(endpoint, screen, record.execution_arn)
            record = read_release(endpoint, table, package_arn) or record
    return Release(workload, package_arn, record, read_live(endpoint, table, workload))


def wait_for_release(
    endpoint: Endpoint, table: str, package_arn: str, execution_arn: str | None = None
) -> ReleaseRecord:
    """The record of the package's release, by this execution if one is named; NOT_STARTED if none comes."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        record = read_release(endpoint, table, package_arn)
        if record and execution_arn in (None, record.execution_arn):
            return record
        time.sleep(POLL_SECONDS)
    return NOT_STARTED


def show(screen: Screen, release: Release) -> None:
    """The release's end, in a line."""
    record, live = release.record, release.live
    if release.succeeded and live:
        took = f" in {live.seconds:.1f} s" if live.seconds is not None else ""
        screen.line(
            f"Released: version {live.version} on endpoint {live.endpoint_name}{took}{_tested(live)}",
            style="bold green",
        )
        return
    screen.failure(f"The model was not released ({record.status}).")
    if record.reason:
        screen.line(defang(record.reason))
    if live:
        screen.line(f"Version {live.version} is still live on endpoint {live.endpoint_name}.")


def _tested(live: Live) -> str:
    if not live.smoke_test:
        return ""
    tested = live.smoke_test
    return f", smoke test of {tested['rows']:.0f} rows, largest difference {tested['largest_difference']:g}"


def _follow_execution(endpoint: Endpoint, screen: Screen, execution_arn: str) -> None:
    history = History(endpoint.client("stepfunctions"), execution_arn)
    deadline = time.monotonic() + RELEASE_SECONDS
    while time.monotonic() < deadline:
        updates = history.updates()
        for update in updates:
            if isinstance(update, Entered):
                screen.doing(update.state)
        if any(isinstance(update, Ended) for update in updates):
            return
        time.sleep(POLL_SECONDS)
    raise Trouble(f"The release did not end within {RELEASE_SECONDS:.0f} s", "See mpg's page.")
