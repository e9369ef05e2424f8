"""State machine and policies keep to the prefix of run ids, which Python has once."""

import json
import re

from runs.names import PREFIX
from tests.unit.template.stack import ROOT

DEFINITION = ROOT / "statemachine" / "pipeline.asl.json"
TEMPLATES = [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]
# What a run creates in SageMaker, and its folder in the bucket
OF_RUNS = re.compile(r"(?:(?:processing|tuning|training|transform)-job|:model|/runs)/([^\s/*?$]+)[*?]")


def test_the_state_machine_names_runs_by_the_prefix() -> None:
    first = json.loads(DEFINITION.read_text(encoding="utf-8"))["States"]["Claim upload"]
    assert json.dumps(first).count(f"% '{PREFIX}' & $fromMillis(") == 1


def test_policies_are_limited_to_names_with_the_prefix() -> None:
    found = [name for path in TEMPLATES for name in OF_RUNS.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 20
    assert set(found) == {PREFIX}
