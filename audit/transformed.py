"""template.yaml as CloudFormation receives it, after SAM's transform.

`python -m audit.transformed` prints it with every option turned on, because checkov does not look inside an
`Fn::If`. With the path of another template it prints that one.
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

from deploy.sam import use_c_for_yaml

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
# The transform of this template is the same in every region.
REGION = "us-east-1"


@cache
def written(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as written, short intrinsic functions in their long form."""
    use_c_for_yaml()
    template: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return template


def transformed(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template after the transform, its intrinsic functions still to be evaluated."""
    template = json.loads(json.dumps(written(path)))
    functions = template.get("Globals", {}).get("Function", {})
    for properties in (functions, *(resource["Properties"] for resource in template["Resources"].values())):
        # `sam package` would have uploaded these files to a bucket.
        for source in {"CodeUri", "ContentUri", "DefinitionUri"} & properties.keys():
            properties[source] = "s3://artifacts/key"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    result: dict[str, Any] = translator.translate(template, {})
    return result


def every_option_on(value: Any) -> Any:
    """The value with each `Fn::If` replaced by its true branch, and every parameter set."""
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
    json.dump(every_option_on(transformed(*map(Path, sys.argv[1:]))), sys.stdout, indent=2)
