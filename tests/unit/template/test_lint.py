"""What the SAM CLI and cfn-lint say about the template."""

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.template.stack import REGION, ROOT

TOOLS = Path(sys.executable).parent
# Log groups and dead letters may go with the stack; that is CloudFormation's default.
IGNORED = ["I3011"]


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    command = [str(TOOLS / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_template_is_valid_for_sam() -> None:
    said = run("sam", "validate", "--lint")
    assert "is a valid SAM Template" in said.stdout, said.stdout + said.stderr


def test_the_template_is_clean_for_cfn_lint_down_to_its_notes() -> None:
    said = run("cfn-lint", "--include-checks", "I", "--ignore-checks", *IGNORED, "--", "template.yaml")
    assert said.returncode == 0, said.stdout + said.stderr
