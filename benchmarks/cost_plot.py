"""Draws what files of different sizes cost, as an SVG."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 640, 400, 60
_TIME, _MEMORY = "#1f5fa8", "#b3541e"


@dataclass(frozen=True)
class Cost:
    """What a process and its children took."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def plot(costs: Mapping[int, Cost]) -> str:
    """CPU seconds and peak megabytes by size in bytes; all axes are logarithmic.

    Points on the dashed line cost as much for each byte as the largest file.
    """
    seconds = {size: cost.cpu_seconds for size, cost in costs.items()}
    memory = {size: cost.megabytes for size, cost in costs.items()}
    largest = max(costs)
    proportional = {size: seconds[largest] * size / largest for size in costs}
    powers = range(math.floor(math.log10(min(proportional.values()))), 5)
    lowest, highest = 10.0 ** powers[0], 10.0 ** powers[-1]
    sizes = min(costs), largest

    def place(size: float, value: float) -> str:
        x = MARGIN + _share(size, *sizes) * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - _share(value, lowest, highest) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    def line(values: Mapping[int, float], style: str) -> str:
        points = " ".join(place(size, value) for size, value in values.items())
        return f'<polyline points="{points}" fill="none" {style}/>'

    def text(at: str, content: str, anchor: str, dx: int = 0, dy: int = 4, colour: str = "#333") -> str:
        x, y = at.split(",")
        style = f'text-anchor="{anchor}" fill="{colour}"'
        return f'<text x="{x}" y="{y}" dx="{dx}" dy="{dy}" {style}>{content}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13"><rect width="100%" height="100%" fill="white"/>',
        *(line(dict.fromkeys(sizes, 10.0**power), 'stroke="#ddd"') for power in powers),
        *(text(place(sizes[0], 10.0**power), f"{10.0**power:g}", "end", dx=-8) for power in powers),
        *(text(place(size, lowest), _size(size), "middle", dy=22) for size in costs),
        line(proportional, 'stroke="#888" stroke-dasharray="5 4"'),
        line(seconds, f'stroke="{_TIME}" stroke-width="2.5"'),
        line(memory, f'stroke="{_MEMORY}" stroke-width="2.5"'),
        text(place(largest, seconds[largest]), "CPU s", "start", 6, colour=_TIME),
        text(place(largest, memory[largest]), "MB", "start", 6, colour=_MEMORY),
        text(f"{WIDTH / 2},{24}", "Preparing a file: CPU seconds and peak memory by its size", "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _share(value: float, lowest: float, highest: float) -> float:
    return math.log(value / lowest) / math.log(highest / lowest)


def _size(size: int) -> str:
    return f"{size / 1e9:g} GB" if size >= 1e9 else f"{size / 1e6:g} MB"
