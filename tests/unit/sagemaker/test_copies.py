"""Large objects are sent once, and asked for by each job with its own rights."""

from pathlib import Path

import pytest

from local.sagemaker import copies
from local.sagemaker.copies import Copies
from local.sagemaker.errors import JobFailed
from local.sagemaker.storage import Storage
from tests.unit.sagemaker.fakes import REGION, ROLE, FakeS3

LIBRARY = b"library" * copies.SMALLEST


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def kept(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "copies")


def download(s3: FakeS3, kept: Copies, folder: Path, key: str = "library") -> bytes:
    """What a job gets of an object."""
    folder.mkdir()
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{key}"}
    Storage(s3, ROLE, REGION, kept).download(source, [folder])
    return (folder / key).read_bytes()


def test_an_object_is_sent_again_only_if_it_has_changed(s3: FakeS3, kept: Copies, tmp_path: Path) -> None:
    s3.put("s3://bucket/library", LIBRARY)
    assert download(s3, kept, tmp_path / "1") == LIBRARY
    # What a job does to its own file concerns no other job.
    (tmp_path / "1" / "library").write_bytes(b"changed")
    assert download(s3, kept, tmp_path / "2") == LIBRARY
    assert (s3.reads, s3.sent) == (["library", "library"], ["library"])

    s3.put("s3://bucket/library", LIBRARY[::-1])
    assert download(s3, kept, tmp_path / "3") == LIBRARY[::-1]
    assert download(s3, kept, tmp_path / "4") == LIBRARY[::-1]
    assert s3.sent == ["library", "library"]


def test_a_role_that_may_not_read_an_object_does_not_get_its_copy(
    s3: FakeS3, kept: Copies, tmp_path: Path
) -> None:
    s3.put("s3://bucket/library", LIBRARY)
    download(s3, kept, tmp_path / "1")
    s3.broken = True
    with pytest.raises(JobFailed, match="AccessDenied"):
        download(s3, kept, tmp_path / "2")


def test_a_deleted_object_is_missing(s3: FakeS3, kept: Copies, tmp_path: Path) -> None:
    s3.put("s3://bucket/library", LIBRARY)
    item = Storage(s3, ROLE, REGION, kept).find("s3://bucket/library")[0]
    download(s3, kept, tmp_path / "1")
    s3.objects.clear()
    with pytest.raises(JobFailed, match="NoSuchKey"):
        Storage(s3, ROLE, REGION, kept).download_object(item, tmp_path / "file")


def test_the_object_that_was_not_read_for_longest_makes_room(
    s3: FakeS3, kept: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_TOGETHER", 2 * len(LIBRARY))
    for number, key in enumerate(["a", "b", "a", "c", "a", "b"]):
        s3.put(f"s3://bucket/{key}", LIBRARY)
        assert download(s3, kept, tmp_path / str(number), key) == LIBRARY
    assert s3.sent == ["a", "b", "c", "b"]
    assert len(list((tmp_path / "copies").iterdir())) == 2


def test_small_and_very_large_objects_are_not_kept(
    s3: FakeS3, kept: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "LARGEST", len(LIBRARY) - 1)
    for number, content in enumerate([b"small", b"small", LIBRARY, LIBRARY]):
        s3.put("s3://bucket/library", content)
        assert download(s3, kept, tmp_path / str(number)) == content
    assert len(s3.sent) == 4
