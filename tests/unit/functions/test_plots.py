"""Whatever was measured can be drawn, inside the plot and where it belongs."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.evaluation import Bars, Matrix, Scatter
from web.plots import HEIGHT, WIDTH, bar_chart, comparison, matrix_rows, round_numbers, scatter_plot

VALUES = st.floats(-1e9, 1e9)


def scatter(points: list[tuple[float, float]], line: str | None) -> Scatter:
    return Scatter("title", "", "x", "y", points, line)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["diagonal", "zero", None])
@given(points=st.lists(st.tuples(VALUES, VALUES), max_size=20))
@example(points=[(0.0, 5e-324)])
def test_any_points_can_be_drawn_within_the_plot(line: str | None, points: list[tuple[float, float]]) -> None:
    plot = scatter_plot(scatter(points, line))
    assert len(plot.dots) == len(points)
    for x, y in plot.dots:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_a_dot_is_where_its_row_is() -> None:
    (x1, y1), (x2, y2), (x3, y3) = scatter_plot(scatter([(10, 10), (20, 20), (30, 15)], "diagonal")).dots
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 > y3 > y2
    assert y3 - y2 == pytest.approx(y1 - y3, abs=0.2)


def test_the_line_of_errors_is_at_zero() -> None:
    plot = scatter_plot(scatter([(1, -2), (2, 2)], "zero"))
    assert plot.ideal is not None
    assert plot.ideal.y1 == plot.ideal.y2 == pytest.approx((plot.dots[0][1] + plot.dots[1][1]) / 2, abs=0.1)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
def test_ticks_are_few_and_within_the_bounds(low: float, reach: float) -> None:
    found = round_numbers(low, low + reach)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-6 * reach <= tick <= low + reach * 1.000001 for tick in found)


@given(st.lists(VALUES, min_size=1, max_size=8), VALUES | st.none())
@example([0.0], None)
@example([5e-324], 0.0)
def test_any_bars_stay_within_their_chart(values: list[float], limit: float | None) -> None:
    rows = [("x", value) for value in values]
    compared, listed = comparison(rows, limit), bar_chart(Bars("title", "", rows))
    for left, chart in ((0, compared), (20, listed)):
        for bar in chart.bars:
            assert left <= bar.x <= bar.x + bar.width <= 342
            assert 0 < bar.y + 14 <= chart.height
    assert 0 <= compared.mark <= 340


def test_bars_begin_beside_the_longest_name_but_not_in_the_middle() -> None:
    starts = [bar_chart(Bars("t", "", [("0", 1), (name, 1)])).bars[0].x for name in ("1", "setosa", "x" * 99)]
    assert starts == [20, 70, 110]


def test_a_bar_below_zero_ends_where_those_above_begin() -> None:
    below, above = comparison([("below", -1), ("above", 3)], None).bars
    assert (below.x, below.x + below.width) == (0, above.x)
    assert above.width == 3 * below.width


def test_a_cell_of_the_matrix_has_its_share_of_the_row_and_any_count_is_visible() -> None:
    rows = matrix_rows(Matrix("t", "", "x", "y", ["a", "b"], [[99, 1], [0, 4]]))
    shares = [[(cell.count, cell.right, cell.tenths) for cell in cells] for _, cells in rows]
    assert shares == [[(99, True, 10), (1, False, 1)], [(0, False, 0), (4, True, 10)]]


def test_a_matrix_with_too_many_labels_is_not_drawn() -> None:
    labels = [str(n) for n in range(101)]
    assert matrix_rows(Matrix("t", "", "x", "y", labels, [[0] * 101] * 101)) == []
