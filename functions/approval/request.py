"""A request for approval, and the decision about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from model.report import Report
from shared.text import readable_time, timestamp

Verdict = Literal["approved", "rejected"]


@dataclass(frozen=True)
class Decision:
    """Who decided what, when, why. `via` is "review page", with address and browser, or "SageMaker"."""

    verdict: Verdict
    reviewer: str
    comment: str
    decided_at: str
    via: str
    address: str = ""
    browser: str = ""

    @property
    def in_words(self) -> str:
        """`approved by Ada on the review page at 2026-03-01 09:41 UTC`."""
        where = "on the review page" if self.via == "review page" else "in SageMaker"
        return f"{self.verdict} by {self.reviewer} {where} at {readable_time(self.decided_at)}"


@dataclass(frozen=True)
class Approval:
    """A request for approval. The page shows `facts` to the reviewer: see `asking.py`."""

    package_arn: str
    execution_arn: str
    run_id: str
    task_token: str = field(repr=False)
    link_hash: str = field(repr=False)
    requested_at: str
    decide_before: int
    facts: Mapping[str, Any] = field(repr=False)
    decision: Decision | None = None
    package_updated_at: str = ""
    resumed_at: str = ""
    too_late_at: str = ""
    reminded_at: str = ""
    overruled: Decision | None = None
    changed_to: Decision | None = None

    @property
    def report(self) -> Report:
        """The facts in the form that pages and mails show."""
        return Report.from_facts(self.facts)

    @property
    def standing(self) -> Decision | None:
        """The package's verdict when it was last read."""
        return self.changed_to or self.decision

    @property
    def deadline(self) -> str:
        """When the request expires, for people."""
        return readable_time(timestamp(datetime.fromtimestamp(self.decide_before, UTC)))

    def expired(self, moment: datetime) -> bool:
        """Whether the time to decide ended without a decision."""
        return self.decision is None and moment.timestamp() >= self.decide_before
