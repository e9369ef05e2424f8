"""The table of permissions in docs/aws.md lists exactly what the template grants."""

import re

from tests.unit.template import iam
from tests.unit.template.stack import KEY, ROOT, of_type

EVERY_FUNCTION = "every function's role"
EVERY_JOB = "every job's role"


def rows() -> list[list[str]]:
    """The cells of the table's lines."""
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    lines = text.partition("## Permissions")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["role", "actions", "on", "why", "source"]
    return cells[2:]


def roles_of_functions() -> set[str]:
    return {name.removesuffix("Function") + "Role" for name in of_type("AWS::Lambda::Function")}


def test_the_table_and_the_template_grant_the_same() -> None:
    groups = {EVERY_FUNCTION: roles_of_functions(), EVERY_JOB: set(iam.ROLES_OF_SAGEMAKER)}
    documented: dict[str, set[str]] = {role: set() for role in iam.roles()}
    for role, actions, *_ in rows():
        for name in groups.get(role, {role}):
            documented[name] |= set(re.findall(r"`([\w-]+:\w+)`", actions))
    assert documented == {role: iam.actions(role, KEY) for role in iam.roles()}


def test_every_line_names_the_aws_page_that_it_comes_from() -> None:
    for role, actions, on, why, source in rows():
        assert "(https://docs.aws.amazon.com/" in source, (role, actions)
        assert on, (role, actions)
        assert why, (role, actions)
