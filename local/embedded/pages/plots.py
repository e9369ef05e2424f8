"""Small plots of metrics, one polyline or row of bars each, for an inline SVG."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from local.embedded.seams.views import Series

WIDTH, HEIGHT = 240.0, 44.0
# The plot shows the newest data only, and joins values that are nearer to each other than a pixel.
SECONDS = 24 * 3600.0
SLOTS = 120


@dataclass(frozen=True)
class Plot:
    """A metric with its drawing. Counts are summed in each slot of time, other values averaged."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    last: float
    last_at: float
    lowest: float
    highest: float
    values: int
    path: str
    dots: tuple[tuple[float, float], ...]


def plot(series: Series, now: float) -> Plot:
    """Draw the values of the last day."""
    recent = [point for point in series.points if point[0] >= now - SECONDS] or series.points[-1:]
    first, span = recent[0][0], max(now - recent[0][0], 1.0)
    slots: dict[int, list[tuple[float, float]]] = {}
    for at, total, count in recent:
        slots.setdefault(min(SLOTS - 1, int((at - first) / span * SLOTS)), []).append((total, count))
    is_count = series.unit == "Count"
    heights = {slot: _value(points, is_count) for slot, points in sorted(slots.items())}
    at, total, count = recent[-1]
    single = [total / count for _, total, count in recent if count]
    dots = tuple(_placed(heights, is_count))
    return Plot(
        namespace=series.namespace,
        name=series.name,
        dimensions=series.dimensions,
        unit="" if series.unit == "None" else series.unit,
        last=total / count if count else 0.0,
        last_at=at,
        lowest=min(single, default=0.0),
        highest=max(single, default=0.0),
        values=series.size,
        path=_bars(dots) if is_count else "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in dots),
        dots=() if is_count else dots[-1:],
    )


def _value(points: list[tuple[float, float]], is_count: bool) -> float:
    total, count = sum(total for total, _ in points), sum(count for _, count in points)
    return total if is_count or not count else total / count


def _placed(heights: Mapping[int, float], from_zero: bool) -> Iterator[tuple[float, float]]:
    low = min(0.0, *heights.values()) if from_zero else min(heights.values())
    high = max(heights.values())
    for slot, height in heights.items():
        share = (height - low) / (high - low) if high > low else (0.5 if height else 0.0)
        yield 3 + slot / (SLOTS - 1) * (WIDTH - 6), HEIGHT - 3 - share * (HEIGHT - 6)


def _bars(dots: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"M{x:.1f},{HEIGHT - 2:.1f} V{y:.1f}" for x, y in dots)
