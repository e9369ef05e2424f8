"""The table of drift: what drifted comes first, little is shown at once, and no histogram is needed."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from common.drift import Drift, FeatureTest, Histogram, read_drift, read_quality_change
from tests.evaluation import CHANGE, DRIFT
from tests.unit.functions.test_page import HOSTILE, Parsed
from web import templating
from web.drift import drift_view
from web.histograms import HEIGHT, WIDTH, HistogramPlot, histogram_plot

READ = read_drift(DRIFT)
CHANGED = read_quality_change(CHANGE)
assert READ
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def section(drift: Drift | None, change: Any = CHANGED) -> str:
    """The section as a page that imports the partial has it."""
    environment: Environment = templating._environment
    page = '{% import "drift.html" as watched %}{{ watched.section(drift_view(drift, change)) }}'
    return environment.from_string(page).render(drift=drift, change=change)


def test_features_that_drifted_come_first_with_all_of_their_tests() -> None:
    page = section(READ)
    order = re.findall(r'<th scope="rowgroup" rowspan="(\d)">(\w+)</th>', page)
    assert order == [("3", "weight"), ("2", "origin"), ("2", "acceleration")]
    row = (
        "<td>Kolmogorov-Smirnov distance</td><td>0.4127</td><td>0.1904</td><td><strong>drifted</strong></td>"
    )
    assert row in page
    assert "<td>Difference of the missing shares</td><td>0</td><td>0.1</td><td>no drift</td>" in page


def test_the_sentences_come_first_then_what_was_compared() -> None:
    page = section(READ)
    places = [
        page.index('<div class="notice warn">The upload differs from'),
        page.index('<div class="notice bad">On 184 new test rows, version 1 does worse'),
        page.index("184 new rows beside 398 of the approved model"),
        page.index("at most once in 1,000 comparisons"),
        page.index("<table"),
    ]
    assert places == sorted(places)


def test_each_histogram_has_a_name_that_says_what_it_shows() -> None:
    page = section(READ)
    names = re.findall(r'<svg class="histogram" role="img"[^>]*>\s*<title>(.*?)</title>', page)
    assert names == [
        "weight: most often 1,613 to 2,494.80 (37 %) then, 3,376.50 to 4,258.30 (40 %) now",
        "origin: usa: 62 % then, 31 % now; europe: 18 % then, 22 % now; japan: 20 % then, 47 % now",
        "acceleration: most often 12.20 to 16.40 (47 %) then, 12.20 to 16.40 (45 %) now",
    ]


def test_without_histograms_the_table_stands_alone() -> None:
    assert READ
    page = section(READ.without_histograms())
    assert "<svg" not in page
    assert "Then and now" not in page
    headings = re.findall('<th scope="col">(.*?)</th>', page)
    assert headings == 2 * ["Feature", "Test", "Statistic", "Threshold", "Result"]


@pytest.mark.parametrize("significance", [0.0, -1.0, 2.0, 1e308, 5e-324])
def test_a_drift_of_which_a_file_says_odd_things_is_shown(significance: float) -> None:
    assert READ
    page = section(replace(READ, significance=significance, left_out=1200))
    assert "There was no room for 1,200 more tests." in page
    assert ("comparisons" in page) == (0 < significance < 1)


def test_the_words_say_what_was_compared_if_that_is_no_upload() -> None:
    view = drift_view(READ, CHANGED, "arn/7", "What the endpoint was asked", "rows whose labels came late")
    assert view.data.words.startswith("What the endpoint was asked differs from")
    assert view.error.words.startswith("On 184 rows whose labels came late, version 7 does worse")


@pytest.mark.parametrize("drift", [None, Drift("arn", 0, 0, 0.0, problem="there are 3 rows.")])
def test_without_tests_there_is_no_table(drift: Drift | None) -> None:
    page = section(drift, None)
    assert "<table" not in page
    assert ("there are 3 rows." in page) == (drift is not None)


def features(*drifted: bool) -> Sequence[FeatureTest]:
    return [FeatureTest(f"f{n}", "missing", 0.2, 0.1, is_so) for n, is_so in enumerate(drifted)]


@pytest.mark.parametrize(
    ("drifted", "others", "shown", "summary"),
    [
        (0, 1, 0, "1 feature without a drift"),
        (2, 30, 2, "30 features without a drift"),
        (20, 0, 20, ""),
        (21, 30, 20, "31 more features"),
    ],
)
def test_features_without_a_drift_are_folded_and_so_are_drifted_ones_beyond_twenty(
    drifted: int, others: int, shown: int, summary: str
) -> None:
    assert READ
    view = drift_view(replace(READ, tests=features(*[False] * others, *[True] * drifted)), None)
    assert [feature.drifted for feature in view.shown] == [True] * shown
    assert len(view.folded) == drifted + others - shown
    assert re.findall("<summary>(.*)</summary>", section(view.drift)) == ([summary] if summary else [])


def hostile(text: str) -> Drift:
    histograms = [
        Histogram([], [text, "b"], [0.5, 0.5], [1, 0]),
        Histogram([], [text] * 30, [1 / 30] * 30, [1 / 30] * 30),
    ]
    tests = [FeatureTest(text, text, 0.2, 0.1, drifted=True, histogram=one) for one in histograms]
    return Drift(text, 1, 1, 0.001, [*tests, FeatureTest("b", "missing", 0.2, 0.1, True, histograms[1])])


def test_hostile_names_are_shown_as_text() -> None:
    change = CHANGED and replace(CHANGED, label=HOSTILE, metric=HOSTILE)
    page, harmless = (section(hostile(text), change) for text in (HOSTILE, "harmless"))
    assert [tag for tag, _ in Parsed(page).tags] == [tag for tag, _ in Parsed(harmless).tags]
    assert HOSTILE in Parsed(page).text
    assert not [a for _, attributes in Parsed(page).tags for a in attributes if a.startswith("on")]


@given(
    shares=SHARES, edges=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=31, max_size=31)
)
def test_any_histogram_stays_within_its_picture(shares: list[float], edges: list[float]) -> None:
    bins = len(shares)
    for histogram in (
        Histogram(sorted(edges[: bins + 1]), [], shares, shares[::-1]),
        Histogram([], ["x"] * bins, shares, shares[::-1]),
    ):
        plot = histogram_plot(histogram)
        assert plot is not None
        for outline in (plot.baseline, plot.current):
            assert all(1 <= x <= WIDTH - 1 for x in coordinates(outline, "MH"))
            assert all(0 <= y <= HEIGHT for y in coordinates(outline, "V"))
        assert len(plot.words) < 800


def coordinates(outline: str, letters: str) -> list[float]:
    return [float(number) for number in re.findall(rf"[{letters}](-?[\d.]+)", outline)]


def plotted(histogram: Histogram) -> HistogramPlot:
    plot = histogram_plot(histogram)
    assert plot
    return plot


def test_a_higher_bin_is_more_rows_and_both_share_a_scale() -> None:
    plot = plotted(Histogram([0, 1, 2], [], [0.5, 0.25], [0.0, 1.0]))
    assert plot.baseline == "M1.0 54V28.0H90.0V41.0H179.0V54"
    assert plot.current == "M1.0 54V54.0H90.0V2.0H179.0V54"
    assert [label.text for label in plot.labels] == ["0", "2"]


def test_categories_are_boxes_of_their_own_and_the_rare_ones_are_one() -> None:
    few = plotted(Histogram([], ["a", "b"], [0.5, 0.5], [1.0, 0.0]))
    assert few.current.count("M") == 2
    assert [label.text for label in few.labels] == ["a", "b"]
    many = plotted(Histogram([], [str(n) for n in range(30)], [0.02] * 29 + [0.42], [1 / 30] * 30))
    assert many.current.count("M") == 10
    assert many.words.startswith("29: 42 % then, 3.3 % now; ")
    assert many.words.endswith("; others: 42 % then, 70 % now")


@pytest.mark.parametrize(
    ("labels", "written"),
    [
        (list("0123456789"), list("0123456789")),
        (["a long name"] * 2, ["a long name"] * 2),
        (["a long name"] * 4, ["a l..."] * 4),
        (["a long name"] * 5, []),
    ],
)
def test_names_of_categories_are_written_if_there_is_room(labels: list[str], written: list[str]) -> None:
    shares = [1 / len(labels)] * len(labels)
    assert [label.text for label in plotted(Histogram([], labels, shares, shares)).labels] == written


def test_more_bins_than_one_can_see_are_not_drawn() -> None:
    assert histogram_plot(Histogram([*range(102)], [], [0.0] * 101, [0.0] * 101)) is None


def test_a_histogram_without_rows_says_so() -> None:
    assert plotted(Histogram([0, 1], [], [1.0], [0.0])).words == "most often 0 to 1 (100 %) then, nowhere now"
