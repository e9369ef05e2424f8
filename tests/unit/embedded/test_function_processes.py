"""Processes of functions, forked from a warm interpreter: what the emulator may expect of them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.embedded.function_processes import SUPPORTED, FunctionProcess, FunctionProcesses, WarmSubprocess
from local.embedded.function_zygote import SERVICES

if not SUPPORTED:
    pytest.skip("this system cannot watch a process that is nobody's child", allow_module_level=True)

ECHO = """
import json, os, sys
print("a word on the error stream", file=sys.stderr)
for line in sys.stdin:
    found = [line.strip(), os.environ["COLOUR"], sorted(set(os.environ) - {"COLOUR"}), os.getcwd(), sys.argv[0]]
    print(json.dumps([*found, sys.path[0], "boto3" in sys.modules, __name__]), flush=True)
"""


@pytest.fixture(scope="module")
def functions() -> FunctionProcesses:
    return FunctionProcesses()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "echo.py"
    path.write_text(ECHO)
    return path


@pytest.fixture
def echo(functions: FunctionProcesses, script: Path) -> FunctionProcess:
    return functions.start(str(script), str(script.parent), {"COLOUR": "blue"})


def test_it_is_what_python_would_have_been_with_the_sdk_imported(echo: FunctionProcess, script: Path) -> None:
    echo.stdin.write("hello\n")
    said = echo.stdout.readline()
    folder = str(script.parent)
    assert said == f'["hello", "blue", [], "{folder}", "{script}", "{folder}", true, "__main__"]\n'
    assert echo.stderr.readline() == "a word on the error stream\n"


def test_it_ends_when_nobody_can_write_to_it_any_more(echo: FunctionProcess) -> None:
    assert echo.poll() is None
    echo.stdin.close()
    assert echo.wait(10) == 0
    assert echo.poll() == 0
    assert echo.stdout.read() == ""


def test_it_can_be_terminated_and_a_second_time_does_no_harm(echo: FunctionProcess) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        echo.wait(0.01)
    echo.terminate()
    echo.wait(10)
    echo.terminate()
    echo.kill()


def test_one_that_ignores_to_be_terminated_can_be_killed(
    functions: FunctionProcesses, tmp_path: Path
) -> None:
    path = tmp_path / "stubborn.py"
    path.write_text(
        f"import signal\nsignal.signal({signal.SIGTERM}, signal.SIG_IGN)\nprint('on', flush=True)\ninput()"
    )
    process = functions.start(str(path), str(tmp_path), {})
    assert process.stdout.readline() == "on\n"
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.kill()
    assert process.wait(10) == 0


def test_what_fails_says_why_and_ends(functions: FunctionProcesses, tmp_path: Path) -> None:
    path = tmp_path / "failing.py"
    path.write_text("raise ValueError('bad')")
    process = functions.start(str(path), str(tmp_path), {})
    assert process.stderr.read().endswith("ValueError: bad\n")
    assert process.wait(10) == 0


def test_the_warm_interpreter_starts_once_and_before_the_first_function_if_asked(script: Path) -> None:
    functions = FunctionProcesses()
    functions.prepare()
    prepared = functions._zygote
    assert prepared is not None
    functions.start(str(script), str(script.parent), {"COLOUR": "red"}).stdin.close()
    functions.prepare()
    assert functions._zygote is prepared


def test_after_the_warm_interpreter_was_killed_another_one_takes_over(script: Path) -> None:
    functions = FunctionProcesses()
    folder = str(script.parent)
    functions.start(str(script), folder, {"COLOUR": "red"}).kill()
    zygote = functions._zygote
    assert zygote is not None
    zygote.kill()
    zygote.wait(10)
    functions.start(str(script), folder, {"COLOUR": "red"}).stdin.close()
    assert functions._zygote is not zygote


CLIENT = """
import boto3, json
client = boto3.client("s3")
credentials = client._request_signer._credentials
read = boto3.DEFAULT_SESSION._session.get_component("data_loader")._cache
models = sorted({key[1] for key in read if len(key) > 2 and key[2] == "service-2"})
models += sorted({f"tables of {key[1]}" for key in read if len(key) > 2 and key[2] == "resources-1"})
said = [client.meta.region_name, client.meta.endpoint_url, credentials.access_key, credentials.token, models]
print(json.dumps(said))
"""


def test_the_sdk_has_read_its_models_and_nothing_of_the_environment(
    functions: FunctionProcesses, tmp_path: Path
) -> None:
    path, models = tmp_path / "client.py", [*sorted(SERVICES), "tables of dynamodb"]
    path.write_text(CLIENT)
    for name, region in (("one", "eu-west-1"), ("two", "eu-west-2")):
        own = {
            "AWS_ACCESS_KEY_ID": name,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": f"token of {name}",
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": f"http://{name}",
        }
        process = functions.start(str(path), str(tmp_path), own)
        said = json.loads(process.stdout.readline() or process.stderr.read())
        assert said == [region, f"http://{name}", name, f"token of {name}", models]


def test_functions_do_not_see_each_others_streams(functions: FunctionProcesses, script: Path) -> None:
    first, second = (functions.start(str(script), str(script.parent), {"COLOUR": each}) for each in "ab")
    first.stdin.close()
    first.wait(10)
    second.stdin.write("still here\n")
    assert "still here" in second.stdout.readline()
    second.kill()


def test_a_function_in_another_language_starts_as_ever(functions: FunctionProcesses, tmp_path: Path) -> None:
    warm = WarmSubprocess(functions)
    command = ["echo", "not Python"]
    process = warm.Popen(command, cwd=str(tmp_path), env={}, stdout=warm.PIPE, text=True)
    assert process.communicate() == ("not Python\n", None)
    python = warm.Popen([sys.executable, str(tmp_path / "missing.py")], cwd=str(tmp_path), env={})
    assert "missing.py" in python.stderr.read()
