"""Where boxes and lines of a directed graph go: in layers, from top to bottom.

The usual four steps (Sugiyama, Tagawa and Toda, 1981): break cycles, put each box one layer below the lowest
box that leads to it, order each layer by the mean position of its neighbours, and set coordinates. Long lines
run through a narrow place in each layer; lines of one kind to the same box share their places.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_X, GAP_Y = 22.0, 26.0
LANE = 8.0
SWEEPS = 12


@dataclass(frozen=True)
class Link:
    """A line between two boxes."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class Segment:
    """Part of one or more lines: straight to the layer's `bottom`, and on to the next layer.

    `up`: the lines themselves go upwards. `arrow`: they end here.
    """

    links: tuple[Link, ...]
    start: tuple[float, float]
    bottom: float
    end: tuple[float, float]
    arrow: bool
    up: bool


@dataclass(frozen=True)
class Layout:
    """The upper left corner of each box, the lines, and the size of the whole."""

    width: float
    height: float
    boxes: Mapping[str, tuple[float, float]]
    segments: tuple[Segment, ...]


# A box, or the place (target, kind, layer, whether upwards) at which long lines cross a layer.
Place = str | tuple[str, str, int, bool]


def lay_out(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> Layout:
    """Place boxes of these sizes, in whose order the lines begin where nothing else decides."""
    links = [link for link in links if link.source != link.target]
    down = _without_cycles(list(sizes), links)
    layer_of = _layers(list(sizes), down)
    routes = {link: _route(pair, link, layer_of) for link, pair in zip(links, down, strict=True)}
    steps = list(dict.fromkeys(step for route in routes.values() for step in _pairs(route)))
    layers = _ordered(_in_layers(layer_of, routes), steps)
    width_of = {place: sizes[place][0] if isinstance(place, str) else LANE for row in layers for place in row}
    centre = _centres(layers, steps, width_of)
    top, height = _rows(layers, sizes)
    boxes = {box: (centre[box] - sizes[box][0] / 2, top[layer_of[box]]) for box in sizes}
    width = max((centre[place] + width_of[place] / 2 for place in width_of), default=0.0)
    return Layout(width, height, boxes, tuple(_segments(routes, layers, centre, top, sizes)))


def _pairs(route: Sequence[Place]) -> list[tuple[Place, Place]]:
    return list(pairwise(route))


def _without_cycles(boxes: Sequence[str], links: Sequence[Link]) -> list[tuple[str, str]]:
    """The ends of each link, turned round where it would close a cycle."""
    following: dict[str, list[str]] = defaultdict(list)
    for link in links:
        following[link.source].append(link.target)
    closing: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in boxes:
        path: dict[str, None] = {}
        stack = [(root, iter(following[root]))] if root not in done else []
        while stack:
            box, targets = stack[-1]
            path[box] = None
            target = next(targets, None)
            if target is None:
                done.add(box)
                path.pop(box)
                stack.pop()
            elif target in path:
                closing.add((box, target))
            elif target not in done:
                stack.append((target, iter(following[target])))
    return [
        (link.target, link.source) if (link.source, link.target) in closing else (link.source, link.target)
        for link in links
    ]


def _layers(boxes: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The number of the layer of each box: the length of the longest way to it."""
    sources: dict[str, set[str]] = {box: set() for box in boxes}
    for source, target in links:
        sources[target].add(source)
    layer: dict[str, int] = {}
    while len(layer) < len(boxes):
        ready = [box for box in boxes if box not in layer and sources[box] <= layer.keys()]
        layer |= {box: 1 + max((layer[source] for source in sources[box]), default=-1) for box in ready}
    return layer


def _route(pair: tuple[str, str], link: Link, layer_of: Mapping[str, int]) -> list[Place]:
    upper, lower = pair
    up = upper == link.target
    between = range(layer_of[upper] + 1, layer_of[lower])
    return [upper, *((link.target, link.kind, layer, up) for layer in between), lower]


def _in_layers(layer_of: Mapping[str, int], routes: Mapping[Link, list[Place]]) -> list[list[Place]]:
    rows: list[dict[Place, None]] = [{} for _ in range(1 + max(layer_of.values(), default=-1))]
    for box, layer in layer_of.items():
        rows[layer][box] = None
    for route in routes.values():
        for place in route[1:-1]:
            rows[int(place[2])][place] = None
    return [list(row) for row in rows]


def _ordered(layers: list[list[Place]], steps: Sequence[tuple[Place, Place]]) -> list[list[Place]]:
    """The layers, each in the order with the fewest crossings that some sweeps found."""
    above, below = _neighbours(steps)
    best, fewest = layers, _crossings(layers, below)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        layers = [list(row) for row in layers]
        rows = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
        for row in rows:
            fixed = {place: at for at, place in enumerate(layers[row - 1 if downwards else row + 1])}
            own = {place: at for at, place in enumerate(layers[row])}
            near = above if downwards else below
            layers[row].sort(key=lambda place: _mean([fixed[each] for each in near[place]], own[place]))
        if (crossings := _crossings(layers, below)) < fewest:
            best, fewest = layers, crossings
    return best


def _neighbours(
    steps: Sequence[tuple[Place, Place]],
) -> tuple[dict[Place, list[Place]], dict[Place, list[Place]]]:
    above: dict[Place, list[Place]] = defaultdict(list)
    below: dict[Place, list[Place]] = defaultdict(list)
    for upper, lower in steps:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(layers: Sequence[Sequence[Place]], below: Mapping[Place, list[Place]]) -> int:
    found = 0
    for upper, lower in pairwise(layers):
        at = {place: index for index, place in enumerate(lower)}
        passed: list[int] = []
        for place in upper:
            ends = sorted(at[each] for each in below.get(place, []))
            found += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return found


def _centres(
    layers: Sequence[Sequence[Place]], steps: Sequence[tuple[Place, Place]], width_of: Mapping[Place, float]
) -> dict[Place, float]:
    """The middle of each place: near the mean of its neighbours, without overlaps."""
    above, below = _neighbours(steps)
    centre: dict[Place, float] = dict.fromkeys(width_of, 0.0)
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_mean([centre[each] for each in near[place]], centre[place]) for place in row]
            centre |= zip(row, _spread(wanted, [width_of[place] for place in row]), strict=True)
    left = min((centre[place] - width_of[place] / 2 for place in width_of), default=0.0)
    return {place: at - left for place, at in centre.items()}


def _spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The positions nearest to the wanted ones (least squares) that keep order and distance.

    With each one's distance from the first taken off, they must only not decrease: isotonic regression,
    by pooling adjacent violators.
    """
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            former = pools.pop()
            total, count = total + former[0], count + former[1]
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _rows(
    layers: Sequence[Sequence[Place]], sizes: Mapping[str, tuple[float, float]]
) -> tuple[list[float], float]:
    """The top of each layer, and the height of all."""
    tops, bottom = [], 0.0
    for row in layers:
        tops.append(bottom)
        bottom += max(sizes[place][1] for place in row if isinstance(place, str)) + GAP_Y
    return tops, max(0.0, bottom - GAP_Y)


def _segments(
    routes: Mapping[Link, list[Place]],
    layers: Sequence[Sequence[Place]],
    centre: Mapping[Place, float],
    top: Sequence[float],
    sizes: Mapping[str, tuple[float, float]],
) -> list[Segment]:
    using: dict[tuple[Place, Place, str, bool], list[Link]] = defaultdict(list)
    for link, route in routes.items():
        for upper, lower in _pairs(route):
            using[upper, lower, link.kind, route[0] == link.target].append(link)
    layer_of = {place: number for number, row in enumerate(layers) for place in row}
    found = []
    for (upper, lower, _, up), links in using.items():
        arrow = (upper if up else lower) == links[0].target
        at = top[layer_of[upper]]
        start = (centre[upper], at + sizes[upper][1] if isinstance(upper, str) else at)
        end = (centre[lower], top[layer_of[lower]])
        found.append(Segment(tuple(links), start, end[1] - GAP_Y, end, arrow, up))
    return found
