"""A function makes its clients while its execution environment starts, the only time when it has a whole CPU."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Prints how many clients are made by calls that the handler makes later.
MADE = """
import importlib, sys
importlib.import_module(sys.argv[1])
from shared.aws import client
made = client.cache_info().misses
client(sys.argv[2])
client(sys.argv[2], read_timeout=int(sys.argv[3]))
print(client.cache_info().misses - made)
"""


@pytest.mark.parametrize(
    ("handler", "service", "seconds"),
    [
        ("handlers.check_upload", "s3", 60),
        ("handlers.request_approval", "sagemaker", 3),
        ("handlers.notify", "sagemaker", 3),
    ],
)
def test_no_client_is_made_in_a_call(handler: str, service: str, seconds: int) -> None:
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": f"{ROOT}/functions:{ROOT}/processing",
    }
    command = [sys.executable, "-c", MADE, handler, service, str(seconds)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")
