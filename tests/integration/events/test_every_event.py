"""Every event is sent by a test, to the function after which it is named."""

import re
from pathlib import Path

from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
FUNCTIONS = (
    "check_upload", "find_result", "keep_model", "remember_results", "request_approval", "review", "resume_pipeline", "notify", "stop_jobs", "sweep",
    "check_release", "smoke_test", "report_release", "retrain",
    "plan_monitoring", "report_monitoring", "notify_monitoring",
    "list_models", "download_model", "catalogue", "issue_catalogue_link",
)  # fmt: skip


def test_there_is_a_test_for_every_event_and_an_event_for_every_function() -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    tested = set(re.findall(rf'"((?:{"|".join(FUNCTIONS)})-[\w-]+)"', sources))
    assert tested == {path.stem for path in EVENTS}
    assert {path.stem.partition("-")[0] for path in EVENTS} == set(FUNCTIONS)
