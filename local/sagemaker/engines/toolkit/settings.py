"""Passes settings to a script as the toolkits do: in command line arguments and SM_* variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_OF_SAGEMAKER = "sagemaker_"
_OWN = ("_tuning_objective_metric", "default_user_module_name")


@dataclass(frozen=True)
class Settings:
    """A training job's files under ``input/config``, as the toolkits read them."""

    root: Path
    hyperparameters: Json
    """Those for the script."""
    toolkit: Json
    """Those for the toolkit."""
    channels: Json
    resources: Json

    @property
    def program(self) -> str:
        """The script's name; the variable takes precedence over the hyperparameter."""
        return os.environ.get("SAGEMAKER_PROGRAM") or str(self.toolkit.get("sagemaker_program", ""))

    @property
    def submitted(self) -> str:
        """The code's location: a URI, or a path, in which ``root`` replaces /opt/ml."""
        given = str(self.toolkit.get("sagemaker_submit_directory", self.root / "code"))
        return re.sub(r"^/opt/ml(?=/|$)", lambda _: str(self.root), given)


def read_settings(root: Path) -> Settings:
    """The settings of the job whose /opt/ml is ``root``."""
    config = root / "input/config"
    decoded = decode(json.loads((config / "hyperparameters.json").read_text()))
    toolkit = {name for name in decoded if name.startswith(_OF_SAGEMAKER) or name in _OWN}
    return Settings(
        root,
        {name: value for name, value in decoded.items() if name not in toolkit},
        {name: value for name, value in decoded.items() if name in toolkit},
        json.loads((config / "inputdataconfig.json").read_text()),
        json.loads((config / "resourceconfig.json").read_text()),
    )


def decode(hyperparameters: Mapping[str, str]) -> Json:
    """Decode each value as JSON, which the SDK writes; other values are texts."""
    return {name: _decoded(text) for name, text in hyperparameters.items()}


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def to_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """``--name value``, sorted by name; ``-n value`` for a name of one letter."""
    arguments: list[str] = []
    for name, value in sorted(hyperparameters.items()):
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", _as_argument(value)]
    return arguments


def _as_argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return "" if value is None else str(value)


def to_variables(settings: Settings) -> dict[str, str]:
    """The variables SM_* of a script."""
    values = _values(settings)
    values["training_env"] = dict(values)
    values |= {f"channel_{name}": path for name, path in _channels(settings).items()}
    values |= {f"hp_{name}": value for name, value in settings.hyperparameters.items()}
    return {f"SM_{name.upper()}": _as_variable(value) for name, value in values.items()}


def _values(settings: Settings) -> Json:
    root, resources = settings.root, settings.resources
    groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
    own = resources["current_group_name"]
    hosts = {"hosts": resources["hosts"], "current_host": resources["current_host"]}
    folders = {
        "input_dir": str(root / "input"),
        "input_config_dir": str(root / "input/config"),
        "output_dir": str(root / "output"),
        "output_data_dir": str(root / "output/data"),
        "output_intermediate_dir": str(root / "output/intermediate"),
        "model_dir": str(root / "model"),
        "module_dir": settings.submitted,
    }
    instances = {
        "current_instance_type": resources["current_instance_type"],
        "current_instance_group": own,
        "current_instance_group_hosts": groups[own]["hosts"],
        "instance_groups": sorted(groups),
        "instance_groups_dict": groups,
        "distribution_instance_groups": [],
        "is_hetero": len(groups) > 1,
        "network_interface_name": resources["network_interface_name"],
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": count_gpus(),
        "num_neurons": 0,
    }
    return (
        hosts
        | folders
        | instances
        | {
            "hps": settings.hyperparameters,
            "user_entry_point": settings.program,
            "user_args": to_arguments(settings.hyperparameters),
            "module_name": settings.program.removesuffix(".py"),
            "framework_module": None,
            "framework_params": {
                name: value for name, value in settings.toolkit.items() if name not in _SHOWN_ELSEWHERE
            },
            "log_level": settings.toolkit.get("sagemaker_container_log_level", 20),
            "input_data_config": settings.channels,
            "resource_config": resources,
            "channels": sorted(settings.channels),
        }
    )


_SHOWN_ELSEWHERE = frozenset(
    {
        *_OWN,
        "sagemaker_program",
        "sagemaker_submit_directory",
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_region",
        "sagemaker_container_log_level",
        "sagemaker_job_name",
        "sagemaker_s3_output",
    }
)


def _channels(settings: Settings) -> dict[str, str]:
    return {name: str(settings.root / "input/data" / name) for name in settings.channels}


def _as_variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def count_gpus() -> int:
    """The number of GPUs that NVIDIA's driver shows to this job."""
    try:
        listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True)  # noqa: S607 - wherever the driver puts it
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines())
