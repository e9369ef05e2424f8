"""What the pages show of the emulator: executions, state machines, metrics, alarms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.embedded.seams.executions import json_object

# More than a small plot can show.
MOST_POINTS = 500


@dataclass(frozen=True)
class Machine:
    """A state machine, and how many of its executions have each status."""

    name: str
    definition: str
    statuses: Mapping[str, int]


@dataclass(frozen=True)
class Execution:
    """An execution. Times are in ISO 8601; the last five may be empty."""

    machine: str
    name: str
    status: str
    started_at: str
    stopped_at: str
    file: str
    outcome: str
    error: str
    cause: str


@dataclass(frozen=True)
class History:
    """Everything about one execution: the definition it runs, and its events so far."""

    execution: Execution
    definition: str
    events: list[dict[str, Any]]
    input: str
    output: str


@dataclass(frozen=True)
class Series:
    """A metric of `size` points; the newest are here: time (seconds since 1970), sum and number of values."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    points: list[tuple[float, float, float]]
    size: int


@dataclass(frozen=True)
class Alarm:
    """A metric alarm, its state and since when."""

    name: str
    state: str
    since: str
    reason: str
    description: str
    rule: str


def machines() -> list[Machine]:
    """Every state machine, by name."""
    from ministack.services import stepfunctions

    counts: dict[str, dict[str, int]] = {}
    for record in stepfunctions._executions.values():
        found = counts.setdefault(record["stateMachineArn"], {})
        found[record["status"]] = found.get(record["status"], 0) + 1
    known = stepfunctions._state_machines.items()
    listed = [Machine(each["name"], each["definition"], counts.get(arn, {})) for arn, each in known]
    return sorted(listed, key=lambda machine: machine.name)


def executions(machine: str = "") -> Iterator[Execution]:
    """Every execution, or those of one state machine, newest first."""
    from ministack.services import stepfunctions

    records = sorted(
        stepfunctions._executions.values(), key=lambda record: str(record["startDate"]), reverse=True
    )
    return (_execution(record) for record in records if machine in ("", _machine_of(record)))


def history(machine: str, name: str) -> History | None:
    """One execution; None if there is none of that name."""
    from ministack.services import stepfunctions

    for record in stepfunctions._executions.values():
        if record["name"] == name and _machine_of(record) == machine:
            definition = record.get("definition")
            if definition is None:
                definition = stepfunctions._state_machines[record["stateMachineArn"]]["definition"]
            texts = (str(record[field] or "") for field in ("input", "output"))
            return History(_execution(record), definition, list(record["events"]), *texts)
    return None


def metrics() -> list[Series]:
    """Every metric that has data."""
    from ministack.services import cloudwatch

    found = cloudwatch._metrics.items()
    return [_series(namespace, name, list(points)) for (namespace, name, _), points in found if points]


def _series(namespace: str, name: str, points: list[Any]) -> Series:
    from ministack.services import cloudwatch

    read = []
    for point in points[-MOST_POINTS:]:
        count, total, *_ = cloudwatch._point_stats(point)
        read.append((point["Timestamp"], total, count))
    return Series(namespace, name, points[0]["Dimensions"], points[0]["Unit"], sorted(read), len(points))


def alarms() -> list[Alarm]:
    """Every metric alarm, by name."""
    from ministack.services import cloudwatch

    return [_alarm(alarm) for _, alarm in sorted(cloudwatch._alarms.items())]


def _alarm(alarm: Mapping[str, Any]) -> Alarm:
    since = datetime.fromtimestamp(alarm["StateUpdatedTimestamp"], UTC).isoformat()
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    dimensions = ", ".join(f"{each['Name']}={each['Value']}" for each in alarm.get("Dimensions") or [])
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    rule = (
        f"{statistic} of {alarm['Namespace']} {alarm['MetricName']} ({dimensions or 'no dimensions'}) "
        f"{alarm['ComparisonOperator']} {alarm['Threshold']:g} in {needed} of {alarm['EvaluationPeriods']} "
        f"periods of {alarm['Period']} s; missing data: {alarm['TreatMissingData']}"
    )
    description = str(alarm.get("AlarmDescription") or "")
    return Alarm(alarm["AlarmName"], alarm["StateValue"], since, alarm["StateReason"], description, rule)


def _machine_of(record: Mapping[str, Any]) -> str:
    return str(record["stateMachineArn"]).rpartition(":")[2]


def _execution(record: Mapping[str, Any]) -> Execution:
    output = json_object(record["output"]) if record["status"] == "SUCCEEDED" else {}
    return Execution(
        machine=_machine_of(record),
        name=record["name"],
        status=record["status"],
        started_at=record["startDate"],
        stopped_at=record["stopDate"] or "",
        file=_uploaded_key(json_object(record["input"])),
        outcome=str(output.get("outcome") or ""),
        error=str(record.get("error") or ""),
        cause=str(record.get("cause") or ""),
    )


def _uploaded_key(event: Any) -> str:
    """The object's key in an event of S3; "" in any other input."""
    for name in ("detail", "object", "key"):
        event = event.get(name) if isinstance(event, dict) else None
    return event if isinstance(event, str) else ""
