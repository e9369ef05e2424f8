"""Which model package groups belong to a stack."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.belongings import STACK_TAG, _groups

TAGS = {
    # As the preflight names its own
    "mpg": [{"Key": STACK_TAG, "Value": "mpg"}],
    "mpg-one": [{"Key": "owner", "Value": "us"}, {"Key": STACK_TAG, "Value": "mpg"}],
    "mpg-two": [{"Key": STACK_TAG, "Value": "mpg"}],
    # Of a stack whose name begins alike, of nobody, and one that only contains the name.
    "mpg-two-one": [{"Key": STACK_TAG, "Value": "mpg-two"}],
    "mpg-by-hand": [],
    "not-mpg-one": [{"Key": STACK_TAG, "Value": "not-mpg"}],
}


class ModelRegistry:
    """Lists one group, and one tag, a page."""

    def __init__(self) -> None:
        self._operation = ""

    def get_paginator(self, operation: str) -> "ModelRegistry":
        found = ModelRegistry()
        found._operation = operation
        return found

    def paginate(self, *, NameContains: str = "", ResourceArn: str = "", **_: Any) -> Iterator[Any]:  # noqa: N803
        if self._operation == "list_model_package_groups":
            for name in TAGS:
                if NameContains in name:
                    group = {"ModelPackageGroupName": name, "ModelPackageGroupArn": f"arn:{name}"}
                    yield {"ModelPackageGroupSummaryList": [group]}
        else:
            assert self._operation == "list_tags"
            yield from ({"Tags": [tag]} for tag in TAGS[ResourceArn.removeprefix("arn:")])


def test_a_stack_has_the_groups_that_carry_its_name_and_no_others() -> None:
    assert _groups(lambda service: ModelRegistry(), "mpg") == ("mpg", "mpg-one", "mpg-two")
    assert _groups(lambda service: ModelRegistry(), "mpg-two") == ("mpg-two-one",)
    assert _groups(lambda service: ModelRegistry(), "another") == ()


def test_the_tag_is_the_one_that_the_deployment_puts_on_them() -> None:
    sys.path.insert(0, str(Path(__file__).parents[3] / "processing"))
    import publish

    assert publish.STACK_TAG == STACK_TAG
