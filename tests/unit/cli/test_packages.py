import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.cli.packages import with_packages


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for time, folder in enumerate(("One", "Same", "Other"), start=1):
        (tmp_path / folder / "package").mkdir(parents=True)
        file = tmp_path / folder / "package" / "module.py"
        file.write_text("'other'" if folder == "Other" else "'code'")
        os.utime(file, (time * 1e9, time * 1e9))
    return tmp_path


def function(code: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b", "CodeUri": code}}


def test_functions_have_the_package_of_their_folder(app: Path) -> None:
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "Other"}}
    template = {"Resources": {"A": function("One"), "B": function("One"), "L": layer}, "Transform": "t"}

    packed = with_packages(template, app)

    assert packed["Transform"] == "t"
    assert packed["Resources"] == {
        "A": function("One.zip"),
        "B": function("One.zip"),
        "L": {**layer, "Properties": {"ContentUri": "Other.zip"}},
    }
    with zipfile.ZipFile(app / "One.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"package/module.py": b"'code'"}
        assert archive.getinfo("package/module.py").external_attr >> 16 == 0o100644


def test_the_same_content_gives_the_same_package_whenever_it_was_built(app: Path) -> None:
    with_packages({"Resources": {name: function(name) for name in ("One", "Same", "Other")}}, app)

    one, same, other = ((app / f"{name}.zip").read_bytes() for name in ("One", "Same", "Other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::S3::Bucket"},
        ["Name", ["One"], {"Queue${Name}": {"Type": "AWS::SQS::Queue"}}],
        {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "pass"}},
        function({"Bucket": "b", "Key": "k"}),
        function("s3://b/k"),
        {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "One/template.yaml"}},
    ],
)
def test_what_has_no_folder_with_code_stays_as_it_is(app: Path, resource: Any) -> None:
    assert with_packages({"Resources": {"A": resource}}, app) == {"Resources": {"A": resource}}
    assert not list(app.glob("*.zip"))
