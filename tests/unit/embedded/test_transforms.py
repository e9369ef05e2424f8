"""SAM's transform is done once for each template, whichever server does it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.embedded.transforms import KEPT, Template, Transforms

HERE = "http://127.0.0.1:4566"
TEMPLATE: Template = {"Resources": {"Nested": {"TemplateURL": f"{HERE}/bucket/nested.template"}}}


class Transform:
    """Adds to a template how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, template: Template, parameters: dict[str, Any], policies: Any) -> Template:
        self.calls += 1
        return {**template, "Calls": self.calls}


def at(port: int, nested: str = "nested") -> Template:
    made: Template = json.loads(json.dumps(TEMPLATE).replace("4566", str(port)).replace("nested", nested))
    return made


def test_the_same_template_is_transformed_once_even_by_servers_at_different_addresses(tmp_path: Path) -> None:
    transform = Transform()
    first = Transforms(tmp_path, HERE, transform)
    assert [first(TEMPLATE, {}, None) for _ in range(2)] == [{**TEMPLATE, "Calls": 1}] * 2
    second = Transforms(tmp_path, "http://127.0.0.1:4999", transform)
    assert second(at(4999), {}, None) == {**at(4999), "Calls": 1}
    # Its name is the hash of its content, which has addresses, too.
    assert second(at(4999, "other"), {}, None) == {**at(4999, "other"), "Calls": 1}


def test_addresses_are_put_back_where_they_were(tmp_path: Path) -> None:
    def template(*names: str) -> Template:
        return {"Resources": [f"{HERE}/{name}" for name in names], "Text": "§1§"}

    transforms = Transforms(tmp_path, HERE, Transform())
    transforms(template("a", "b", "a", "ab"), {}, None)
    assert transforms(template("b", "ba", "b", "a"), {}, None) == {
        **template("b", "ba", "b", "a"),
        "Calls": 1,
    }
    assert transforms(template("a", "b", "b", "a"), {}, None) == {**template("a", "b", "b", "a"), "Calls": 2}


def test_an_address_that_the_template_does_not_have_is_not_kept(tmp_path: Path) -> None:
    made = Transforms(tmp_path, HERE, lambda *_: {"Url": f"{HERE}/own"})
    assert made({}, {}, None) == {"Url": f"{HERE}/own"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("template", "parameters", "region"),
    [({"Resources": {}}, {}, ""), (TEMPLATE, {"Name": "x"}, ""), (TEMPLATE, {}, "eu-west-1")],
)
def test_another_template_parameter_or_region_is_another_transform(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    template: Template,
    parameters: dict[str, Any],
    region: str,
) -> None:
    transforms = Transforms(tmp_path, HERE, Transform())
    transforms(TEMPLATE, {}, None)
    if region:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert transforms(template, parameters, None)["Calls"] == 2


def test_a_template_that_cannot_be_transformed_is_asked_about_again(tmp_path: Path) -> None:
    def refuse(*_: Any) -> Template:
        raise ValueError("no")

    transforms = Transforms(tmp_path, HERE, refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            transforms(TEMPLATE, {}, None)


def test_results_that_were_not_used_for_long_go(tmp_path: Path) -> None:
    transforms = Transforms(tmp_path, HERE, Transform())
    for number in range(KEPT + 10):
        transforms({"Number": number}, {}, None)
        transforms({"Number": 0}, {}, None)
    assert len(list(tmp_path.iterdir())) == KEPT
    assert transforms({"Number": 0}, {}, None)["Calls"] == 1


def test_what_json_would_change_is_not_kept(tmp_path: Path) -> None:
    transforms = Transforms(tmp_path, HERE, Transform())
    template: Template = {"Mappings": {200: b"yes"}}
    assert [transforms(template, {}, None) for _ in range(2)] == [{**template, "Calls": n} for n in (1, 2)]


def test_a_folder_that_cannot_be_written_to_keeps_nobody_waiting(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert Transforms(file / "cache", HERE, Transform())(TEMPLATE, {}, None) == {**TEMPLATE, "Calls": 1}


CODE = """
import sys
from pathlib import Path
from local.embedded import seams
folder = Path(sys.argv[1])
seams.configure(4566, folder, "secret")
seams.install_transforms(folder / "transformed")
from ministack.services.cloudformation import engine
table = {"Type": "AWS::Serverless::SimpleTable"}
template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Table": table}}
for _ in range(2):
    print(engine._apply_transforms(template)["Resources"]["Table"]["Type"])
print(sum(name.startswith("samtranslator.") for name in sys.modules) > 10)
"""


def test_ministack_takes_a_result_without_importing_the_transform(tmp_path: Path) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    table = "AWS::DynamoDB::Table"
    assert said == [[table, table, "True"], [table, table, "False"]]
