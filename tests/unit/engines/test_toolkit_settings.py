"""The settings of a training script, and how AWS's toolkits pass them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker.engines.toolkit.settings import decode, read_settings, to_arguments, to_variables
from local.sagemaker.engines.toolkit.toolkits import TOOLKITS, called_process_error

RESOURCES = {
    "current_host": "algo-1",
    "current_instance_type": "ml.m5.large",
    "current_group_name": "homogeneousCluster",
    "hosts": ["algo-1"],
    "instance_groups": [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
    ],
    "network_interface_name": "eth0",
}


def write_config(root: Path, hyperparameters: dict[str, str], *channels: str) -> None:
    config = root / "input/config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps({name: {} for name in channels}))
    (config / "resourceconfig.json").write_text(json.dumps(RESOURCES))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.10", 0.1),
        ("1e-3", 0.001),
        ("true", True),
        ('"a b"', "a b"),
        ("a b", "a b"),
        ("[64, 32]", [64, 32]),
        ("", ""),
        ("'single'", "'single'"),
    ],
)
def test_a_hyperparameter_is_json_or_else_its_text(text: str, value: Any) -> None:
    assert decode({"name": text}) == {"name": value}


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({"lr": 0.001, "batch-size": 64}, ["--batch-size", "64", "--lr", "0.001"]),
        ({"n": 1}, ["-n", "1"]),
        ({"flag": True, "none": None}, ["--flag", "True", "--none", ""]),
        ({"layers": [64, 32]}, ["--layers", "[64, 32]"]),
        ({"weights": {"b": 2, "a": 1}}, ["--weights", "a=1,b=2"]),
        ({"text": "$(id) 'x'; y"}, ["--text", "$(id) 'x'; y"]),
        ({}, []),
    ],
)
def test_arguments_are_in_the_order_of_their_names(values: dict[str, Any], arguments: list[str]) -> None:
    assert to_arguments(values) == arguments


def test_the_variables_are_those_of_the_toolkit(tmp_path: Path) -> None:
    given = {
        "lr": "0.5",
        "sagemaker_program": '"digits/train.py"',
        "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
        "sagemaker_job_name": '"one"',
        "_tuning_objective_metric": "loss",
    }
    write_config(tmp_path, given, "train", "code")
    settings = read_settings(tmp_path)
    variables = to_variables(settings)

    assert settings.hyperparameters == {"lr": 0.5}
    assert (settings.program, settings.submitted) == ("digits/train.py", "s3://bucket/sourcedir.tar.gz")
    expected = {
        "SM_CHANNEL_TRAIN": f"{tmp_path}/input/data/train",
        "SM_CHANNELS": '["code","train"]',
        "SM_MODEL_DIR": f"{tmp_path}/model",
        "SM_OUTPUT_DATA_DIR": f"{tmp_path}/output/data",
        "SM_HPS": '{"lr":0.5}',
        "SM_HP_LR": "0.5",
        "SM_USER_ARGS": '["--lr","0.5"]',
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_USER_ENTRY_POINT": "digits/train.py",
        "SM_MODULE_NAME": "digits/train",
        "SM_MODULE_DIR": "s3://bucket/sourcedir.tar.gz",
        "SM_NUM_NEURONS": "0",
        "SM_FRAMEWORK_MODULE": "",
        "SM_FRAMEWORK_PARAMS": "{}",
    }
    assert {name: variables[name] for name in expected} == expected
    assert int(variables["SM_NUM_CPUS"]) >= 1
    assert json.loads(variables["SM_TRAINING_ENV"])["current_host"] == "algo-1"


def test_the_variable_names_the_program_before_the_hyperparameter_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path, {"sagemaker_program": "one.py"})
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "other.py")

    assert read_settings(tmp_path).program == "other.py"


@pytest.mark.parametrize(
    ("toolkit", "code", "text"),
    [
        ("sagemaker_containers", 3, 'ExecuteUserScriptError:\nCommand "python3 t.py"'),
        (
            "sagemaker_training",
            3,
            'ExecuteUserScriptError:\nExitCode 3\nErrorMessage ""\nCommand "python3 t.py"',
        ),
        (
            "sagemaker_pytorch_training",
            137,
            'ExecuteUserScriptError:\nExitCode 137\nErrorMessage ""\n'
            'ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"\nCommand "python3 t.py"',
        ),
    ],
)
def test_a_failure_is_reported_in_the_toolkits_words(toolkit: str, code: int, text: str) -> None:
    error = called_process_error(TOOLKITS[toolkit], "ExecuteUserScriptError", "python3 t.py", code)

    assert str(error) == text
