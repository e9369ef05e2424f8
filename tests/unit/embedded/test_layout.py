"""How the page draws a state machine."""

import json
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.embedded.pages.drawing import Drawing, draw
from local.embedded.pages.graph import CATCH, CHOICE, NEXT, Edge, find_state, read_graph
from local.embedded.pages.layout import Layout, Link, lay_out

MACHINES = sorted((Path(__file__).parents[3] / "statemachine").glob("*.asl.json"))
NAMES = [f"state {number}" for number in range(9)]
LINKS = st.builds(Link, st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from([NEXT, CATCH]))
WIDTHS = st.lists(st.integers(20, 200), min_size=len(NAMES), max_size=len(NAMES))


@given(WIDTHS, st.sets(LINKS, max_size=25).map(lambda links: sorted(links, key=str)))
def test_no_box_covers_another_and_each_line_goes_from_its_source_to_its_target(
    widths: list[int], links: list[Link]
) -> None:
    sizes = {name: (float(width), 40.0) for name, width in zip(NAMES, widths, strict=True)}
    layout = lay_out(sizes, links)
    for one, other in combinations(NAMES, 2):
        assert not _overlap(_frame(layout, sizes, one), _frame(layout, sizes, other))
    for name in NAMES:
        left, top, right, bottom = _frame(layout, sizes, name)
        assert left >= -0.001
        assert top >= 0
        assert right <= layout.width + 0.001
        assert bottom <= layout.height
    for link in links:
        if link.source != link.target:
            _assert_connects(layout, sizes, link)


def _frame(
    layout: Layout, sizes: dict[str, tuple[float, float]], name: str
) -> tuple[float, float, float, float]:
    (x, y), (width, height) = layout.boxes[name], sizes[name]
    return x, y, x + width, y + height


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


def _assert_connects(layout: Layout, sizes: dict[str, tuple[float, float]], link: Link) -> None:
    own = [segment for segment in layout.segments if link in segment.links]
    own.sort(key=lambda segment: segment.start[1])
    assert all(upper.end == lower.start for upper, lower in pairwise(own))
    assert all(segment.start[1] <= segment.bottom < segment.end[1] for segment in own)
    ends = (link.target, link.source) if own[0].up else (link.source, link.target)
    upper, lower = (_frame(layout, sizes, name) for name in ends)
    assert own[0].start == pytest.approx(((upper[0] + upper[2]) / 2, upper[3]))
    assert own[-1].end == pytest.approx(((lower[0] + lower[2]) / 2, lower[1]))
    assert [segment.arrow for segment in (own if not own[0].up else own[::-1])][-1]


def test_without_cycles_every_line_goes_down() -> None:
    links = [Link("a", "b", NEXT), Link("b", "c", NEXT), Link("a", "c", CATCH), Link("c", "a", CATCH)]
    layout = lay_out(dict.fromkeys("abc", (100.0, 40.0)), links)
    assert [layout.boxes[name][1] for name in "abc"] == sorted(layout.boxes[name][1] for name in "abc")
    assert {segment.links[0] for segment in layout.segments if segment.up} == {links[3]}


def test_long_lines_to_the_same_state_share_their_way() -> None:
    names = [f"{number}" for number in range(6)]
    steps = [Link(one, other, NEXT) for one, other in pairwise(names)]
    catches = [Link(name, "5", CATCH) for name in names[:3]]
    layout = lay_out(dict.fromkeys(names, (100.0, 40.0)), [*steps, *catches])
    shared = [segment for segment in layout.segments if len(segment.links) > 1]
    assert {link for segment in shared for link in segment.links} == set(catches)


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


INNER = machine(First={"Type": "Pass", "Next": "Second"}, Second={"Type": "Succeed"})
ALL = machine(
    Ask={
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Next": "Which?",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad"}, {"ErrorEquals": ["A"], "Next": "Bad"}],
    },
    **{
        "Which?": {
            "Type": "Choice",
            "Choices": [{"Condition": "", "Next": "Both"}, {"Condition": "", "Next": "Ask"}],
            "Default": "Each",
        }
    },
    Both={"Type": "Parallel", "Branches": [INNER, machine(Third={"Type": "Succeed"})], "Next": "Each"},
    Each={"Type": "Map", "ItemProcessor": machine(Fourth={"Type": "Succeed"}), "End": True},
    Bad={"Type": "Fail"},
)


def test_every_kind_of_state_and_way_is_in_the_graph() -> None:
    graph = read_graph(ALL)
    assert graph.edges == (
        Edge("Ask", "Which?"),
        Edge("Ask", "Bad", CATCH),
        Edge("Which?", "Both", CHOICE),
        Edge("Which?", "Ask", CHOICE),
        Edge("Which?", "Each", CHOICE),
        Edge("Both", "Each"),
    )
    inner = {
        state.name: [[own.name for own in each.states] for each in state.inner] for state in graph.states
    }
    assert inner["Both"] == [["First", "Second"], ["Third"]]
    assert inner["Each"] == [["Fourth"]]
    assert [state.name for state in graph.states if state.waits] == ["Ask"]
    assert find_state(ALL, "Fourth") == {"Type": "Succeed"}
    assert find_state(ALL, "Fifth") is None


def test_branches_lie_side_by_side_inside_their_state() -> None:
    boxes = {box.state.name: box for box in draw(json.dumps(ALL)).boxes}
    around = boxes["Both"]
    for name in ("First", "Second", "Third"):
        box = boxes[name]
        assert around.x < box.x
        assert box.x + box.width < around.x + around.width
        assert around.y < box.y
        assert box.y + box.height < around.y + around.height
    assert boxes["First"].x + boxes["First"].width < boxes["Third"].x


@pytest.mark.parametrize("file", MACHINES, ids=lambda file: file.name)
def test_a_machine_of_the_project_is_drawn_with_every_state(file: Path) -> None:
    definition = file.read_text(encoding="utf-8")
    drawing: Drawing = draw(definition)
    assert {box.state.name for box in drawing.boxes} >= json.loads(definition)["States"].keys()
    assert drawing.width < 2_500
