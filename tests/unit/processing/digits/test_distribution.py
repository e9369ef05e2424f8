"""A reviewer reads how the labels are distributed, and is warned where that may harm the model."""

import numpy as np
import pytest

from digits.distribution import Labels, problem_of_labels, report, warnings


def labels(*counts: int) -> Labels:
    return np.repeat(np.arange(len(counts)), counts)


EVEN = labels(*[100] * 10)


def parts(train: Labels, validation: Labels = EVEN, test: Labels = EVEN) -> dict[str, Labels]:
    return {"train": train, "validation": validation, "test": test}


@pytest.mark.parametrize(
    ("found", "different", "problem"),
    [
        (labels(), 0, "has no row with a label; a model can only learn from images whose digit is known"),
        (labels(50, 50, 0, 50, 50, 50, 50, 50, 50), 400, "has no image with the label 2 and none with 9; all of 0 to 9 are needed"),
        (labels(9, *[50] * 8, 3), 400, "has too few images (9 of 0, 3 of 9); at least 10 of each digit are needed"),
        (EVEN, 199, "has too few different images with a label (199); at least 200 are needed"),
        (EVEN, 200, None),
        (labels(*[10] * 10), 200, None),
    ],
)  # fmt: skip
def test_labels_that_are_too_few_are_a_problem(found: Labels, different: int, problem: str | None) -> None:
    assert problem_of_labels(found, different) == problem


def test_every_class_of_every_part_is_counted() -> None:
    found = report({"train": labels(3, 0, 2), "test": labels()})
    assert found["train"] == {**dict.fromkeys(map(str, range(10)), 0), "0": 3, "2": 2}
    assert set(found["test"].values()) == {0}


def test_an_even_distribution_gives_no_warning() -> None:
    assert warnings(parts(labels(*[700] * 10))) == []


def test_a_rare_class_gives_a_warning() -> None:
    few = labels(*[100] * 9, 20)
    found = warnings(parts(few, few, few))
    assert found == ["Only 60 of the 2,760 images with a label are a 9 (2.2%); the model may read it badly."]


def test_a_class_that_misses_a_part_gives_a_warning() -> None:
    found = warnings(parts(EVEN, EVEN, labels(*[100] * 9)))
    assert found[0] == "The test part has no image of a 9."


@pytest.mark.parametrize(("moved", "warned"), [(20, False), (60, True)])
def test_parts_that_differ_more_than_by_chance_give_a_warning(moved: int, warned: bool) -> None:
    # The statistic is 2 * 2/3 * moved ** 2 / 100 here: 5.3 and 48, on both sides of 42.31.
    other = labels(100 + moved, 100 - moved, *[100] * 8)
    assert bool(warnings(parts(EVEN, EVEN, other))) is warned


def test_parts_of_many_images_may_differ_a_little() -> None:
    # The statistic is 10 times that of a small move among few images, 53, but the effect is as small.
    other = labels(1200, 800, *[1000] * 8)
    assert warnings(parts(np.tile(EVEN, 10), np.tile(EVEN, 10), other)) == []
