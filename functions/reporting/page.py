"""The page about a run. It works without scripts, as a file, and on paper."""

from collections.abc import Sequence
from datetime import datetime

from approval.request import Decision
from common import lenient
from common.evaluation import Bars
from model.report import Report
from reporting import settings
from reporting.facts import reason_in_words
from reporting.gathering import Run
from reporting.searches import Search
from reporting.templating import render
from reporting.timeline import timeline
from reporting.trial_plots import course, parallel
from reporting.words import duration, size
from runs.ending_mails import console_of
from shared.text import number, readable_time, timestamp
from web.pages import cost_parts, model_parts, tuning_rows
from web.plots import BarChart, bar_chart

_PARTS = ("train", "validation", "test", "batch")
# How a run ended, and the tone of that.
_OUTCOMES = {
    "approved": ("Approved", "good"),
    "rejected": ("Rejected", "bad"),
    "expired": ("Expired: nobody decided in time", "warn"),
    "already_processed": ("Repeated: another run had this upload", "warn"),
    "UploadRefused": ("Refused: the file cannot be used", "bad"),
    "ModelQualityTooLow": ("Not good enough: no model was registered", "bad"),
    "TooManyRuns": ("Not started: too many runs that day", "warn"),
    "TIMED_OUT": ("Timed out", "bad"),
    "ABORTED": ("Stopped", "warn"),
}


def report_page(run: Run, moment: datetime, advice: Sequence[str] = ()) -> str:
    """The page as of this moment. `advice` says which instances would have done."""
    return render("report.html", advice=advice, **_parts(run, moment))


def outcome(run: Run) -> tuple[str, str]:
    """How the run stands, in words, and the tone of that."""
    if run.waits:
        return "Waits for a decision", "warn"
    if run.stopped is None:
        return f"Under way: {run.state or 'it has just begun'}", ""
    if run.ending.status == "SUCCEEDED":
        return _OUTCOMES.get(run.ending.outcome, (f"Ended: {run.ending.outcome}", ""))
    return _OUTCOMES.get(run.ending.outcome, (f"Failed in the state {run.state}", "bad"))


def _parts(run: Run, moment: datetime) -> dict[str, object]:
    words, tone = outcome(run)
    until = run.stopped or moment
    report = run.report
    return {
        "run": run,
        "report": report,
        "evaluation": report.evaluation,
        "outcome": words,
        "tone": tone,
        "took": duration((until - run.started).total_seconds()),
        "started": _time(run.started),
        "made_at": _time(moment),
        "reason": reason_in_words(run.facts),
        "timeline": timeline(run.history, run.search, until),
        "search": run.search,
        "reused_search": report.reused.get("tune", ""),
        "course": course(run.search) if run.search else None,
        "parallel": parallel(run.search) if run.search else None,
        "failed_trials": _failed(run.search),
        "data": _data(run),
        "rows_chart": _rows_chart(report),
        "decisions": _decisions(run),
        "settings": settings.settings(run),
        "reused": report.reuse(),
        "digests": settings.digests(run),
        "objects": settings.objects(run),
        "console": console_of(run.execution_arn),
        **model_parts(report, run.details, tuning_rows(report)),
        **cost_parts(report),
    }


def _failed(search: Search | None) -> list[tuple[str, str]]:
    failed = [trial for trial in search.trials if trial.status == "Failed"] if search else []
    return [(trial.name, trial.reason) for trial in failed]


def _data(run: Run) -> list[tuple[str, str]]:
    found = lenient.number(run.facts.get("bytes"))
    rows = run.report.evaluation.rows
    counted = {name: rows[name] for name in ("uploaded", "labelled", "unlabelled") if name in rows}
    checked = lenient.number(lenient.mapping(run.facts.get("checked")).get("rows"))
    if not counted and checked is not None:
        counted = {"uploaded": int(checked)}
    lines = [
        ("File", run.report.key),
        ("Size", size(found) if found is not None else ""),
        ("Uploaded", run.report.uploaded_at),
        ("Uploaded by", run.report.uploaded_by),
        ("Workload", run.report.evaluation.title or lenient.text(run.facts.get("workload"))),
        ("Rows", ", ".join(f"{number(count)} {name}" for name, count in counted.items())),
    ]
    return [(name, value) for name, value in lines if value]


def _rows_chart(report: Report) -> BarChart | None:
    rows = report.evaluation.rows
    known = [(part, float(rows[part])) for part in _PARTS if part in rows]
    return bar_chart(Bars("", "", known)) if known else None


def _decisions(run: Run) -> list[tuple[str, Decision]]:
    """What was decided, with what each decision was: the one that counts first."""
    found = run.approval
    if found is None:
        return []
    named = [
        ("Changed later", found.changed_to),
        ("Decided", found.decision),
        ("Overruled by the model package", found.overruled),
    ]
    return [(name, decision) for name, decision in named if decision]


def _time(moment: datetime) -> str:
    return readable_time(timestamp(moment))
