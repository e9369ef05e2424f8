"""With EndpointType=function, an approved model answers from a Lambda, and people call it as the mail says."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cli.deploy import ENDPOINT_TYPE, NO_ENDPOINT, set_parameter
from tests.e2e.up import SAMPLE, Up

NAME = "mpg-local-serve:auto-mpg"


@pytest.fixture(scope="module")
def approved(up: Up) -> Iterator[dict[str, Any]]:
    """What `mpg run` said about a run whose model was approved and released to the function."""
    set_parameter(up.endpoint, ENDPOINT_TYPE, "function")
    code, result = up.place.run_json(str(SAMPLE), "--decision", "approve")
    assert code == 0, result
    yield result
    set_parameter(up.endpoint, ENDPOINT_TYPE, NO_ENDPOINT)


def test_the_approved_model_answers_from_a_version_of_the_function(up: Up, approved: dict[str, Any]) -> None:
    endpoint = approved["endpoint"]
    assert (endpoint["name"], endpoint["status"]) == (NAME, "live")
    assert endpoint["smoke_test"] == {"rows": 20, "largest_difference": 0}
    alias = up.client("lambda").get_alias(FunctionName="mpg-local-serve", Name="auto-mpg")
    assert alias["FunctionVersion"] != "$LATEST"


def test_mpg_predict_gives_its_answers(up: Up, approved: dict[str, Any], tmp_path: Path) -> None:
    rows = tmp_path / "cars.csv"
    rows.write_text("".join(SAMPLE.read_text().splitlines(keepends=True)[:3]))
    done = up.place.call("predict", "auto_mpg", str(rows))
    assert done.returncode == 0, done.stderr
    assert [5 < float(line) < 60 for line in done.stdout.splitlines()] == [True, True]


def test_the_mails_command_gives_its_answer(up: Up, approved: dict[str, Any]) -> None:
    text = up.mail("NotificationTopic", "Type:        function").text
    command = re.search(r"^aws lambda invoke.*?/dev/stdout$", text, re.MULTILINE | re.DOTALL)
    assert command is not None, text
    # The locked AWS CLI is version 1, which takes the payload as it is and does not know the option.
    pasted = command[0].replace("\\\n", "").replace("--cli-binary-format raw-in-base64-out", "")
    _, *arguments = shlex.split(pasted)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "aws"), *arguments],
        env=up.endpoint.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer = json.JSONDecoder().raw_decode(done.stdout)[0]
    assert answer["status"] == 200
    assert 5 < float(answer["body"]) < 60
