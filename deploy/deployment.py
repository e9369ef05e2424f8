"""Deploy to AWS: with a check of the quotas and SAM's questions the first time, without them later."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3

from deploy.belongings import find_belongings
from deploy.packages import pack
from deploy.problems import Trouble
from deploy.quotas import check_account
from deploy.settings import ROOT, Settings, image_accounts, read_settings

# A stack in this state exists in name only: nobody has executed its first change set.
_NOT_YET = {"", "REVIEW_IN_PROGRESS"}
# CloudFormation cannot update a stack in one of these states.
_DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_BEFORE_LOOKING = "Where do you want to deploy? Press Enter to accept the value in brackets."
_BEFORE_THE_QUESTIONS = """
SAM now asks for name, region and parameters. Press Enter to accept the value in brackets, which for name and
region is your own answer. Two questions need a y each:
"ReviewFunction (and CatalogueFunction) Function Url has no authentication. Is this okay?" Approval mails link
to the one page, links that you issue to the other. Nobody can guess a link, and without one the pages show
nothing.
"""


def deploy(environment: str, region: str | None, *, skip_quotas: bool) -> int:
    """Returns the SAM CLI's exit code. Raises Trouble for a lacking quota or a stack that cannot change."""
    settings = read_settings(environment)
    settings = replace(settings, region=region or settings.region or boto3.Session().region_name)
    # The questions also set parameters for which an environment has no value yet.
    guided = bool(settings.missing) or stack_status(settings) in _NOT_YET
    if guided:
        settings = ask_where(settings)
    check_place(settings, skip_quotas=skip_quotas)
    chosen = ["--config-env", environment]
    if guided:
        chosen += ["--stack-name", settings.stack_name, "--region", str(settings.region)]
    elif region:
        chosen += ["--region", region]
    if built := sam("build", "--config-env", environment):
        return built
    if guided:
        print(_BEFORE_THE_QUESTIONS, flush=True)
    packed = pack(ROOT / ".aws-sam" / "build" / "template.yaml")
    return sam(
        # SAM looks for its settings beside the template.
        *("deploy", *chosen, "--config-file", str(ROOT / "samconfig.toml")),
        *("--template-file", str(packed), "--use-json"),
        *(["--guided"] if guided else []),
    )


def ask_where(settings: Settings) -> Settings:
    """Ask for the stack's name and region before checking anything there; SAM offers them as defaults."""
    print(_BEFORE_LOOKING)
    name = answer("Stack name", settings.stack_name)
    return replace(settings, stack_name=name, region=answer("AWS region", settings.region or "us-east-1"))


def answer(question: str, default: str, terminal: int = 0) -> str:
    """A person's answer; the default for an empty line. Raises Trouble if nobody is there to answer."""
    print(f"{question} [{default}]: ", end="", flush=True)
    # Unbuffered: the rest of the input is for SAM.
    with os.fdopen(terminal, "rb", buffering=0, closefd=False) as lines:
        line = lines.readline()
    if not line:
        raise Trouble("There is no terminal to ask at", "Run it in a terminal the first time.")
    return line.decode(errors="replace").strip() or default


def check_place(settings: Settings, *, skip_quotas: bool) -> None:
    """Raises Trouble if the stack cannot be deployed there."""
    if settings.region and settings.region not in image_accounts():
        raise Trouble(
            f"The pipeline does not support {settings.region}", "docs/aws.md, Region, explains why."
        )
    status = stack_status(settings)
    if status in _DEAD:
        raise Trouble(
            f"The stack {settings.stack_name} is in {status} and cannot be updated",
            "Its events say why. "
            f"Remove it with `make destroy ENV={settings.environment}`, then deploy again.",
        )
    if status in _NOT_YET and not skip_quotas and not check_account(settings, settings.region):
        raise Trouble(
            "The account lacks a quota that the pipeline needs",
            "Request it and deploy when AWS has granted it, or deploy without this check: "
            f".venv/bin/mpg deploy --skip-quotas --config-env {settings.environment}",
        )


def stack_status(settings: Settings) -> str:
    """The stack's status in CloudFormation; empty if there is no stack."""
    session = boto3.Session(region_name=settings.region)
    return find_belongings(session.client, settings.stack_name).status


def sam(*arguments: str) -> int:
    """Run the SAM CLI in the terminal."""
    beside_python = str(Path(sys.executable).parent)
    # Its build calls uv, which is in the same folder.
    environment = {**os.environ, "PATH": os.pathsep.join((beside_python, os.environ.get("PATH", "")))}
    command = [sys.executable, "-m", "deploy.sam", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603 - our own
