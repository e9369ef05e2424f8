"""Deploying as a person does, on the embedded AWS: `make deploy` and `make destroy`, `sam sync` and `sam delete`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local.cli.build import SOURCES
from tests.conftest import ROOT, Aws
from tests.integration.belongings import groups, register, remains

STACK = "mpg-mine"
SYNCED = "mpg-synced"
ARTIFACTS = "artifacts-of-test-deploy"
# The SAM CLI, which else looks every half minute whether a stack is gone.
SAM = (
    "import time; sleep = time.sleep; time.sleep = lambda seconds: sleep(min(seconds, 2.0)); "
    "from deploy.sam import main; main()"
)
TOOLS = str(Path(sys.executable).parent)
ADDRESSES = {"ApproverEmail": "approver@example.com", "NotificationEmail": "team@example.com"}


class Terminal:
    """Runs commands in a copy of the project, because SAM keeps answers and builds in it."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.project = folder / "project"
        self._environment = {
            **aws.environment,
            "PATH": os.pathsep.join((TOOLS, os.environ["PATH"])),
            "TMPDIR": str(folder),
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.3",
        }
        self.project.mkdir()
        for source in (*SOURCES, "deploy", "local"):
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, self.project / source)
        functions = self.project / "functions"
        # SAM packs it for every function anew; nobody opens the catalogue's page here.
        [large] = (functions / "catalogue_site").glob("*.wasm.gz")
        large.write_bytes(b"")
        # The same goes for the libraries, of which one is enough where no function runs.
        libraries = functions / "requirements.txt"
        [smallest] = re.findall(r"^jmespath==.*(?:\n    .*)+\n", libraries.read_text(), re.MULTILINE)
        libraries.write_text(smallest)

    def mpg(self, *arguments: str, answers: Sequence[str] = ()) -> str:
        return self._run(sys.executable, "-m", "local.cli.main", *arguments, answers=answers)

    def sam(self, *arguments: str, answers: Sequence[str] = ()) -> str:
        return self._run(sys.executable, "-c", SAM, *arguments, "--config-env", "local", answers=answers)

    def _run(self, *command: str, answers: Sequence[str]) -> str:
        done = subprocess.run(
            command,
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
    said = terminal.mpg("deploy", "--skip-quotas", answers=[STACK, "", *asked, "y", "y", "", "", "", "y"])
    assert said.index("need a y") < said.index("Setting default arguments")
    first = deployed_parameters(aws)
    assert first.items() >= ADDRESSES.items()
    # And then a parameter is changed where the answers were stored
    kept = terminal.project / "samconfig.toml"
    changed = kept.read_text(encoding="utf-8").replace('MaxTrials=\\"10\\"', 'MaxTrials=\\"5\\"')
    kept.write_text(changed, encoding="utf-8")
    assert "Setting default arguments" not in terminal.mpg("deploy", answers=["y"])
    assert deployed_parameters(aws) == first | {"MaxTrials": "5"}
    # And the stack's name is the answer to whether it may go
    terminal.mpg("destroy", answers=[STACK])
    buckets = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    assert [name for name in buckets if name.startswith(STACK)] == []


def outputs_of(aws: Aws, stack: str) -> dict[str, str]:
    (found,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def code_of_functions(aws: Aws, stack: str) -> dict[str, str]:
    """What the stack's functions run, by their logical id."""
    resources = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    functions = {
        each["LogicalResourceId"]: each
        for each in resources
        if each["ResourceType"] == "AWS::Lambda::Function"
    }
    return {
        name: aws.client("lambda").get_function_configuration(FunctionName=each["PhysicalResourceId"])[
            "CodeSha256"
        ]
        for name, each in functions.items()
    }


def test_sam_sync_creates_and_changes_a_stack_and_sam_delete_leaves_its_data_to_destroy(
    aws: Aws, terminal: Terminal
) -> None:
    aws.client("s3").create_bucket(Bucket=ARTIFACTS)
    stack = ["--stack-name", SYNCED, "--region", "us-east-1"]
    sync = ["sync", *stack, "--s3-bucket", ARTIFACTS, "--no-watch"]
    sync += ["--parameter-overrides", *(f"{name}={value}" for name, value in ADDRESSES.items())]
    # The whole template, with its nested stack and the one that SAM makes for the libraries
    terminal.sam(*sync, answers=["y"])
    outputs, first = outputs_of(aws, SYNCED), code_of_functions(aws, SYNCED)
    # One function that somebody edits
    handler = terminal.project / "functions" / "handlers" / "sweep.py"
    handler.write_text(handler.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    terminal.sam(*sync, "--code", "--resource-id", "SweepFunction", answers=["y"])
    now = code_of_functions(aws, SYNCED)
    assert [name for name in first if first[name] != now[name]] == ["SweepFunction"]
    # The models stay until somebody destroys them
    terminal.sam("delete", *stack, "--no-prompts")
    summaries = aws.client("cloudformation").list_stacks()["StackSummaries"]
    ours = {each["StackStatus"] for each in summaries if each["StackName"].startswith(SYNCED)}
    assert ours == {"DELETE_COMPLETE"}
    data = {outputs[name] for name in ("BucketName", "AccessLogsBucketName", "TableName")}
    of_the_workloads = {name for name in groups(aws) if name.startswith(outputs["ModelPackageGroupPrefix"])}
    assert len(of_the_workloads) == len(list((ROOT / "processing").glob("*/workload.json"))) > 1
    for group in of_the_workloads:
        register(aws, group)
    assert set(remains(aws, SYNCED)) == data | of_the_workloads
    terminal.mpg("destroy", "--stack-name", SYNCED, "--region", "us-east-1", "--yes")
    assert remains(aws, SYNCED) == []
