"""A run's jobs among all jobs of the account."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.jobs import jobs_of

RUN = "mpg-20260301-0925-3fa85f64"
BEGIN = datetime(2026, 3, 1, 9, 25, tzinfo=UTC)


class Account:
    """A list of processing jobs, newest first, in pages that are counted."""

    def __init__(self, *pages: dict[str, int]) -> None:
        self._pages = pages
        self.taken = 0

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request == {
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
            "PaginationConfig": {"PageSize": 100},
        }
        for page in self._pages:
            self.taken += 1
            yield {
                "ProcessingJobSummaries": [
                    {"ProcessingJobName": name, "CreationTime": BEGIN + timedelta(seconds=seconds)}
                    for name, seconds in page.items()
                ]
            }


def names(account: Account) -> list[str]:
    return [job["ProcessingJobName"] for job in jobs_of(RUN, "ProcessingJob", account)]


def test_they_are_found_among_newer_ones_of_others() -> None:
    account = Account(
        {"somebody-elses": 900, f"{RUN}-evaluate-0-0": 90, f"{RUN}0-evaluate-0-0": 80},
        {"another": 70, f"{RUN}-preprocess-0-0": 0},
    )
    assert names(account) == [f"{RUN}-evaluate-0-0", f"{RUN}-preprocess-0-0"]


def test_no_page_is_read_that_has_only_what_is_older_than_the_run() -> None:
    account = Account({f"{RUN}-preprocess-0-0": 5, "older": -1}, {"much-older": -1000})
    assert names(account) == [f"{RUN}-preprocess-0-0"]
    assert account.taken == 1
