"""The pages behind the mailed link. They work without scripts."""

import math
from typing import Literal

from approval.request import Approval, Decision
from common.evaluation import Bars, Figure, Matrix, Pictures, Scatter
from costs.words import by_step, notes, usd
from model.change import endpoint_change
from model.details import Details, read_details
from model.predictions import picture
from model.report import Report, Rows, with_unit
from shared.text import number, readable_time
from web.drift import DriftView, drift_view
from web.form import COMMENT_LIMIT, REVIEWER_LIMIT, Entry
from web.plots import BarChart, bar_chart, comparison, matrix_rows, scatter_plot
from web.templating import render

Tone = Literal["good", "bad", "warn"]
_PICTURES_SHOWN = 48


def message_page(title: str, text: str, tone: Tone = "warn") -> str:
    """A page with a single message."""
    return render("message.html", title=title, text=text, tone=tone)


def open_page(approval: Approval, entry: Entry) -> str:
    """The page on which to decide."""
    limits = {"reviewer_limit": REVIEWER_LIMIT, "comment_limit": COMMENT_LIMIT}
    endpoint = endpoint_change(approval.report.evaluation)
    return render("open.html", entry=entry, endpoint=endpoint, **limits, **_model(approval))


def expired_page(approval: Approval) -> str:
    """The page of an expired request."""
    return render("expired.html", **_model(approval))


def decided_page(approval: Approval, decision: Decision) -> str:
    """The page that shows who decided, when and why, also to a second reviewer."""
    others = [approval.overruled, approval.decision]
    return render(
        "decided.html",
        decision=decision,
        # A decision that the model package overruled.
        overtaken=[other for other in others if other and other.verdict != decision.verdict],
        unfinished=approval.decision is not None and not approval.package_updated_at,
        **_model(approval),
    )


def _model(approval: Approval) -> dict[str, object]:
    """The model's part of a page, and the request about it."""
    report = approval.report
    parts = model_parts(report, read_details(report), _origin(approval, report))
    return {"approval": approval, **parts, **cost_parts(report)}


def model_parts(report: Report, details: Details, origin: Rows) -> dict[str, object]:
    """What `model.html` shows."""
    return {
        "report": report,
        "evaluation": report.evaluation,
        "metrics": [(metric.label, *_value_and_unit(with_unit(metric))) for metric in report.other_metrics],
        "comparison": _comparison(report),
        "drift": _drift(report, details),
        "origin": origin,
        "plots": [drawn for figure in details.figures if (drawn := _draw(figure))],
        "predictions": details.predictions,
    }


def cost_parts(report: Report) -> dict[str, object]:
    """What `cost.html` shows."""
    if report.cost is None:
        return {}
    cost = report.cost
    return {"cost_total": usd(cost.total), "cost_by_step": by_step(cost), "cost_notes": " ".join(notes(cost))}


def _value_and_unit(shown: str) -> tuple[str, str]:
    value, _, unit = shown.partition(" ")
    return value, unit


def _comparison(report: Report) -> BarChart | None:
    """The gate's metric of the model, the champion and the baseline."""
    found, metric = report.evaluation, report.evaluation.gate_metric
    if metric is None:
        return None
    rows = [("this model", metric.value)]
    rows += [("approved model", found.champion.value)] if found.champion else []
    rows += [(found.baseline.label, found.baseline.value)] if found.baseline else []
    limit = found.gate.limit
    return comparison(rows, limit if math.isfinite(limit) else None)


def _drift(report: Report, details: Details) -> DriftView:
    champion = report.evaluation.champion
    if champion is None:
        return drift_view(details.drift, None)
    return drift_view(details.drift, champion.change, champion.model_package_arn)


def _draw(figure: Figure) -> dict[str, object]:
    """The figure and the positions of its marks; empty if it has none."""
    drawn: dict[str, object]
    match figure:
        case Scatter():
            drawn = {"plot": scatter_plot(figure)} if figure.points else {}
        case Bars():
            drawn = {"chart": bar_chart(figure)} if figure.rows else {}
        case Matrix():
            drawn = {"rows": matrix_rows(figure)} if figure.labels else {}
        case Pictures():
            drawn = {"pictures": [shown for shown in figure.pictures if picture(shown.png)][:_PICTURES_SHOWN]}
    return {"figure": figure, **drawn} if any(drawn.values()) else {}


def _origin(approval: Approval, report: Report) -> Rows:
    rows = [
        *report.origin(),
        *tuning_rows(report),
        ("Asked", readable_time(approval.requested_at)),
        ("Run", approval.run_id),
        ("Model package", approval.package_arn),
    ]
    return [(name, value) for name, value in rows if value]


def tuning_rows(report: Report) -> Rows:
    """How the model was tuned, as names and values."""
    tuned = ", ".join(f"{name} = {_shortened(value)}" for name, value in report.hyperparameters.items())
    rows = [
        ("Tuning", f"best of {report.trials} trials" if report.trials else ""),
        ("Hyperparameters", tuned),
    ]
    return [(name, value) for name, value in rows if value]


def _shortened(value: str) -> str:
    """A rounded number; any other text unchanged."""
    try:
        return number(float(value))
    except ValueError:
        return value
