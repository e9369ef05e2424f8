"""A function makes its clients and pages while its execution environment starts, the only time when it has a whole CPU."""

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

# Prints how many pages are compiled by the time at which each handler can be called.
COMPILED = """
import importlib, sys
from web import templating
for handler in sys.argv[1:]:
    importlib.import_module(handler)
    print(len(templating._environment.cache))
"""
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "PYTHONPATH": f"{ROOT}/functions:{ROOT}/processing",
}


@pytest.mark.parametrize(
    ("handler", "service", "seconds"),
    [
        ("handlers.check_upload", "s3", 60),
        ("handlers.request_approval", "sagemaker", 3),
        ("handlers.notify", "sagemaker", 3),
    ],
)
def test_no_client_is_made_in_a_call(handler: str, service: str, seconds: int) -> None:
    assert printed(MADE, handler, service, str(seconds)) == "0\n"


def test_the_page_is_compiled_before_the_first_call_and_only_by_the_function_that_shows_it() -> None:
    pages = len(list(ROOT.glob("functions/web/templates/*.html")))
    assert printed(COMPILED, "handlers.notify", "handlers.catalogue", "handlers.review") == f"0\n0\n{pages}\n"


def printed(script: str, *arguments: str) -> str:
    """What a function's process prints, without warnings or errors."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=VARIABLES, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout
