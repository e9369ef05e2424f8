"""`make deploy` as a person meets it: the questions of the first time, a change, the end; on the embedded AWS."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local.cli.build import SOURCES
from tests.conftest import ROOT, Aws

STACK = "mpg-mine"
ADDRESSES = {"ApproverEmail": "approver@example.com", "NotificationEmail": "team@example.com"}


class Terminal:
    """Runs commands in a copy of the project, because SAM keeps answers and builds in it."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.project = folder / "project"
        self._environment = {
            **aws.environment,
            "TMPDIR": str(folder),
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.3",
        }
        self.project.mkdir()
        for source in (*SOURCES, "deploy", "local"):
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, self.project / source)

    def run(self, *arguments: str, answers: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "local.cli.main", *arguments],
            cwd=self.project,
            env=self._environment,
            input="".join(f"{answer}\n" for answer in answers),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def terminal(aws: Aws, tmp_path: Path) -> Terminal:
    return Terminal(aws, tmp_path)


def deployed_parameters(aws: Aws) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}


def test_a_stack_is_deployed_by_answering_then_changed_without_questions_then_destroyed(
    aws: Aws, terminal: Terminal
) -> None:
    # Given answers: where to deploy; then Enter for stack, region and most parameters, for a look at the changes, roles and rollback
    parameters = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    asked = ["", "", *(ADDRESSES.get(name, "") for name in parameters), "", "", ""]
    # When the page may have no authentication, all this is kept in samconfig.toml, and the changes are right
    said = terminal.run("deploy", "--skip-quotas", answers=[STACK, "", *asked, "y", "", "", "", "y"])
    assert said.index("needs a y") < said.index("Setting default arguments")
    first = deployed_parameters(aws)
    assert first.items() >= ADDRESSES.items()
    # And then a parameter is changed where the answers were kept
    kept = terminal.project / "samconfig.toml"
    changed = kept.read_text(encoding="utf-8").replace('MaxTrials=\\"10\\"', 'MaxTrials=\\"5\\"')
    kept.write_text(changed, encoding="utf-8")
    assert "Setting default arguments" not in terminal.run("deploy", answers=["y"])
    assert deployed_parameters(aws) == first | {"MaxTrials": "5"}
    # And the stack's name is the answer to whether it may go
    terminal.run("destroy", answers=[STACK])
    buckets = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    assert [name for name in buckets if name.startswith(STACK)] == []
