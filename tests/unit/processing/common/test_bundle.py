import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import bundle
from common.bundle import BadArchive, read_files, write_archive


def pack(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return path


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize("name", ["model", "./model"])
def test_a_file_at_the_root_is_read(name: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", (tarfile.TarInfo(name), b"content"), (tarfile.TarInfo("x"), b"x"))
    assert read_files(archive, {"model"}) == {"model": b"content"}


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../model"),
        tarfile.TarInfo("/model"),
        tarfile.TarInfo("folder/model"),
        link("model", "/etc/passwd"),
        link("model", "../secret"),
    ],
    ids=lambda member: f"{member.name} {member.linkname}",
)
def test_a_path_that_leads_elsewhere_is_not_followed(member: tarfile.TarInfo, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(BadArchive, match=r"^a.tar.gz holds no model$"):
        read_files(pack(tmp_path / "a.tar.gz", (member, b"content")), {"model"})


def test_a_gzip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LARGEST_ARCHIVE", 1 << 20)
    archive = pack(tmp_path / "a.tar.gz", (tarfile.TarInfo("model"), bytes(1 << 20)))
    assert archive.stat().st_size < 5000
    with pytest.raises(BadArchive, match=r"^a.tar.gz is larger than 1 MiB when unpacked"):
        read_files(archive, {"model"})


def test_a_sparse_file_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("model")
    member.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,1"}
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(BadArchive, match="is damaged"):
        read_files(tmp_path / "a.tar.gz", {"model"})


def test_a_truncated_archive_is_damaged(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", (tarfile.TarInfo("model"), bytes(5000)))
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes())[:1500]))
    with pytest.raises(BadArchive, match=r"^a.tar.gz is damaged"):
        read_files(archive, {"model"})


@given(st.binary(), st.binary(max_size=1024), st.booleans())
def test_any_bytes_are_an_archive_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: bytes, compress: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tar.gz"
    path.write_bytes(gzip.compress(block) if compress else content)
    with pytest.raises(BadArchive):
        read_files(path, {"model"})


def test_packed_files_can_be_read_and_have_no_time_or_owner(tmp_path: Path) -> None:
    (tmp_path / "folder" / "code").mkdir(parents=True)
    (tmp_path / "folder" / "model").write_bytes(b"content")
    (tmp_path / "folder" / "code" / "a.py").write_bytes(b"pass")
    write_archive(tmp_path / "a.tar.gz", tmp_path / "folder", {"code/b.py": b"more"})
    (tmp_path / "folder" / "model").touch()
    write_archive(tmp_path / "b.tar.gz", tmp_path / "folder", {"code/b.py": b"more"})
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert read_files(tmp_path / "a.tar.gz", {"model", "code/b.py"}) == {
        "model": b"content",
        "code/b.py": b"more",
    }
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
        assert tar.getnames() == ["code/a.py", "code/b.py", "model"]
