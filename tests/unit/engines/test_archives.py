from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from local.sagemaker.engines import archives
from local.sagemaker.engines.archives import BadArchive, unpack


def archive(*members: tuple[str, bytes, int]) -> io.BytesIO:
    """A .tar.gz of names, contents and modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def test_files_keep_their_folders_and_whether_they_can_be_run(tmp_path: Path) -> None:
    unpack(archive(("train.sh", b"echo", 0o755), ("deep/data", b"1", 0o4644)), tmp_path)

    assert os.access(tmp_path / "train.sh", os.X_OK)
    assert (tmp_path / "deep/data").stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize(
    ("limit", "reason"), [("LARGEST", "has 100 bytes"), ("MOST_MEMBERS", "more than 1 members")]
)
def test_a_bomb_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    monkeypatch.setattr(archives, limit, {"LARGEST": 150, "MOST_MEMBERS": 1}[limit])

    with pytest.raises(BadArchive, match=reason):
        unpack(archive(("a", bytes(100), 0o644), ("b", bytes(100), 0o644)), tmp_path)
    assert list(tmp_path.iterdir()) == []
