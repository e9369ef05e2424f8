"""The parts of the report that `mpg run` shows after the states."""

from collections.abc import Sequence

from common.evaluation import Evaluation, Metric
from costs.words import cost_row
from local.cli.endpoint import Mail
from local.cli.outcome import Result
from local.cli.screen import Screen, short
from shared.text import defang


def show_model(screen: Screen, result: Result, tuned: Sequence[str]) -> None:
    """The figures of the evaluation, beside what they must beat, and the hyperparameters that were tuned."""
    evaluation = result.evaluation
    if evaluation is None:
        return
    screen.heading("The model, on rows it never saw")
    found = result.best_hyperparameters
    best = ", ".join(f"{name} {short(found[name])}" for name in tuned if name in found)
    screen.facts(
        [
            *((metric.label, _figure(metric, evaluation)) for metric in evaluation.metrics),
            ("Trials", f"{result.trials}, the best with {best}"),
            *_reused(result),
            *cost_row(result.cost),
            *(("Note", defang(warning)) for warning in evaluation.warnings),
        ]
    )


def _reused(result: Result) -> list[tuple[str, str]]:
    """The runs whose results this one reused."""
    runs = dict.fromkeys(result.reused.values())
    steps = {run: [step for step, of in result.reused.items() if of == run] for run in runs}
    return [("Reused", f"{', '.join(steps[run])} of run {run}") for run in runs]


def _figure(metric: Metric, evaluation: Evaluation) -> str:
    gate, baseline = evaluation.gate, evaluation.baseline
    value = f"{round_for_people(metric.value)}   {metric.unit}".rstrip()
    if metric.name != gate.metric:
        return value
    guess = f"; {baseline.label} gives {round_for_people(baseline.value)}" if baseline else ""
    return f"{value}   (must be {gate.words} {gate.limit:g}{guess})"


def round_for_people(value: float) -> str:
    """Two decimals, more where the number is small."""
    return f"{value:.2f}" if abs(value) >= 2 else f"{value:.4f}"


def show_mail(screen: Screen, mail: Mail) -> None:
    """A mail as it was sent."""
    screen.heading(f"Mail to {mail.to}")
    screen.block(f"Subject: {mail.subject}\n\n{mail.text}")


def show_end(screen: Screen, result: Result) -> None:
    """The last line: how it ended."""
    total = f"{result.seconds['total']:.1f} s"
    words = {
        "approved": f"Approved. {total} from the upload to the approval mail.",
        "rejected": f"Rejected. {total} from the upload to the approval mail.",
        "pending": f"Waiting for a decision. {total} from the upload to the approval mail.",
        "expired": "Nobody decided in time; the model package stays pending.",
        "already_processed": "This version of the file was processed before; nothing was done.",
    }
    screen.line()
    if result.outcome in words:
        screen.line(words[result.outcome], style="bold green")
        return
    reason = {
        "refused": "The file was refused",
        "over_limit": "Nothing was started for the file: too many runs today",
        "too_expensive": "Nothing was started for the file: it would cost too much",
        "below_threshold": "The model is not good enough",
    }
    screen.failure(f"{reason.get(result.outcome, 'The pipeline failed')} after {total}: {result.error}")
    if result.cause:
        screen.line(defang(result.cause))
