"""What is checked before and after a release, and its report."""

import json

import pytest

from tests.conftest import ROOT
from tests.integration.events.stage import Stage


def evaluated(stage: Stage, event: str) -> dict[str, str]:
    """Keep the run's model; returns the change that makes an event name its evaluation."""
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    return {given["evaluation_digest"]: stage.keep(given["run_id"], champion=False)}


def test_a_model_that_is_the_approved_one_may_be_released(stage: Stage) -> None:
    changes = evaluated(stage, "check_release-approved")
    answer = stage.invoke("check_release-approved", changes)
    assert (answer["has_smoke_test"], len(answer["warnings"])) == (False, 1)
    assert stage.invoke("check_release-approved")["errorType"] == "ArtifactRefused"


def test_without_rows_an_endpoint_passes_no_smoke_test(stage: Stage) -> None:
    changes = evaluated(stage, "smoke_test-released")
    assert stage.invoke("smoke_test-released", changes)["errorType"] == "SmokeTestFailed"


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("report_release-live", "Version 7 is live: auto_mpg"),
        ("report_release-superseded", "Version 7 was not released: auto_mpg"),
        ("report_release-failed", "Version 7 was not released: auto_mpg"),
        ("report_release-stopped", "Version 7 was not released: auto_mpg"),
    ],
)
def test_the_end_of_a_release_is_reported_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    (arn,) = execution.values()
    stage.release(arn, live=event.endswith("live"))
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    assert [mail["subject"] for mail in stage.mails()[before:]] == [subject]
