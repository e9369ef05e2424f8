"""The settings of a deployment, from samconfig.toml and the template's defaults."""

from pathlib import Path

import pytest

from deploy.problems import Trouble
from deploy.settings import read_overrides, read_settings

TEMPLATE = """
Parameters:
  Email: {Type: String}
  Trials: {Type: Number, Default: 10}
  Threshold: {Type: Number, Default: 46.0}
Resources:
  Bucket: {Type: "AWS::S3::Bucket", Properties: {BucketName: !Ref Email}}
"""


def project(folder: Path, samconfig: str) -> Path:
    (folder / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (folder / "samconfig.toml").write_text(f"version = 0.1\n{samconfig}", encoding="utf-8")
    return folder


def test_an_environment_overrides_the_templates_defaults(tmp_path: Path) -> None:
    samconfig = """
        [small.global.parameters]
        stack_name = "tiny"
        region = "eu-west-3"
        [small.deploy.parameters]
        parameter_overrides = ["Trials=2"]
    """
    settings = read_settings("small", project(tmp_path, samconfig))
    assert (settings.stack_name, settings.region) == ("tiny", "eu-west-3")
    assert settings.parameters == {"Trials": "2", "Threshold": "46.0"}
    assert settings.missing == ("Email",)


def test_a_file_written_by_guided_is_read_too(tmp_path: Path) -> None:
    samconfig = """
        [default.deploy.parameters]
        stack_name = "mine"
        parameter_overrides = 'Email="a@b.example" Trials="5"'
    """
    settings = read_settings("default", project(tmp_path, samconfig))
    assert settings.parameters["Email"] == "a@b.example"
    assert settings.parameters["Trials"] == "5"
    assert settings.missing == ()


@pytest.mark.parametrize("overrides", [["A=1", 'B="2 3"'], 'A="1" B="2 3"', "A=1 'B=2 3'"])
def test_every_form_of_overrides_means_the_same(overrides: str | list[str]) -> None:
    assert read_overrides(overrides) == {"A": "1", "B": "2 3"}


def test_an_unknown_environment_is_named_beside_the_known_ones(tmp_path: Path) -> None:
    samconfig = '[default.global.parameters]\nstack_name = "mine"'
    with pytest.raises(Trouble, match=r'no environment "prod"; it has default'):
        read_settings("prod", project(tmp_path, samconfig))
