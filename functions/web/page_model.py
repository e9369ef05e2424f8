"""What the review page shows of a model: its figures, what they are worth, plots, where it comes from."""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element  # builds only

from approval.mails import champion_problem, metric, model_facts
from approval.records import Approval
from model.details import Details
from shared.text import number, one_line, readable_time
from web.markup import element
from web.plots import bars, predicted_against_actual, residuals

_CAR_COLUMNS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin")
# What a line of the batch output ends with comes first: a narrow screen shows no more.
_BATCH_HEADINGS = ("car", "predicted mpg", *_CAR_COLUMNS)


def model_sections(approval: Approval, details: Details) -> list[Element]:
    """All there is to show, best first: what decides before what explains."""
    facts = approval.facts
    return [_figures(facts), _comparison(facts), *_plots(details), _about(approval), *_predictions(details)]


def _figures(facts: Mapping[str, Any]) -> Element:
    mse, threshold = metric(facts, "mse"), facts.get("threshold")
    good = isinstance(mse, int | float) and isinstance(threshold, int | float) and mse <= threshold
    words = f"{'within' if good else 'over'} the threshold {number(threshold)}"
    return element(
        "dl",
        _figure("Mean squared error", mse, words, "good" if good else "bad"),
        _figure("Root of it (RMSE)", metric(facts, "rmse"), "miles per gallon"),
        _figure("Standard deviation", metric(facts, "mse", "standard_deviation"), "of the errors, in mpg"),
        _figure("R squared", metric(facts, "r2"), "1 would be perfect"),
        class_="figures",
    )


def _figure(name: str, value: object, words: str, tone: str = "") -> Element:
    figure = element("dd", number(value), element("small", words))
    return element("div", element("dt", name), figure, class_=tone or None)


def _comparison(facts: Mapping[str, Any]) -> Element:
    evaluation = facts.get("evaluation") or {}
    rows = [
        ("this model", metric(facts, "mse")),
        ("approved model", (evaluation.get("champion") or {}).get("mse")),
        ("predicting the mean", (evaluation.get("baseline") or {}).get("mse")),
    ]
    known = [(name, float(value)) for name, value in rows if isinstance(value, int | float)]
    threshold = facts.get("threshold")
    limit = float(threshold) if isinstance(threshold, int | float) else 0.0
    missing = champion_problem(facts) or "No model of this group is approved yet."
    champion = "" if len(known) == len(rows) else f" {missing}"
    return element(
        "section",
        element("h2", "What that is worth"),
        element(
            "p", f"Mean squared errors on the same test rows; shorter is better.{champion}", class_="soft"
        ),
        bars(known, limit),
    )


def _plots(details: Details) -> list[Element]:
    if not details.points:
        return []
    plots = [
        _with_caption(predicted_against_actual(details.points), "On the dashed line a prediction is right."),
        _with_caption(residuals(details.points), "Errors should scatter evenly around zero."),
    ]
    return [element("h2", f"The {len(details.points)} test cars"), element("div", plots, class_="plots")]


def _with_caption(picture: Element, caption: str) -> Element:
    return element("figure", picture, element("figcaption", caption))


def _about(approval: Approval) -> Element:
    tuned = approval.facts.get("best_hyperparameters") or {}
    origin = [
        row for row in model_facts(approval.facts) if row[0] in ("File", "Uploaded", "Uploaded by", "Rows")
    ]
    rows = [
        *origin,
        ("Tuning", f"best of {number(approval.facts.get('trials'))} trials"),
        (
            "Hyperparameters",
            ", ".join(f"{name} = {_shortened(one_line(str(tuned[name]), 40))}" for name in sorted(tuned)),
        ),
        ("Asked", readable_time(approval.requested_at)),
        ("Run", approval.run_id),
        ("Model package", approval.package_arn),
    ]
    pairs = [(element("dt", name), element("dd", value)) for name, value in rows if value]
    return element("section", element("h2", "Where it comes from"), element("dl", *pairs, class_="facts"))


def _predictions(details: Details) -> list[Element]:
    rows = [_batch_row(line) for line in details.predictions if len(line) == len(_BATCH_HEADINGS)]
    if not rows:
        return []
    head = element("thead", element("tr", [element("th", name, scope="col") for name in _BATCH_HEADINGS]))
    table = element("table", head, element("tbody", rows))
    # Focusable, so that it can be scrolled by keyboard.
    label = "First batch predictions"
    return [
        element("h2", label),
        element("div", table, class_="scroll", tabindex=0, role="region", aria_label=label),
    ]


def _shortened(value: str) -> str:
    """A number with as many digits as a person compares; any other text as it is."""
    try:
        return number(float(value))
    except ValueError:
        return value


def _batch_row(line: tuple[str, ...]) -> Element:
    *car, name, predicted = line
    cells = (name or "(no name)", _shortened(predicted), *car)
    return element("tr", [element("td", cell) for cell in cells])
