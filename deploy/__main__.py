"""Deploy to AWS: the first time with a look at the account's quotas and SAM's questions, later without."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3

from deploy.belongings import find_belongings
from deploy.problems import Trouble, told_to_a_person
from deploy.quotas import check_account
from deploy.settings import ROOT, read_settings

# Until somebody executes its first change set, a stack is only a name.
_NOT_YET = {"", "REVIEW_IN_PROGRESS"}
# CloudFormation updates no stack that is in one of these.
_DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_BEFORE_THE_QUESTIONS = """
SAM asks for what will be deployed; Enter takes what stands in brackets. One answer has to be given:
"ReviewFunction Function Url has no authentication. Is this okay?" wants a y. That page is the one behind the
link in an approval mail. Nobody can guess the link, and without it the page shows nothing.
"""


def deploy(environment: str, region: str | None, *, skip_quotas: bool) -> int:
    """Returns the SAM CLI's exit code. Raises Trouble for a lacking quota or a stack that cannot change."""
    settings = read_settings(environment)
    region = region or settings.region
    session = boto3.Session(region_name=region)
    status = find_belongings(session.client, settings.stack_name).status
    if status in _DEAD:
        raise Trouble(
            f"The stack {settings.stack_name} is in {status} and cannot be updated. Its events tell why. "
            f"Remove it with `make destroy ENV={environment}`, then deploy again."
        )
    first = status in _NOT_YET
    if first and not skip_quotas and not check_account(settings, region):
        raise Trouble(
            "Ask for the quotas and come back when AWS has granted them, or deploy without looking at them: "
            f".venv/bin/python -m deploy --skip-quotas --config-env {environment}"
        )
    options = ["--config-env", environment, *(["--region", region] if region else [])]
    # The questions are also the way to set what an environment has no value for yet.
    questions = ["--guided"] if first or settings.missing else []
    if built := sam("build", *options):
        return built
    if questions:
        print(_BEFORE_THE_QUESTIONS, flush=True)
    return sam("deploy", *options, *questions)


def sam(*arguments: str) -> int:
    """Run the project's own SAM CLI at the terminal."""
    beside_python = str(Path(sys.executable).parent)
    # Its build calls uv, which lies there too.
    environment = {**os.environ, "PATH": os.pathsep.join((beside_python, os.environ.get("PATH", "")))}
    return subprocess.run(["sam", *arguments], cwd=ROOT, env=environment, check=False).returncode  # noqa: S603, S607 - the SAM CLI of this PATH


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the SAM CLI, or 2 when it was not called."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument(
        "--config-env", default="default", help="environment of samconfig.toml (default: default)"
    )
    parser.add_argument("--region", help="AWS region (default: that of samconfig.toml or the AWS profile)")
    parser.add_argument("--skip-quotas", action="store_true", help="do not look at the account's quotas")
    options = parser.parse_args(arguments)
    with told_to_a_person():
        return deploy(options.config_env, options.region, skip_quotas=options.skip_quotas)
    return 2


if __name__ == "__main__":
    sys.exit(main())
