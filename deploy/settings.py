"""The parameters of template.yaml as an environment of samconfig.toml sets them."""

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from deploy.problems import Trouble

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Settings:
    """One environment. `parameters` leaves out those that have neither a default nor a value yet."""

    environment: str
    stack_name: str
    region: str | None
    parameters: Mapping[str, str]
    missing: tuple[str, ...]


def read_settings(environment: str, root: Path = ROOT) -> Settings:
    """Raises Trouble if samconfig.toml has no such environment."""
    environments = tomllib.loads((root / "samconfig.toml").read_text(encoding="utf-8"))
    configured = environments.get(environment)
    if not isinstance(configured, dict):
        known = ", ".join(name for name, value in environments.items() if isinstance(value, dict))
        raise Trouble(f'samconfig.toml has no environment "{environment}"; it has {known}')
    options = {**_options(configured, "global"), **_options(configured, "deploy")}
    declared = _parse((root / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    defaults = {name: str(entry["Default"]) for name, entry in declared.items() if "Default" in entry}
    parameters = {**defaults, **read_overrides(options.get("parameter_overrides", []))}
    return Settings(
        environment=environment,
        stack_name=options["stack_name"],
        region=options.get("region"),
        parameters=parameters,
        missing=tuple(name for name in declared if name not in parameters),
    )


def image_accounts(root: Path = ROOT) -> dict[str, dict[str, str]]:
    """The regions that the pipeline supports, each with the accounts that publish the images there."""
    template = _parse((root / "template.yaml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, str]] = template["Mappings"]["SageMakerImages"]
    return found


def read_overrides(overrides: str | list[str]) -> dict[str, str]:
    """Parameter overrides in either form that the SAM CLI writes: `["A=1"]` or `'A="1" B="2"'`."""
    entries = shlex.split(overrides) if isinstance(overrides, str) else overrides
    pairs = (entry.partition("=") for entry in entries)
    return {name: value.strip('"') for name, _, value in pairs}


@cache
def _parse(template: str) -> dict[str, Any]:
    # A third of a second for ours.
    parsed: dict[str, Any] = yaml_parse(template)
    return parsed


def _options(configured: Mapping[str, Any], command: str) -> dict[str, Any]:
    found: dict[str, Any] = configured.get(command, {}).get("parameters", {})
    return found
