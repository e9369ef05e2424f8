"""template.yaml as CloudFormation gets it, SAM's transform done.

`python -m audit.transformed` prints it with every option turned on: what stands in an `Fn::If` is not looked
at otherwise.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
# The transform of this template is the same in every region.
REGION = "us-east-1"


@cache
def written() -> dict[str, Any]:
    """The template as written, short intrinsic functions in their long form."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return template


def transformed() -> dict[str, Any]:
    """The template after the transform, its intrinsic functions still to be evaluated."""
    template = json.loads(json.dumps(written()))
    functions = template["Globals"]["Function"]
    for properties in (functions, *(resource["Properties"] for resource in template["Resources"].values())):
        # `sam package` would have put what lies there into a bucket.
        for source in {"CodeUri", "ContentUri", "DefinitionUri"} & properties.keys():
            properties[source] = "s3://artifacts/key"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    result: dict[str, Any] = translator.translate(template, {})
    return result


def every_option_on(value: Any) -> Any:
    """The value with each `Fn::If` as it is when its condition holds, and every parameter given."""
    match value:
        case {"Type": _, "Default": ""}:
            return {**value, "Default": "given"}
        case {"Fn::If": [_, yes, _]}:
            return every_option_on(yes)
        case dict():
            return {name: every_option_on(item) for name, item in value.items()}
        case list():
            return [every_option_on(item) for item in value]
        case _:
            return value


if __name__ == "__main__":
    json.dump(every_option_on(transformed()), sys.stdout, indent=2)
