"""How an image's interpreter is made, with a program in place of the real installer."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.sagemaker.engines import environments
from local.sagemaker.engines.environments import ENVIRONMENTS, Environment, EnvironmentMissing, make

# Creates the requested folder and counts its calls; fails if the list has the word "fail".
UV = """#!{python}
import pathlib, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[1] == "venv":
    folder = pathlib.Path(sys.argv[-1]) / "bin"
    folder.mkdir(parents=True)
    (folder / "python").touch()
elif "fail" in pathlib.Path(sys.argv[-1]).read_text():
    sys.exit("no route to the index")
"""


class Bench:
    """An environment to install, with the lines for people and the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "environments"
        self.lock = folder / "requirements.lock"
        self.lock.write_text("torch==2.6.0")
        self.log = folder / "log"
        self.said: list[str] = []
        self.environment = dataclasses.replace(
            ENVIRONMENTS["pytorch"], name="some", title="Some", lock=self.lock
        )

    def make(self) -> Path:
        return make(self.environment, self.said.append).executable

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setenv("MPG_ENVIRONMENTS", str(made.folder))
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin/uv"
    uv.write_text(UV.format(python=sys.executable, log=str(made.log)))
    uv.chmod(0o755)
    monkeypatch.setattr(environments, "sys", SimpleNamespace(executable=str(tmp_path / "bin/python")))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 * 10**9))
    return made


def test_an_environment_is_installed_once_after_a_line_with_its_size(bench: Bench) -> None:
    first, second = bench.make(), bench.make()

    digest = hashlib.sha256(b"torch==2.6.0").hexdigest()[:12]
    assert first == second == bench.folder / f"some-{digest}/bin/python"
    assert first.exists()
    assert len(bench.said) == 1
    assert "5.7 GB" in bench.said[0]
    assert "once" in bench.said[0]
    venv, sync = bench.log.read_text().splitlines()
    assert venv.startswith("venv --relocatable")
    assert sync.startswith("pip sync --require-hashes")
    assert bench.left() == [f"some-{digest}", "some.lock"]


def test_another_list_makes_another_environment(bench: Bench) -> None:
    first = bench.make()
    bench.lock.write_text("torch==2.6.1")

    assert bench.make() != first


def test_simultaneous_jobs_wait_for_one_installation(bench: Bench) -> None:
    threads = [threading.Thread(target=bench.make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(bench.log.read_text().splitlines()) == 2


def test_without_a_connection_nothing_is_left_and_the_error_says_what_to_do(bench: Bench) -> None:
    bench.lock.write_text("fail")

    with pytest.raises(EnvironmentMissing, match=r"Some is not installed.*connection") as missing:
        bench.make()
    assert "no route to the index" in missing.value.details
    assert "no route" not in str(missing.value)
    assert bench.left() == ["some.lock"]


def test_a_full_disk_is_refused_before_anything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3 * 10**9))

    with pytest.raises(EnvironmentMissing, match=r"takes up to 12 GB of disk: .* has 3\.0 GB"):
        bench.make()
    assert not bench.log.exists()
    assert bench.said == []


def test_the_rest_of_a_killed_installation_is_removed(bench: Bench) -> None:
    (bench.folder / ".some-abc/environment").mkdir(parents=True)
    bench.make()

    assert not (bench.folder / ".some-abc").exists()


def test_a_job_that_is_stopped_does_not_wait_for_the_others(bench: Bench) -> None:
    class Stopped(Exception):
        pass

    def check() -> None:
        raise Stopped

    bench.folder.mkdir()
    with (bench.folder / "some.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Stopped):
            make(bench.environment, bench.said.append, check)


def test_a_variable_names_the_folder_of_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPG_ENVIRONMENTS", raising=False)
    pytorch: Environment = ENVIRONMENTS["pytorch"]

    assert pytorch.folder.parent == Path(environments.__file__).resolve().parents[3] / ".mpg/environments"
    assert "torch==2.6.0" in pytorch.lock.read_text()
