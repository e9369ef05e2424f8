import json
import os
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from deploy.packages import pack
from deploy.problems import Trouble
from local.cli.build import Build, fingerprint


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("functions", "processing", "stacks", "statemachine"):
        (tmp_path / folder).mkdir()
    for file in (
        "template.yaml",
        "samconfig.toml",
        "functions/a.py",
        "processing/b.py",
        "stacks/d.yaml",
        "statemachine/c.json",
    ):
        (tmp_path / file).write_text(file)
    return tmp_path


def fill(build: Build) -> None:
    arguments = build.arguments()
    app = Path(arguments[arguments.index("--build-dir") + 1])
    app.mkdir(parents=True)
    (app / "template.yaml").write_text("Resources: {Bucket: {Type: !Ref Kind}}")
    pack(build.unpacked)


def test_without_the_sam_cli_the_error_says_how_to_get_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("local.cli.build.version", missing)

    with pytest.raises(Trouble, match="The SAM CLI is not installed"):
        fingerprint(root)


@pytest.mark.parametrize(
    "file",
    [
        "template.yaml",
        "stacks/d.yaml",
        "samconfig.toml",
        "functions/a.py",
        "processing/b.py",
        "statemachine/c.json",
    ],
)
def test_a_change_of_any_input_changes_the_fingerprint(root: Path, file: str) -> None:
    before = fingerprint(root)
    (root / file).write_text("changed")
    assert fingerprint(root) != before


def test_a_moved_file_changes_the_fingerprint(root: Path) -> None:
    before = fingerprint(root)
    (root / "functions/a.py").rename(root / "functions/renamed.py")
    assert fingerprint(root) != before


def test_compiled_files_and_new_times_do_not_change_the_fingerprint(root: Path) -> None:
    before = fingerprint(root)
    (root / "functions/__pycache__").mkdir()
    (root / "functions/__pycache__/a.cpython-311.pyc").write_bytes(b"\0")
    os.utime(root / "template.yaml", (1, 1))
    assert fingerprint(root) == before


def test_a_build_is_there_only_when_it_is_finished(tmp_path: Path) -> None:
    build = Build("key", tmp_path)
    fill(build)
    assert not build.is_there
    build.finish()
    assert build.is_there
    assert json.loads(build.template.read_text()) == {"Resources": {"Bucket": {"Type": {"Ref": "Kind"}}}}
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    build = Build("key", tmp_path)
    fill(build)
    build.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_another_command_finished_in_the_meantime_is_kept(tmp_path: Path) -> None:
    build = Build("key", tmp_path)
    fill(build)
    other = tmp_path / "key" / "app"
    other.mkdir(parents=True)
    (other / "template.json").write_text("theirs")
    build.finish()
    assert build.template.read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_builds_too_old_to_be_in_use_are_removed(tmp_path: Path) -> None:
    for age, name in enumerate(["previous", "older", "oldest"]):
        (tmp_path / name).mkdir()
        then = time.time() - 7200 * (age + 1)
        os.utime(tmp_path / name, (then, then))
    (tmp_path / "of another command, right now").mkdir()
    build = Build("key", tmp_path)
    fill(build)
    build.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"key", "of another command, right now"}
