from pathlib import Path

import pytest

from tests.unit.processing.conftest import Script


@pytest.mark.parametrize("arguments", [[], ["preprocess"], ["train", "auto_mpg"], ["--help"]])
def test_without_a_step_and_a_workload_the_usage_is_shown(
    arguments: list[str], run_script: Script, tmp_path: Path
) -> None:
    done = run_script(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: run.py preprocess|evaluate|monitor WORKLOAD [options]\n"


def test_an_unknown_workload_is_reported_with_the_existing_ones(run_script: Script, tmp_path: Path) -> None:
    done = run_script("preprocess", "../x\x1b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("there is no workload '../x\\x1b'; there are auto_mpg")
    assert "Traceback" not in done.stderr


def test_an_option_that_is_missing_is_named(run_script: Script, tmp_path: Path) -> None:
    done = run_script("evaluate", "auto_mpg", "--model", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "the following arguments are required: --prepared" in done.stderr
