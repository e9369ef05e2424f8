"""Monitoring on the deployed pipeline: a unit that changed is found, mailed once and shown in the report."""

import csv
import io
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import eventually
from tests.e2e.catalogue import Catalogue
from tests.e2e.up import SAMPLE, Up


def in_kilograms() -> bytes:
    """The sample, with weights in another unit."""
    rows = list(csv.DictReader(io.StringIO(SAMPLE.read_text())))
    changed = io.StringIO()
    writer = csv.DictWriter(changed, rows[0].keys())
    writer.writeheader()
    writer.writerows({**row, "weight": f"{float(row['weight']) * 0.4536:.0f}"} for row in rows)
    return changed.getvalue().encode()


def look(up: Up) -> dict[str, Any]:
    """What `mpg monitor` says about the cars."""
    done = up.place.call("monitor", "auto_mpg", "--json")
    assert done.returncode == 0, done.stdout
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    [found] = answer["workloads"]
    return dict(found)


def test_a_unit_that_changed_is_found_mailed_once_and_shown(catalogue: Catalogue) -> None:
    up = catalogue.up
    # Whatever other tests left to look at.
    look(up)
    bucket = up.outputs["BucketName"]
    up.client("s3").put_object(Bucket=bucket, Key="incoming/kilograms.csv", Body=in_kilograms())
    asked = up.mail("ApprovalTopic", "incoming/kilograms.csv")
    assert asked
    # A window ends before the second in which the look begins.
    stored = datetime.now(UTC).replace(microsecond=0)
    eventually(lambda: datetime.now(UTC) >= stored + timedelta(seconds=1))
    found = look(up)
    assert (found["outcome"], found["drifted"]) == ("found", True)
    mail = up.mail("NotificationTopic", "weight")
    assert mail.subject.startswith("Drift: ")
    link = next(line for line in mail.text.splitlines() if line.startswith("http://"))
    page = eventually(lambda: urllib.request.urlopen(link, timeout=60).read().decode())
    assert "weight" in page
    assert "drifted" in page
    assert look(up)["outcome"] == "nothing_new"
    assert len(up.mails("NotificationTopic", "weight")) == 1
