"""The form of a workload.json: what the deployment refuses, and what it says."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workloads.folders import PROCESSING, folders

from workload_files import BadWorkload, read_workload  # isort: skip

PARAMETERS = {"MseThreshold": "46.0"}
FORMS = {
    folder.settings["form"]["kind"]: folder for folder in folders(PROCESSING) if "form" in folder.settings
}


def refused(tmp_path: Path, kind: str, change: dict[str, Any]) -> str:
    """What the deployment says of a published form with some values replaced; None removes one."""
    source = FORMS[kind]
    settings = copy.deepcopy(source.settings)
    for path, value in change.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place = settings["form"]
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    copied = tmp_path / source.name
    copied.mkdir()
    for module in source.path.glob("*.py"):
        (copied / module.name).touch()
    (copied / "workload.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(BadWorkload) as problem:
        read_workload(copied / "workload.json", PARAMETERS)
    return str(problem.value)


def test_there_is_a_form_of_each_kind() -> None:
    assert set(FORMS) == {"fields", "drawing"}


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("fields", {"kind": "table"}, "form.kind must be one of ['fields', 'drawing']"),
        ("fields", {"tensors": None}, "form must contain ['tensors'] properties"),
        ("drawing", {"width": None}, "form must contain ['width'] properties"),
        ("drawing", {"width": 4}, "form.width must be bigger than or equal to 8"),
        ("fields", {"fields.0.name": "Weight"}, "lower-case letters, digits and underscores"),
        ("fields", {"fields.0.label": "a\nb"}, "Text for people"),
        ("fields", {"fields.0.step": 0}, "form.fields[0].step must be bigger than 0"),
        ("fields", {"fields.0.maximum": None}, "form.fields[0] must contain ['maximum'] properties"),
        ("fields", {"fields.5.minimum": 1}, "form.fields[5] must NOT match a disallowed definition"),
        ("fields", {"tensors.0.type": "string"}, "form.tensors[0].type must be one of"),
        ("fields", {"width": 28}, "form.width: a form of the kind fields has none"),
        ("drawing", {"curve": {"field": "x"}}, "form.curve: a form of the kind drawing has none"),
        ("fields", {"output.label": None}, "form.output.label: it is missing"),
        ("drawing", {"output.labels": None}, "form.output.labels: it is missing"),
        ("drawing", {"output.unit": "%"}, "form.output.unit: a form of the kind drawing has none"),
        ("fields", {"fields.1.name": "weight"}, "form.fields: weight is there twice"),
        ("fields", {"fields.0.minimum": 6000}, "form.fields, weight: minimum has to be below maximum"),
        ("fields", {"fields.0.default": 1}, "form.fields, weight: the default lies outside of its range"),
        ("fields", {"fields.0.step": 9000}, "form.fields, weight: a step is longer than its range"),
        ("fields", {"fields.6.default": 9}, "form.fields, origin: the default is none of its choices"),
        ("fields", {"fields.6.choices.1.value": 1}, "form.fields, origin.choices: 1 is there twice"),
        ("fields", {"tensors.1.name": "numbers"}, "form.tensors: numbers is there twice"),
        ("fields", {"tensors.1.fields": ["country"]}, "form.tensors: there is no field country"),
        ("fields", {"tensors.0.fields": ["weight"]}, "form.fields, horsepower: no tensor takes it"),
        ("fields", {"tensors.1.fields": ["origin", "weight"]}, "form.tensors: weight is there twice"),
        ("fields", {"tensors.0.type": "int64"}, "integers of the tensor numbers cannot say"),
        ("fields", {"fields.6.choices.1.value": 2.5}, "the tensor origin takes whole numbers only"),
        ("fields", {"curve.field": "colour"}, "form.curve: there is no field colour"),
        ("fields", {"curve.field": "origin"}, "form.curve: origin has choices; a curve needs a range"),
    ],
)
def test_a_form_that_does_not_fit_itself_is_refused(
    kind: str, change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    message = refused(tmp_path, kind, change)
    assert said in message
    assert message.startswith(f"{FORMS[kind].name}/workload.json: form")
