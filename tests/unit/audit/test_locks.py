"""The installed packages are exactly the locked ones, byte for byte."""

import re
import tomllib
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CARRIED = ["functions/requirements.txt", "processing/requirements.txt"]
LOCKS = [
    "requirements.lock",
    "requirements-audit.lock",
    "requirements-uv.lock",
    "requirements-pytorch.lock",
    "requirements-bench.lock",
    *CARRIED,
]


def requirements(lock: str) -> list[str]:
    """Each requirement on one line, including its hashes."""
    joined = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def releases(lock: str) -> list[str]:
    """Each `package==version`; a package can have one for older and one for newer Pythons."""
    found = (re.match(r"[a-z0-9-]+==[^\s;*]+", line) for line in requirements(lock))
    return [match[0] for match in found if match]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_one_version_with_its_hashes(lock: str) -> None:
    lines = requirements(lock)
    assert lines
    assert [line for line in lines if not re.search(r" --hash=sha256:[0-9a-f]{64}\b", line)] == []
    assert len(releases(lock)) == len(lines)


def test_pip_installs_what_is_locked_alone() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    installs = [line for line in makefile.splitlines() if "-m pip install" in line]
    assert installs
    assert all("--require-hashes" in line and "requirements-uv.lock" in line for line in installs)


@pytest.mark.parametrize("lock", CARRIED)
def test_the_functions_carry_the_versions_that_the_tests_run_with(lock: str) -> None:
    assert set(releases(lock)) <= set(releases("requirements.lock"))


@pytest.mark.parametrize("lock", CARRIED)
def test_the_functions_carry_no_file_that_is_not_locked_for_the_tests(lock: str) -> None:
    def hashes(lock: str) -> set[str]:
        return set(re.findall("sha256:[0-9a-f]{64}", (ROOT / lock).read_text(encoding="utf-8")))

    assert hashes(lock) <= hashes("requirements.lock")


def test_one_dependency_at_most_pins_the_sdk() -> None:
    """Two packages that pin different patch versions, like the SAM CLI and ministack, break `pip install .`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [re.split(r"[^\w-]", dependency)[0] for dependency in project["dependencies"]]

    sdk = re.compile(r"(boto3|botocore)\b[^;]*==")
    pins = {name for name in asked if any(map(sdk.match, requires(name)))}
    assert pins == {"ministack"}


def requires(name: str) -> list[str]:
    """The requirements of a package; none for a package of another platform."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.requires(name) or []
    return []
