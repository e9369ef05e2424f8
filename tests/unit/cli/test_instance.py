import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local.cli.instance import AlreadyRunning, Instance, Note, read_running, sweep_up
from local.cli.project import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".mpg" / "up.json"


def note(work: str = "none", port: int | None = 4566) -> Note:
    return Note(pid=os.getpid(), port=port, work=work, started="2026-01-05T12:00:00+00:00")


def test_others_read_the_note_while_the_instance_lives(path: Path) -> None:
    instance, _ = Instance.claim(path)
    instance.write(note())
    assert read_running(path) == note()
    instance.release()
    assert read_running(path) is None


def test_nothing_is_left_after_release(path: Path) -> None:
    instance, _ = Instance.claim(path)
    instance.write(note())
    instance.release()
    instance.release()
    assert list(path.parent.iterdir()) == []


def test_a_second_instance_is_refused_and_learns_of_the_first(path: Path) -> None:
    instance, _ = Instance.claim(path)
    instance.write(note())
    with pytest.raises(AlreadyRunning) as refused:
        Instance.claim(path)
    assert refused.value.note == note()
    instance.release()


def test_a_note_is_rewritten_whole(path: Path) -> None:
    instance, _ = Instance.claim(path)
    instance.write(note(work="a much longer path than the next one"))
    instance.write(note(work="b"))
    assert read_running(path) == note(work="b")
    instance.release()


def test_it_is_ready_once_the_note_has_a_port(path: Path) -> None:
    instance, _ = Instance.claim(path)
    instance.write(note(port=None))
    assert not instance.is_ready
    instance.write(note())
    assert instance.is_ready
    instance.release()


def test_the_note_of_a_killed_process_is_stale_and_passed_to_the_next_instance(path: Path) -> None:
    code = f"""
import os, pathlib, signal
from local.cli.instance import Instance, Note
instance, _ = Instance.claim(pathlib.Path({str(path)!r}))
instance.write(Note(pid=os.getpid(), port=1, work="lost", started="then"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert path.exists()
    assert read_running(path) is None
    instance, stale = Instance.claim(path)
    assert stale is not None
    assert stale.work == "lost"
    instance.release()


def test_a_truncated_note_is_ignored(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"pid": 1, "po')
    instance, stale = Instance.claim(path)
    assert stale is None
    instance.release()


def test_only_our_own_working_folder_is_removed(tmp_path: Path) -> None:
    precious = tmp_path / "mpg-precious"
    precious.mkdir()
    assert not sweep_up(note(work=str(precious)))
    assert precious.is_dir()
    ours = Path(tempfile.mkdtemp(prefix="mpg-"))
    assert sweep_up(note(work=str(ours)))
    assert not ours.exists()
