import fcntl
import io
import os
import struct
import tarfile
from pathlib import Path

import pytest

from local.sagemaker.container import FS_IOC_GETFLAGS, FS_TOPDIR_FL, Container, keep_apart, pack
from local.sagemaker.errors import JobFailed


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path / "job")


def test_a_jobs_message_names_its_folder_as_in_a_container(container: Container) -> None:
    assert container.there(f"no file {container.root}/model/x") == "no file /opt/ml/model/x"


def test_the_artifact_has_exactly_what_is_in_the_model_folder(container: Container) -> None:
    (container.root / "model/code").mkdir(parents=True)
    (container.root / "model/xgboost-model").write_bytes(b"trees")
    (container.root / "model/code/inference.py").write_text("pass")

    with tarfile.open(fileobj=io.BytesIO(pack([container.root / "model"])), mode="r:gz") as archive:
        files = sorted(member.name for member in archive if member.isfile())

    assert files == ["code/inference.py", "xgboost-model"]


def test_an_artifact_is_unpacked_into_the_model_folder(container: Container, tmp_path: Path) -> None:
    other = Container(tmp_path / "other")
    (other.root / "model").mkdir()
    (other.root / "model/xgboost-model").write_bytes(b"trees")

    container.unpack_model(pack([other.root / "model"]))

    assert (container.root / "model/xgboost-model").read_bytes() == b"trees"


def test_a_model_that_is_not_an_archive_fails_the_job(container: Container) -> None:
    with pytest.raises(JobFailed, match="ClientError: Failed to extract model data archive"):
        container.unpack_model(b"not an archive")


def test_an_artifact_cannot_write_outside_of_the_model_folder(container: Container) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../stolen"))

    with pytest.raises(JobFailed):
        container.unpack_model(buffer.getvalue())


def test_a_message_is_its_first_kilobyte(container: Container) -> None:
    (container.root / "output/message").write_text("é" * 1000)

    assert container.message("output/message") == "é" * 512


def test_the_folder_is_removed_even_with_folders_that_a_job_locked(container: Container) -> None:
    locked = container.root / "model/locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0o500)
    (container.folder / "unreadable/below").mkdir(parents=True)
    (container.folder / "unreadable").chmod(0)

    container.remove()

    assert not container.folder.exists()


def test_the_file_system_keeps_jobs_apart_if_it_can(tmp_path: Path) -> None:
    def flags() -> int | None:
        opened = os.open(tmp_path, os.O_RDONLY)
        try:
            return int(struct.unpack("l", fcntl.ioctl(opened, FS_IOC_GETFLAGS, bytes(8)))[0])
        except OSError:
            return None
        finally:
            os.close(opened)

    before = flags()
    keep_apart(tmp_path)
    # ext4 can; others keep what they had.
    assert flags() in ({None, before} if _file_system(tmp_path) != "ext4" else {(before or 0) | FS_TOPDIR_FL})


def _file_system(folder: Path) -> str:
    table = Path("/proc/mounts")
    mounts = [line.split()[1:3] for line in table.read_text().splitlines()] if table.exists() else [["/", ""]]
    return max((point, kind) for point, kind in mounts if folder.is_relative_to(point))[1]
