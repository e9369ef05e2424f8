"""Finds a run's jobs among all jobs of the account."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# SageMaker's lists have ten in a page unless they are asked for more, and no more than these.
LARGEST_PAGES = {"PageSize": 100}


def jobs_of(run_id: str, stem: str, pages: Any) -> Iterator[Mapping[str, Any]]:
    """The summaries of a run's jobs of one kind, newest first.

    `stem` is the kind as SageMaker's answers call it, such as `ProcessingJob`, and `pages` the paginator of
    its list. SageMaker takes a page first and filters it afterwards
    (https://github.com/boto/boto3/issues/2521): asked for a name, an account with many jobs would answer with
    page after page of nothing. The newest jobs of all names are few, back to the run's start.
    """
    started = _started(run_id)
    newest_first = pages.paginate(
        SortBy="CreationTime", SortOrder="Descending", PaginationConfig=LARGEST_PAGES
    )
    for page in newest_first:
        for summary in page[f"{stem}Summaries"]:
            if summary["CreationTime"] < started:
                return
            if summary[f"{stem}Name"].startswith(f"{run_id}-"):
                yield summary


def _started(run_id: str) -> datetime:
    """The minute in which the run began: `<prefix>-<date>-<hour and minute>-<digits>`."""
    _, day, minute, _ = run_id.rsplit("-", 3)
    return datetime.strptime(day + minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
