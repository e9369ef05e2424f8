"""FilterLogEvents as in CloudWatch Logs: by prefix, by a case-sensitive pattern, page by page.

By https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html and
.../logs/FilterAndPatternSyntaxForMetricFilters.html. The emulator ignores the prefix and the case.
"""

import json
import re
from collections.abc import Callable
from typing import Any

MOST_EVENTS = 10_000
# `?` makes a term optional, `-` excludes it; a term with characters other than letters, digits, _ is quoted.
_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)+)"|(\w+))(?:\s+|$)')


def install_log_filters() -> None:
    """Replace the emulator's FilterLogEvents."""
    from ministack.services import cloudwatch_logs as logs

    logs._compile_filter_pattern = matcher
    logs._filter_log_events = _filtering(logs, logs._filter_log_events)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a message matches a pattern of plain terms. Raises ValueError for any other pattern."""
    terms = _terms(pattern.strip())
    needed = [term for sign, term in terms if not sign]
    excluded = [term for sign, term in terms if sign == "-"]
    # Optional terms count only if there are no others.
    optional = [] if needed or excluded else [term for _, term in terms]

    def matches(message: str) -> bool:
        return (
            all(term in message for term in needed)
            and not any(term in message for term in excluded)
            and (not optional or any(term in message for term in optional))
        )

    return matches


def _terms(pattern: str) -> list[tuple[str, str]]:
    if pattern in ("", '""', '" "'):
        return []
    if pattern[0] in "{[%":
        raise ValueError(f"The embedded AWS matches only plain terms, not the pattern {pattern}")
    terms, at = [], 0
    while at < len(pattern):
        found = _TERM.match(pattern, at)
        if found is None:
            raise ValueError("Invalid filter pattern")
        sign, quoted, plain = found.groups()
        terms.append((sign, plain or re.sub(r"\\(.)", r"\1", quoted)))
        at = found.end()
    return terms


def _filtering(logs: Any, original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def filter_log_events(data: dict[str, Any]) -> Any:
        if "logStreamNames" in data and "logStreamNamePrefix" in data:
            return _refusal("logStreamNames and logStreamNamePrefix are mutually exclusive")
        try:
            start = _start(data.get("nextToken", "0"))
            answer = original({**data, "limit": MOST_EVENTS, **_names(logs, data)})
        except ValueError as error:
            return _refusal(str(error))
        return _page(answer, start, data.get("limit", MOST_EVENTS))

    def _refusal(message: str) -> Any:
        return logs.error_response_json("InvalidParameterException", message, 400)

    return filter_log_events


def _start(token: str) -> int:
    if not token.isdigit():
        raise ValueError("The specified nextToken is invalid.")
    return int(token)


def _names(logs: Any, data: dict[str, Any]) -> dict[str, list[str]]:
    """The streams of a prefix; if there are none, one without a name, because an empty list means all."""
    if (prefix := data.get("logStreamNamePrefix")) is None:
        return {}
    streams = logs._log_groups.get(logs._resolve_log_group_name(data), {}).get("streams", {})
    return {"logStreamNames": [name for name in streams if name.startswith(prefix)] or [""]}


def _page(answer: tuple[int, dict[str, str], bytes], start: int, limit: int) -> Any:
    status, headers, body = answer
    if status != 200:
        return answer
    found = json.loads(body)
    events = found["events"]
    found["events"] = events[start : start + limit]
    if start + limit < len(events):
        found["nextToken"] = str(start + limit)
    return status, headers, json.dumps(found).encode()
