"""The drawing of a state machine: boxes and lines with coordinates, for an inline SVG."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from local.embedded.pages.graph import Graph, State, read_graph
from local.embedded.pages.layout import GAP_X, Layout, Link, Segment, lay_out

# What the style's fonts need: a character of a name, and two lines of text.
CHARACTER = 7.3
BOX_WIDTH, BOX_HEIGHT = 120.0, 40.0
PADDING, HEADER = 14.0, 34.0


@dataclass(frozen=True)
class Box:
    """A state; `inside` if it surrounds others."""

    state: State
    x: float
    y: float
    width: float
    height: float

    @property
    def inside(self) -> bool:
        return bool(self.state.inner)


@dataclass(frozen=True)
class Line:
    """A line in SVG's language of paths, with the links that run along it."""

    path: str
    links: tuple[Link, ...]
    arrow: bool
    up: bool

    @property
    def kind(self) -> str:
        return self.links[0].kind


@dataclass(frozen=True)
class Drawing:
    """A whole graph; a surrounding box comes before those inside it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@lru_cache(maxsize=32)
def draw(definition: str) -> Drawing:
    """Draw a state machine from its definition in JSON."""
    return _draw(read_graph(json.loads(definition)))


def _draw(graph: Graph) -> Drawing:
    inner = {state.name: _side_by_side([_draw(each) for each in state.inner]) for state in graph.states}
    sizes = {state.name: _size(state, inner[state.name]) for state in graph.states}
    layout = lay_out(sizes, [Link(edge.source, edge.target, edge.kind) for edge in graph.edges])
    boxes, lines = [], [_line(segment) for segment in layout.segments]
    for state in graph.states:
        box, within = _box(state, layout, sizes), inner[state.name]
        x, y = box.x + (box.width - within.width) / 2, box.y + HEADER
        moved = _moved(within, x, y)
        boxes += [box, *moved.boxes]
        lines += moved.lines
    return Drawing(layout.width, layout.height, tuple(boxes), tuple(lines))


def _box(state: State, layout: Layout, sizes: dict[str, tuple[float, float]]) -> Box:
    return Box(state, *layout.boxes[state.name], *sizes[state.name])


def _size(state: State, inner: Drawing) -> tuple[float, float]:
    width = max(BOX_WIDTH, len(state.name) * CHARACTER + 2 * PADDING)
    if not state.inner:
        return width, BOX_HEIGHT
    return max(width, inner.width + 2 * PADDING), inner.height + HEADER + PADDING


def _side_by_side(drawings: list[Drawing]) -> Drawing:
    boxes: list[Box] = []
    lines: list[Line] = []
    x = 0.0
    for drawing in drawings:
        moved = _moved(drawing, x, 0.0)
        boxes += moved.boxes
        lines += moved.lines
        x += drawing.width + GAP_X
    height = max((drawing.height for drawing in drawings), default=0.0)
    return Drawing(max(0.0, x - GAP_X), height, tuple(boxes), tuple(lines))


def _moved(drawing: Drawing, x: float, y: float) -> Drawing:
    boxes = tuple(replace(box, x=box.x + x, y=box.y + y) for box in drawing.boxes)
    lines = tuple(replace(line, path=_shifted(line.path, x, y)) for line in drawing.lines)
    return replace(drawing, boxes=boxes, lines=lines)


def _line(segment: Segment) -> Line:
    (x, y), (end_x, end_y) = segment.start, segment.end
    middle = (segment.bottom + end_y) / 2
    points = [(x, y), (x, segment.bottom), (x, middle), (end_x, middle), (end_x, end_y)]
    if segment.up:
        points.reverse()
    return Line(_path(points, curve_first=segment.up), segment.links, segment.arrow, segment.up)


def _path(points: list[tuple[float, float]], *, curve_first: bool) -> str:
    first, *others = [f"{x:.1f},{y:.1f}" for x, y in points]
    if curve_first:
        return f"M{first} C{' '.join(others[:3])} L{others[3]}"
    return f"M{first} L{others[0]} C{' '.join(others[1:])}"


def _shifted(path: str, x: float, y: float) -> str:
    def shift(part: str) -> str:
        command = part[0] if part[0].isalpha() else ""
        left, right = part.removeprefix(command).split(",")
        return f"{command}{float(left) + x:.1f},{float(right) + y:.1f}"

    return " ".join(map(shift, path.split()))
