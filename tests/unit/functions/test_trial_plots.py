"""The plots of a search: the best so far, and the hyperparameters side by side."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.searches import Search, search_of, trial_of
from reporting.trial_plots import Course, course, parallel
from tests.unit.functions.histories import training_job


def search(*values: float | None, minimizes: bool = True, alphas: list[str] | None = None) -> Search:
    """A search whose trials ended one after the other with these values."""
    chosen = alphas or [str(n + 1) for n in range(len(values))]
    jobs: list[dict[str, Any]] = [
        training_job(n, value, alpha, 10 * n, 10 * n + 9)
        for n, (value, alpha) in enumerate(zip(values, chosen, strict=True), 1)
    ]
    return Search("s", "error", minimizes, [trial_of(n, job) for n, job in enumerate(jobs, 1)])


def drawn(of: Search) -> Course:
    found = course(of)
    assert found is not None
    return found


def levels(plot: Course) -> list[float]:
    return [float(point.partition(",")[2]) for point in plot.best.split()]


def test_the_name_of_a_training_job_begins_with_its_searchs() -> None:
    assert search_of("mpg-20260301-0925-3fa85f64-rs-012-0123abcd") == "mpg-20260301-0925-3fa85f64-rs"


@pytest.mark.parametrize("minimizes", [True, False])
def test_the_line_goes_only_to_better_values_and_ends_at_the_best(minimizes: bool) -> None:
    found = search(5.0, 7.0, 3.0, 4.0, minimizes=minimizes)
    plot = drawn(found)
    # Pixels grow downwards.
    assert levels(plot) == sorted(levels(plot), reverse=not minimizes)
    [best] = [dot for dot in plot.dots if dot.kind]
    assert levels(plot)[-1] == best.y
    assert best.words == ("Trial 3: error 3, the best" if minimizes else "Trial 2: error 7, the best")


def test_a_trial_without_a_value_is_in_no_plot() -> None:
    found = search(5.0, None, 3.0)
    assert len(drawn(found).dots) == 2
    assert len(parallel(found).paths) == 2  # type: ignore[union-attr]


def test_a_search_without_a_value_has_no_plot() -> None:
    assert course(search(None, None)) is None
    assert parallel(search(None)) is None


def test_the_best_trial_is_drawn_last_above_the_others() -> None:
    plot = parallel(search(1.0, 2.0, 3.0))
    assert plot is not None
    assert [path.kind for path in plot.paths] == ["", "", "best"]
    assert [axis.name for axis in plot.axes] == ["alpha", "error"]


def test_hyperparameters_over_decades_are_logarithmic_and_words_have_places() -> None:
    spread = parallel(search(1.0, 2.0, 3.0, alphas=["0.01", "0.1", "10"]))
    words = parallel(search(1.0, 2.0, 3.0, alphas=["sgd", "adam", "sgd"]))
    assert spread is not None
    assert words is not None
    assert [tick.label for tick in spread.axes[0].ticks] == ["0.01", "0.1", "1", "10"]
    assert [tick.label for tick in words.axes[0].ticks] == ["adam", "sgd"]


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20),
    st.lists(st.one_of(st.floats(-1e9, 1e9).map(str), st.sampled_from(["nan", "inf", "a", ""])), min_size=1),
)
def test_whatever_was_measured_is_within_the_plot(values: list[float], alphas: list[str]) -> None:
    chosen = [alphas[n % len(alphas)] for n in range(len(values))]
    found = search(*values, alphas=chosen)
    plot, lines = drawn(found), parallel(found)
    assert lines is not None
    assert all(plot.left <= dot.x <= plot.right and plot.top <= dot.y <= plot.bottom for dot in plot.dots)
    heights = [float(point.partition(",")[2]) for path in lines.paths for point in path.points.split()]
    assert all(lines.top <= y <= lines.bottom for y in heights)
