import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.packages import pack


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for time, folder in enumerate(("One", "Same", "Other"), start=1):
        (tmp_path / folder / "package").mkdir(parents=True)
        file = tmp_path / folder / "package" / "module.py"
        file.write_text("'other'" if folder == "Other" else "'code'")
        os.utime(file, (time * 1e9, time * 1e9))
    return tmp_path


def packed(app: Path, resources: Any, path: str = "template.yaml") -> Any:
    (app / path).parent.mkdir(exist_ok=True)
    (app / path).write_text(json.dumps({"Transform": "t", "Resources": resources}))
    return json.loads(pack(app / path).read_text())


def function(code: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b", "CodeUri": code}}


def nested(template: str) -> dict[str, Any]:
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": template}}


def test_functions_have_the_package_of_their_folder(app: Path) -> None:
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "Other"}}

    assert packed(app, {"A": function("One"), "B": function("One"), "L": layer}) == {
        "Transform": "t",
        "Resources": {
            "A": function("One.zip"),
            "B": function("One.zip"),
            "L": {**layer, "Properties": {"ContentUri": "Other.zip"}},
        },
    }
    with zipfile.ZipFile(app / "One.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"package/module.py": b"'code'"}
        assert archive.getinfo("package/module.py").external_attr >> 16 == 0o100644


def test_what_was_built_again_is_packed_again(app: Path) -> None:
    packed(app, {"A": function("One")})
    (app / "One" / "package" / "module.py").write_text("'new'")
    packed(app, {"A": function("One")})
    with zipfile.ZipFile(app / "One.zip") as archive:
        assert archive.read("package/module.py") == b"'new'"


def test_functions_of_a_nested_stack_share_the_packages(app: Path) -> None:
    packed(app, {"A": function("../One"), "B": function("../Same")}, "Nested/template.yaml")
    outer = packed(app, {"A": function("One"), "Nested": nested("Nested/template.yaml")})

    assert outer["Resources"]["Nested"] == nested("Nested/template.json")
    inner = json.loads((app / "Nested" / "template.json").read_text())
    assert inner["Resources"] == {"A": function("../One.zip"), "B": function("../Same.zip")}
    assert {path.name for path in app.glob("*.zip")} == {"One.zip", "Same.zip"}


def test_the_same_content_gives_the_same_package_whenever_it_was_built(app: Path) -> None:
    packed(app, {name: function(name) for name in ("One", "Same", "Other")})

    one, same, other = ((app / f"{name}.zip").read_bytes() for name in ("One", "Same", "Other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::S3::Bucket"},
        {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "pass"}},
        ["Name", ["One"], {"Queue${Name}": {"Type": "AWS::SQS::Queue"}}],
        function({"Bucket": "b", "Key": "k"}),
        function("s3://b/k"),
        nested("https://s3.amazonaws.com/b/k"),
    ],
)
def test_what_names_no_file_of_the_build_stays_as_it_is(app: Path, resource: Any) -> None:
    assert packed(app, {"A": resource})["Resources"] == {"A": resource}
    assert not list(app.glob("*.zip"))
