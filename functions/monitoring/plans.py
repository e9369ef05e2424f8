"""What the function that plans says about a workload, and where the bucket has what comes of it."""

from dataclasses import dataclass

MONITOR, NOTHING_NEW, NO_MODEL, NOT_WATCHED = "monitor", "nothing_new", "no_model", "not_watched"


@dataclass(frozen=True)
class Plan:
    """What becomes of a workload in this execution. `todo` is one of the words above; `notes` are for people.

    The window begins at `since` and ends before `until`. The rest is there if there is something to look at,
    `earlier_uri` only
    if labels came.
    """

    workload: str
    todo: str
    title: str = ""
    notes: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    model_package_arn: str = ""
    model_uri: str = ""
    model_digest: str = ""
    seen_uri: str = ""
    earlier_uri: str = ""


def folder_of(workload: str, monitoring_id: str) -> str:
    """Where the bucket has everything about one look at a workload."""
    return f"monitoring/{workload}/{monitoring_id}/"
