"""The parts of the report that `mpg run` shows after the states."""

from collections.abc import Sequence

from common.drift import FeatureTest
from common.evaluation import Evaluation, Metric
from costs.words import cost_row
from local.cli.endpoint import Mail
from local.cli.outcome import Result
from local.cli.screen import Screen, short
from model.drift_words import data_change, error_change
from shared.text import defang, number, one_line

# The most tests of a table.
_ROWS = 10


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


def show_drift(screen: Screen, result: Result) -> None:
    """How the upload differs from the approved model's data, and how well that model does on it."""
    evaluation = result.evaluation
    if evaluation is None:
        return
    champion, drift = evaluation.champion, evaluation.drift
    changes = [data_change(drift)]
    changes += [error_change(champion.change, champion.model_package_arn)] if champion else []
    sentences = [defang(change.words) for change in changes if change.words]
    if not sentences:
        return
    screen.heading("The data, beside the approved model's")
    for sentence in sentences:
        screen.line(f"  {sentence}")
    if drift and drift.drifted:
        _show_tests(screen, drift.drifted_tests)


def _show_tests(screen: Screen, tests: Sequence[FeatureTest]) -> None:
    screen.line()
    screen.table(("feature", "test", "statistic", "threshold"), [_test_row(test) for test in tests[:_ROWS]])
    if more := len(tests[_ROWS:]):
        screen.line(f"  and {more} more")


def _test_row(test: FeatureTest) -> Sequence[str]:
    name, words = (defang(one_line(text, 60)) for text in (test.name, test.words))
    return name, words, number(test.statistic), number(test.threshold)


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
    began = "the upload" if result.reason == "upload" else "the start"
    words = {
        "approved": f"Approved. {total} from {began} to the approval mail.",
        "rejected": f"Rejected. {total} from {began} to the approval mail.",
        "pending": f"Waiting for a decision. {total} from {began} to the approval mail.",
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
