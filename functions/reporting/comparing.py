"""Two runs side by side: what differs in their settings and data, and what came of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.evaluation import Metric
from model.report import with_unit
from reporting import settings
from reporting.facts import reason_in_words
from reporting.gathering import Run
from reporting.page import outcome
from reporting.templating import render
from reporting.timeline import timeline
from reporting.words import duration
from shared.text import number, readable_time, timestamp

Pair = tuple[Run, Run]


@dataclass(frozen=True)
class Row:
    """A value of both runs. `tone`: whether the second one is `better` or `worse`, where that is known."""

    name: str
    values: tuple[str, str]
    difference: str = ""
    tone: str = ""

    @property
    def different(self) -> bool:
        """Whether the two differ."""
        return self.values[0] != self.values[1]


def comparison_page(runs: Pair, moment: datetime) -> str:
    """The page about two runs as of this moment. Differences are the second minus the first."""
    untils = [run.stopped or moment for run in runs]
    groups = [
        ("Runs", [*_overview(runs), _numbers("Took", _taken(runs, moment), "s")]),
        ("Metrics", list(_metrics(runs))),
        ("Hyperparameters", list(_paired([list(run.report.hyperparameters.items()) for run in runs]))),
        ("Settings", list(_paired([settings.settings(run) for run in runs]))),
        ("Data", [*_rows(runs), *_paired([settings.digests(run)[:1] for run in runs])]),
        ("Time", list(_times(runs, untils))),
        ("Cost", list(_costs(runs))),
    ]
    return render(
        "comparison.html",
        runs=runs,
        workloads=[run.facts.get("workload") for run in runs],
        groups=groups,
        lines=[
            (run, timeline(run.history, run.search, until)) for run, until in zip(runs, untils, strict=True)
        ],
        made_at=readable_time(timestamp(moment)),
    )


def _overview(runs: Pair) -> Iterator[Row]:
    yield Row("Outcome", _each(outcome(run)[0] for run in runs))
    yield Row("Started", _each(readable_time(timestamp(run.started)) for run in runs))
    yield Row("Because", _each(reason_in_words(run.facts) for run in runs))
    yield Row("File", _each(run.report.key for run in runs))
    yield Row("Reused", _each(", ".join(run.report.reused) for run in runs))
    yield Row("Trials", _each(run.report.trials for run in runs))


def _taken(runs: Pair, moment: datetime) -> list[float | None]:
    return [((run.stopped or moment) - run.started).total_seconds() for run in runs]


def _metrics(runs: Pair) -> Iterator[Row]:
    ours, theirs = ({metric.name: metric for metric in run.report.evaluation.metrics} for run in runs)
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(name), theirs.get(name)
        label = (one or other or Metric(name, name, 0)).label
        values = _each(with_unit(metric) if metric else "" for metric in (one, other))
        if one is None or other is None:
            yield Row(label, values)
            continue
        change = other.value - one.value
        better = change > 0 if other.better == "higher" else change < 0
        yield Row(label, values, _signed(change), ("better" if better else "worse") if change else "")


def _paired(rows: Sequence[Sequence[tuple[str, str]]]) -> Iterator[Row]:
    """The values of the same names."""
    ours, theirs = (dict(found) for found in rows)
    for name in dict.fromkeys([*ours, *theirs]):
        yield Row(name, (ours.get(name, ""), theirs.get(name, "")))


def _rows(runs: Pair) -> Iterator[Row]:
    ours, theirs = (run.report.evaluation.rows for run in runs)
    for name in dict.fromkeys([*ours, *theirs]):
        yield _numbers(f"Rows: {name}", [ours.get(name), theirs.get(name)])


def _times(runs: Pair, untils: Sequence[datetime]) -> Iterator[Row]:
    """The states in which jobs work or people are waited for; all others take moments."""
    ours, theirs = (_seconds_by_state(run, until) for run, until in zip(runs, untils, strict=True))
    for state in dict.fromkeys([*ours, *theirs]):
        yield _numbers(state, [ours.get(state), theirs.get(state)], "s")


def _seconds_by_state(run: Run, until: datetime) -> dict[str, float]:
    found: dict[str, float] = {}
    for call in run.history.calls:
        if call.job or call.waits_for_a_person:
            seconds = ((call.end or until) - call.start).total_seconds()
            found[call.state] = found.get(call.state, 0.0) + seconds
    return found


def _costs(runs: Pair) -> Iterator[Row]:
    costs = [run.report.cost for run in runs]
    if not any(costs):
        return
    yield _numbers("Total", [cost.total if cost else None for cost in costs])
    steps = [cost.steps if cost else {} for cost in costs]
    for step in dict.fromkeys([*steps[0], *steps[1]]):
        yield _numbers(step.capitalize(), [found.get(step) for found in steps])


def _numbers(name: str, values: Sequence[float | None], unit: str = "") -> Row:
    shown = _each("" if value is None else duration(value) if unit else number(value) for value in values)
    one, other = values
    if one is None or other is None or one == other:
        return Row(name, shown)
    change = other - one
    sign = "+" if change > 0 else "-"
    return Row(name, shown, f"{sign}{duration(abs(change))}" if unit else _signed(change))


def _signed(change: float) -> str:
    return f"{'+' if change > 0 else '-'}{number(abs(change))}" if change else "equal"


def _each(values: Iterator[str]) -> tuple[str, str]:
    one, other = values
    return one, other
