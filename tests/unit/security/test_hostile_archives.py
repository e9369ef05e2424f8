"""A model.tar.gz leads nowhere: not for the pipeline's own reader, and not for SageMaker's unpacking here.

See tests/unit/processing/test_bundle.py for links, bombs and sparse files that the reader meets.
"""

import gzip
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bundle import BadArchive, read_files
from local.sagemaker.container import Container
from local.sagemaker.engines import archives
from local.sagemaker.errors import JobFailed

NAME = "xgboost-model"
# What writes headers; not in the types.
TAR: Any = tarfile


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """A member's block, with any size: tarfile itself would write none that is negative."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = TAR.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b"%06o\0 " % TAR.calc_chksums(bytes(block))[0]
    return bytes(block)


def packed(*blocks: bytes) -> bytes:
    return gzip.compress(b"".join(blocks) + bytes(1024), mtime=0)


def file(name: str, content: bytes = b"content") -> bytes:
    return header(name, len(content)) + content + bytes(-len(content) % 512)


CLIMBING = {
    "an absolute path": packed(file("/tmp/mpg-climbed")),
    "a path upwards": packed(file("../../../mpg-climbed")),
    "a path upwards inside": packed(file("code/../../../mpg-climbed")),
    "a link to a folder outside, and a file through it": packed(
        header("out", 0, tarfile.SYMTYPE, "../../.."), file("out/mpg-climbed")
    ),
    "an absolute link": packed(header(NAME, 0, tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link to a file outside": packed(header(NAME, 0, tarfile.LNKTYPE, "../../secret")),
    "a hard link to nothing": packed(header(NAME, 0, tarfile.LNKTYPE, "x")),
    "a hard link to itself": packed(header(NAME, 0, tarfile.LNKTYPE, NAME)),
    "a device": packed(header(NAME, 0, tarfile.CHRTYPE)),
    "a block device": packed(header(NAME, 0, tarfile.BLKTYPE)),
    "a pipe": packed(header(NAME, 0, tarfile.FIFOTYPE)),
}
ENDLESS = packed(header("first", 0), header(NAME, -512))
# tarfile gives a sparse file another size than the one that it has followed.
ENDLESS_SPARSE = packed(header("first", 0), header(NAME, -512, tarfile.GNUTYPE_SPARSE))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder some levels deep; afterwards nothing may lie outside of it but a secret, as it was."""
    (tmp_path / "secret").write_text("secret")
    deep = tmp_path / "a" / "b" / "job"
    deep.parent.mkdir(parents=True)
    yield deep
    outside = {path.name for path in tmp_path.rglob("*") if deep not in (path, *path.parents)}
    assert outside - {"a", "b"} == {"secret"}
    assert (tmp_path / "secret").read_text() == "secret"
    assert not Path("/tmp/mpg-climbed").exists()


@pytest.mark.parametrize("attack", CLIMBING)
def test_the_reader_takes_nothing_that_lies_or_leads_elsewhere(attack: str, place: Path) -> None:
    place.mkdir()
    (place / "model.tar.gz").write_bytes(CLIMBING[attack])
    with pytest.raises(BadArchive):
        read_files(place / "model.tar.gz", {NAME})


@pytest.mark.parametrize("attack", CLIMBING)
def test_unpacking_a_model_here_writes_nothing_outside_of_its_folder(attack: str, place: Path) -> None:
    job = Container(place)
    with suppress(JobFailed):
        job.unpack_model(CLIMBING[attack])
    inside = (job.root / "model").resolve()
    for path in inside.rglob("*"):
        assert path.resolve().is_relative_to(inside)
        assert path.is_dir() or path.is_file()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("archive", [ENDLESS, ENDLESS_SPARSE], ids=["plain", "sparse"])
def test_a_member_that_leads_back_to_the_one_before_is_not_followed_for_ever(
    archive: bytes, place: Path
) -> None:
    job = Container(place)
    with pytest.raises(JobFailed):
        job.unpack_model(archive)
    (place / "model.tar.gz").write_bytes(archive)
    with pytest.raises(BadArchive, match="is damaged"):
        read_files(place / "model.tar.gz", {NAME})


def test_a_bomb_is_refused_before_any_of_it_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 1 << 20)
    bomb = packed(header("zeros", 2 << 20), bytes(2 << 20))
    assert len(bomb) < 5000
    job = Container(place)
    with pytest.raises(JobFailed, match="zeros has 2097152 bytes"):
        job.unpack_model(bomb)
    assert list((job.root / "model").iterdir()) == []


@pytest.mark.parametrize("size", [1 << 40, (1 << 63) - 1])
def test_a_header_that_claims_to_be_enormous_is_refused(size: int, place: Path) -> None:
    archive = gzip.compress(header(NAME, size, tarfile.XGLTYPE))
    with pytest.raises(JobFailed):
        Container(place).unpack_model(archive)
    (place / "model.tar.gz").write_bytes(archive)
    with pytest.raises(BadArchive):
        read_files(place / "model.tar.gz", {NAME})


def test_of_members_with_the_same_name_the_last_counts_as_it_does_when_tar_unpacks(place: Path) -> None:
    archive = packed(file(NAME, b"first"), file(NAME, b"last"))
    job = Container(place)
    job.unpack_model(archive)
    assert (job.root / "model" / NAME).read_bytes() == b"last"
    (place / "model.tar.gz").write_bytes(archive)
    assert read_files(place / "model.tar.gz", {NAME}) == {NAME: b"last"}


def judge_archive(content: bytes) -> None:
    """Any tar.gz is read or refused, and unpacked within its folder or refused. The fuzzer asks this, too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tar.gz"
        path.write_bytes(content)
        with suppress(BadArchive):
            assert isinstance(read_files(path, {NAME})[NAME], bytes)
        job = Container(Path(folder) / "deep" / "job")
        with suppress(JobFailed):
            job.unpack_model(content)
        assert {path.name for path in Path(folder).iterdir()} == {"model.tar.gz", "deep"}
        assert {path.name for path in (Path(folder) / "deep").iterdir()} == {"job"}
        job.remove()


BLOCKS = st.builds(
    header,
    st.sampled_from([NAME, "./x", "/x", "../x", "a/../../x", "a"]),
    st.sampled_from([0, 1, 512, -1, -512, -1024, 1 << 40, (1 << 63) - 1]),
    st.sampled_from([tarfile.REGTYPE, *(bytes([kind]) for kind in b"1234567gxLKSVD\0")]),
    st.sampled_from(["", "x", "..", "/etc/passwd", NAME]),
)


@given(
    st.lists(BLOCKS | st.binary(max_size=512).map(lambda data: data.ljust(512, b"\0")), max_size=6),
    st.booleans(),
)
def test_any_archive_is_read_or_refused(blocks: list[bytes], ends: bool) -> None:
    judge_archive(packed(*blocks) if ends else gzip.compress(b"".join(blocks)))


def test_a_stream_that_is_damaged_inside_a_file_raises_nothing_else(place: Path) -> None:
    whole = packed(file(NAME, b" ".join(b"%d" % (n * n) for n in range(20_000))))
    for at in range(1000, len(whole), 5000):
        with suppress(JobFailed):
            Container(place / str(at)).unpack_model(whole[:at] + b"\xff" * 64 + whole[at + 64 :])


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_damaged_gzip_stream_is_refused(place_: int, damage: bytes) -> None:
    whole = packed(file(NAME, bytes(range(256))))
    judge_archive(whole[:place_] + damage + whole[place_ + len(damage) :])
