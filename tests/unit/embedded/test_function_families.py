"""Libraries that functions bring are imported once for all functions that share them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.embedded.function_families import LIBRARIES, MAX_FAMILIES
from local.embedded.function_processes import SUPPORTED, FunctionProcesses
from tests.conftest import eventually

if not SUPPORTED:
    pytest.skip("this system cannot watch a process that is nobody's child", allow_module_level=True)

# Notes each of its imports, and the variables that it sees.
LIBRARY = """
import json, os
with open("{noted}", "a") as file:
    print(json.dumps(dict(os.environ)), file=file)
"""
FUNCTION = """
import json, os, sys
loaded = "{name}" in sys.modules
import {name}
print(json.dumps([loaded, {name}.__file__, os.getppid(), os.environ["NAME"]]))
"""
# Names what a library reads of the environment when it is imported, and the threads that it starts.
SPY = """
import collections.abc, json, os, sys, threading
import boto3, botocore.config
read = set()
look_up = type(os.environ).__getitem__
def spy(variables, name):
    read.add(name)
    return look_up(variables, name)
type(os.environ).__getitem__ = spy
__import__(sys.argv[1])
print(json.dumps([sorted(read), threading.active_count()]))
"""


class Functions:
    """Functions that bring a library of this name."""

    def __init__(self, processes: FunctionProcesses, folder: Path, name: str) -> None:
        self._processes = processes
        self._folder = folder
        self._name = name
        self._noted = folder / "noted"
        self.new_version()

    def new_version(self, source: str = LIBRARY) -> None:
        self.library = self._folder / f"version-{len(list(self._folder.iterdir()))}" / self._name
        self.library.mkdir(parents=True)
        (self.library / "__init__.py").write_text(source.format(noted=self._noted))

    def run(self, function: str, *, linked: bool = True, **variables: str) -> tuple[list[object], str]:
        """What a new process of the function prints: its output as JSON, and its errors."""
        code = self._folder / function
        code.mkdir(exist_ok=True)
        place = code / self._name
        place.unlink(missing_ok=True)
        if linked:
            place.symlink_to(self.library)
        else:
            self.library.rename(place)
        (code / "script.py").write_text(FUNCTION.format(name=self._name))
        process = self._processes.start(str(code / "script.py"), str(code), {"NAME": function, **variables})
        answered, errors = process.stdout.read(), process.stderr.read()
        process.wait(10)
        return json.loads(answered or "[]"), errors

    def imports(self) -> list[dict[str, str]]:
        """The variables at each import of the library."""
        return [json.loads(line) for line in self._noted.read_text().splitlines()]


@pytest.fixture(scope="module")
def processes() -> FunctionProcesses:
    """The same for all tests, since its interpreter imports the SDK; each test has libraries of its own."""
    return FunctionProcesses()


@pytest.fixture
def functions(processes: FunctionProcesses, tmp_path: Path) -> Functions:
    return Functions(processes, tmp_path, "aws_lambda_powertools")


def test_functions_that_share_a_library_share_its_import(functions: Functions) -> None:
    (first, _), (second, _) = functions.run("first"), functions.run("second")
    file = str(functions.library / "__init__.py")
    family = first[2]
    assert [first, second] == [[True, file, family, "first"], [True, file, family, "second"]]
    assert functions.imports() == [{}]


def test_a_function_whose_variable_sets_the_library_up_imports_it_itself(functions: Functions) -> None:
    functions.run("first")
    answer, _ = functions.run("second", POWERTOOLS_DEBUG="true")
    assert answer[0] is False
    assert functions.imports()[1]["POWERTOOLS_DEBUG"] == "true"


def test_a_library_of_its_own_is_imported_by_the_function(functions: Functions) -> None:
    answer, _ = functions.run("first", linked=False)
    assert answer[0] is False
    assert [variables["NAME"] for variables in functions.imports()] == ["first"]


def test_a_library_that_cannot_be_imported_fails_in_the_function(functions: Functions) -> None:
    functions.new_version("raise ValueError('broken')")
    answer, errors = functions.run("first")
    assert answer == []
    assert "ValueError: broken" in errors


def test_a_killed_family_is_replaced(functions: Functions) -> None:
    [_, _, family, _], _ = functions.run("first")
    os.kill(int(str(family)), signal.SIGKILL)
    assert functions.run("second")[0][3] == "second"
    assert functions.run("third")[0][0] is True


def test_only_the_newest_versions_of_a_library_stay(functions: Functions) -> None:
    families = []
    for number in range(MAX_FAMILIES + 2):
        functions.new_version()
        families.append(functions.run(f"function-{number}")[0][2])
    eventually(
        lambda: (
            [Path(f"/proc/{family}").exists() for family in families] == [False] * 2 + [True] * MAX_FAMILIES
        )
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_reads_no_other_variables_and_starts_no_thread_when_it_is_imported(library: str) -> None:
    command = [sys.executable, "-c", SPY, library]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [sorted(LIBRARIES[library]), 1]
